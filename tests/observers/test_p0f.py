"""Tests of the p0f client against a scripted socket."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import ParseError, ProbeUnavailable
from botprobe.model.results import PassiveResult
from botprobe.model.target import Target
from botprobe.observers.p0f import P0fObserver, read_answer, write_query
from tests.lab.runner import run_in_lab

HOST = Target(ip_address("198.18.0.1"))
SIZE = 232
"""sizeof(struct p0f_api_response) in p0f's api.h."""

Serve = Callable[[bytes], "asyncio.Future[P0fObserver]"]


def answer(
    *, magic: int = 0x50304602, status: int = 0x10, quality: int = 0, system: bytes = b"Windows"
) -> bytes:
    """Write an answer as p0f does, field by field."""
    numbers = struct.pack("=9I", magic, status, 1, 1_700_000_000, 3, 0, 0, 0, 0)
    words = (system, b"7 or 8", b"", b"", b"Ethernet or modem", b"")
    return (
        numbers
        + struct.pack("=hBB", 12, 0, quality)
        + b"".join(word.ljust(32, b"\0") for word in words)
    )


class TestWriteQuery:
    def test_is_what_p0f_reads(self) -> None:
        """Magic, kind of address, address in 16 bytes: 21 bytes without padding."""
        assert write_query(HOST.address) == struct.pack("=I", 0x50304601) + (
            b"\x04\xc6\x12\x00\x01" + bytes(12)
        )
        assert write_query(ip_address("2001:db8::1"))[4:] == b"\x06" + (
            b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01"
        )


class TestReadAnswer:
    def test_reads_what_p0f_saw(self) -> None:
        """System, flavour, distance and time are kept in p0f's words."""
        assert len(answer()) == SIZE
        assert read_answer(answer()) == PassiveResult(
            system="Windows",
            flavor="7 or 8",
            distance=12,
            last_seen=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        )

    def test_rough_matches_are_marked(self) -> None:
        """A fuzzy signature is no evidence."""
        seen = read_answer(answer(quality=1))

        assert seen is not None
        assert seen.fuzzy

    def test_an_unknown_signature_has_no_name(self) -> None:
        """P0f saw the host and could not name it."""
        seen = read_answer(answer(system=b""))

        assert seen is not None
        assert seen.system is None

    def test_a_host_that_p0f_has_not_seen(self) -> None:
        """No match is not an empty result."""
        assert read_answer(answer(status=0x20)) is None

    @pytest.mark.parametrize(
        "raw", [b"", answer()[:-1], answer(magic=1), answer(status=0), answer(status=7)]
    )
    def test_what_is_no_answer(self, raw: bytes) -> None:
        """Another program at the socket, or another p0f, is told apart."""
        with pytest.raises(ParseError):
            read_answer(raw)

    @given(st.binary(max_size=300) | st.binary(min_size=SIZE, max_size=SIZE))
    def test_never_fails_in_an_unexpected_way(self, raw: bytes) -> None:
        """Any bytes at all are read or refused."""
        try:
            seen = read_answer(raw)
        except ParseError:
            seen = None

        assert seen is None or len(raw) == SIZE


class TestP0fObserver:
    @pytest.fixture
    async def serve(self, tmp_path: Path) -> AsyncIterator[Serve]:
        """Start a p0f that gives one answer to everything."""
        async with AsyncExitStack() as stack:

            async def start(reply: bytes) -> P0fObserver:
                async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    await reader.readexactly(21)
                    writer.write(reply)
                    writer.close()

                server = await asyncio.start_unix_server(talk, tmp_path / "p0f")
                stack.push_async_callback(server.wait_closed)
                stack.callback(server.close)
                return P0fObserver(socket=tmp_path / "p0f")

            yield lambda reply: asyncio.ensure_future(start(reply))

    async def test_asks_over_the_socket(self, serve: Serve) -> None:
        """The whole way there and back."""
        observer = await serve(answer())

        assert (await observer.run(HOST)).system == "Windows"

    @pytest.mark.parametrize(
        ("reply", "reason"),
        [(answer(status=0x20), "not seen"), (b"", "expected"), (b"\0" * SIZE, "understand")],
    )
    async def test_without_an_answer_nothing_is_measured(
        self, serve: Serve, reply: bytes, reason: str
    ) -> None:
        """A p0f that breaks off, or knows nothing, is no evidence."""
        observer = await serve(reply)

        with pytest.raises(ProbeUnavailable, match=reason):
            await observer.run(HOST)

    async def test_without_p0f_nothing_is_measured(self, tmp_path: Path) -> None:
        """A missing socket is named."""
        with pytest.raises(ProbeUnavailable, match="No such file"):
            await P0fObserver(socket=tmp_path / "nothing").run(HOST)


class TestRealProgram:
    @pytest.mark.lab
    @pytest.mark.timeout(60)
    def test_tells_what_it_saw(self, tmp_path: Path) -> None:
        """Debian's p0f, asked about a connection of our own kernel and about a stranger."""
        done = run_in_lab("python", "-m", "tests.observers.askp0f", str(tmp_path))

        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["Linux", "p0f has not seen the host"]
