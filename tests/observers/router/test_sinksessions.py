"""Bots that talk to the sink: slowly, without end, and in words that are none."""

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from botprobe.observers.router import sink
from botprobe.observers.router.sink import SinkHandler, open_sink

MAIL = "From: a@example.org\r\nSubject: x\r\n\r\nBuy.\r\n"
ENVELOPE = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"


@asynccontextmanager
async def listening(folder: Path) -> AsyncIterator[tuple[SinkHandler, int]]:
    """Let a sink listen on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with open_sink("127.0.0.1", port, folder, name="s.test", most_bytes=1 << 30) as handler:
        yield handler, port


def send(port: int) -> None:
    """Send a mail as a bot does."""
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as session:
        session.sendmail("a@example.org", ["b@example.net", "c@example.net"], MAIL)


async def say(port: int, said: bytes) -> bytes:
    """Say something at once, and return all that comes until the sink hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        heard = bytearray()
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                while more := await reader.read(65_536):
                    heard += more
        return bytes(heard)
    finally:
        writer.close()


def mails(folder: Path) -> list[bytes]:
    """Return what is kept."""
    return [path.read_bytes() for path in (folder / "new").iterdir()]


class TestSlow:
    async def test_who_is_silent_is_hung_up_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else a few bots hold all sessions."""
        monkeypatch.setattr(sink, "SILENCE", 0.2)
        async with listening(tmp_path) as (_, port):
            assert (await say(port, b"EHLO x\r\n")).startswith(b"220 s.test")

    @pytest.mark.parametrize(("said", "drop"), [(b"", b"NOOP\r\n"), (ENVELOPE, b"a line\r\n")])
    async def test_who_says_a_line_now_and_then_is_hung_up_on_in_the_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, drop: bytes
    ) -> None:
        """He is never silent, neither between mails nor within one."""
        monkeypatch.setattr(sink, "LONGEST", 0.5)
        async with listening(tmp_path) as (handler, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            lines = 0
            async with asyncio.timeout(5):
                with suppress(ConnectionError):
                    while not reader.at_eof():
                        writer.write(drop)
                        lines += 1
                        with suppress(TimeoutError):
                            async with asyncio.timeout(0.05):
                                await reader.read(1000)
            writer.close()
            await asyncio.to_thread(send, port)

            assert lines > 3
            assert (handler.kept, len(mails(tmp_path))) == (1, 1)

    async def test_who_stays_is_cut_off_when_the_sink_ends(self, tmp_path: Path) -> None:
        """Python 3.12.1 and later would wait for him, as long as he likes."""
        async with asyncio.timeout(10):
            async with listening(tmp_path) as (_, port):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await reader.readline()
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)


class TestHostile:
    @pytest.mark.parametrize(
        "said",
        [
            b"\x00\xff" * 500 + b"\r\nQUIT\r\n",
            b"A" * 200_000 + b"\r\nQUIT\r\n",
            b"\r\n" * 2_000 + b"QUIT\r\n",
            b"EHLO \x1b[2J<>\r\nMAIL FROM:<\r\nRCPT TO:<@\r\nDATA\r\nQUIT\r\n",
            b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n" + b"RCPT TO:<c@d.example>\r\n" * 300,
            ENVELOPE + b"z" * 300_000 + b"\r\n.\r\nQUIT\r\n",
            ENVELOPE + b"\x00\r\n.\r\n.\r\n..\r\nQUIT\r\n",
        ],
    )
    async def test_whatever_a_bot_says_the_next_one_is_served(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
    ) -> None:
        """Neither bytes that are no text nor endless lines and lists stop the sink."""
        monkeypatch.setattr(sink, "SILENCE", 1)
        async with listening(tmp_path) as (_, port):
            await say(port, said)
            await asyncio.to_thread(send, port)

        assert any(mail.endswith(b"Buy.\r\n") for mail in mails(tmp_path))

    async def test_a_name_that_a_bot_gives_ends_no_field(self, tmp_path: Path) -> None:
        """It stands in our own Received field; the address behind it is the boundary."""
        words = ENVELOPE.replace(b"EHLO x", b"EHLO a]);(b")
        async with listening(tmp_path) as (_, port):
            await say(port, words + MAIL.encode() + b".\r\nQUIT\r\n")

        [mail] = mails(tmp_path)
        assert b"Received: from ab ([127.0.0.1])\r\n\tby s.test (botprobe sink)" in mail

    async def test_a_mail_goes_into_the_folder_and_nowhere_else(self, tmp_path: Path) -> None:
        """Two recipients of elsewhere are one file."""
        async with listening(tmp_path / "trap") as (handler, port):
            await asyncio.to_thread(send, port)

        assert handler.kept == 1
        assert [path.parent.name for path in tmp_path.rglob("*") if path.is_file()] == ["new"]
