"""Tests of the SMTP probe: what hosts say, how they break off, and what is our own fault."""

import asyncio
import errno
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import ConfigError, ParseError, ProbeUnavailable, RefusedByScope
from botprobe.model.results import PortState, Reply
from botprobe.model.target import Target
from botprobe.probes.smtp import MAX_LINE, MAX_LINES, SmtpProbe, port_state, read_reply
from tests.probes.conftest import FakePermission, Serve, Session

MakeProbe = Callable[[int], SmtpProbe]


@pytest.fixture
def probe(permission: FakePermission) -> SmtpProbe:
    """A probe with little patience."""
    return SmtpProbe(
        permission=permission,
        helo_name="probe.test",
        connect_timeout=2,
        greeting_timeout=0.2,
        session_timeout=0.5,
    )


def says(*replies: bytes, heard: list[bytes] | None = None) -> Session:
    """Script a host that says its first line at once, and one more after each of ours."""

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            writer.write(reply)
            line = await reader.readline()
            if heard is not None:
                heard.append(line)

    return session


class TestPortState:
    @pytest.mark.parametrize(
        ("number", "state"),
        [
            (errno.ECONNREFUSED, PortState.CLOSED),
            (errno.ETIMEDOUT, PortState.FILTERED),
            (errno.EHOSTUNREACH, PortState.FILTERED),
            (errno.ENETUNREACH, PortState.FILTERED),
            (errno.EACCES, PortState.FILTERED),
        ],
    )
    def test_a_refusal_is_closed_and_an_unreachable_host_is_filtered(
        self, number: int, state: PortState
    ) -> None:
        """What the way to the host answers is a result about the host."""
        assert port_state(OSError(number, os.strerror(number))) is state

    @pytest.mark.parametrize(
        "number", [errno.EPERM, errno.EMFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.EINVAL]
    )
    def test_our_own_trouble_is_no_result(self, number: int) -> None:
        """A limit or a firewall of ours says nothing about the host."""
        with pytest.raises(ProbeUnavailable, match="cannot connect"):
            port_state(OSError(number, os.strerror(number)))


class TestHeloName:
    @pytest.mark.parametrize(
        "name", ["mx.example.org", "localhost", "my_box", "[IPv6:2001:db8::1]"]
    )
    def test_names_and_address_literals(self, permission: FakePermission, name: str) -> None:
        """What RFC 5321 allows is taken, and what machines are really called."""
        assert SmtpProbe(permission=permission, helo_name=name).helo_name == name

    @pytest.mark.parametrize(
        "name", ["", "a b", "x\r\nMAIL FROM:<>", "b\u00fccher.example", "a" * 256]
    )
    def test_others_are_a_fault_of_the_configuration(
        self, permission: FakePermission, name: str
    ) -> None:
        """A name that cannot be said is found before the first session, not in each."""
        with pytest.raises(ConfigError, match="not a host name"):
            SmtpProbe(permission=permission, helo_name=name)


class TestReadReply:
    @given(code=st.integers(200, 599), raw=st.binary(max_size=4096))
    def test_any_bytes_become_a_bounded_reply(self, code: int, raw: bytes) -> None:
        """Hostile bytes never break the reader, the store or the screen's encoding."""
        reply = read_reply(code, raw.decode("utf-8", "surrogateescape"))

        assert reply.code == code
        assert 1 <= len(reply.lines) <= MAX_LINES
        assert all(len(line) <= MAX_LINE for line in reply.lines)
        assert "\n".join(reply.lines).encode("utf-8", "strict").decode() == "\n".join(reply.lines)

    @given(code=st.integers(-999, 999).filter(lambda code: not 200 <= code <= 599))
    def test_a_code_that_smtp_does_not_have_is_no_reply(self, code: int) -> None:
        """Only 2xx to 5xx are codes of SMTP replies."""
        with pytest.raises(ParseError) as caught:
            read_reply(code, "hello")

        assert caught.value.raw == b"hello"

    def test_undecodable_bytes_stay_visible(self) -> None:
        """What a host said in an unknown encoding is kept as escapes."""
        message = b"caf\xe9 \x1b[2J".decode("utf-8", "surrogateescape")
        assert read_reply(220, message).lines == ("caf\\xe9 \x1b[2J",)


class TestSession:
    async def test_a_mail_server_is_heard_out(
        self, probe: SmtpProbe, localhost: Target, serve: Serve
    ) -> None:
        """The session is greeting, EHLO with our name, QUIT, and nothing else."""
        heard: list[bytes] = []
        port = await serve(
            says(
                b"220-mx.example.org ESMTP\r\n220 no spam please\r\n",
                b"250-mx.example.org\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
                b"221 Bye\r\n",
                heard=heard,
            )
        )

        result = await replace(probe, port=port).run(localhost)

        assert result.greeting == Reply(220, ("mx.example.org ESMTP", "no spam please"))
        assert result.ehlo == Reply(250, ("mx.example.org", "PIPELINING", "8BITMIME"))
        assert result.takes_mail
        assert result.broke is None
        assert result.greeting_seconds is not None
        assert result.greeting_seconds >= 0
        assert heard == [b"EHLO probe.test\r\n", b"QUIT\r\n"]

    async def test_never_speaks_before_the_greeting(
        self, probe: SmtpProbe, localhost: Target, serve: Serve
    ) -> None:
        """A client that talks first is taken for a bot."""
        early: list[bytes] = []

        async def pause(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async with asyncio.timeout(0.05):
                    early.append(await reader.read(1))
            except TimeoutError:
                await says(b"220 slow\r\n", b"250 slow\r\n", b"221 bye\r\n")(reader, writer)

        port = await serve(pause)

        result = await replace(probe, port=port).run(localhost)

        assert early == []
        assert result.takes_mail
        assert result.greeting_seconds is not None
        assert result.greeting_seconds >= 0.05

    @pytest.mark.parametrize("code", [421, 554, 220])
    async def test_a_refusing_greeting_is_a_result(
        self, probe: SmtpProbe, localhost: Target, serve: Serve, code: int
    ) -> None:
        """A host that greets with 421 or 554 speaks SMTP."""
        port = await serve(says(b"%d go away\r\n" % code))

        result = await replace(probe, port=port).run(localhost)

        assert result.greeting == Reply(code, ("go away",))
        assert result.speaks_smtp
        assert not result.takes_mail

    async def test_a_refused_ehlo_is_kept_and_helo_is_not_tried(
        self, probe: SmtpProbe, localhost: Target, serve: Serve
    ) -> None:
        """The refusal of EHLO is the host's answer; there is no second try."""
        heard: list[bytes] = []
        port = await serve(says(b"220 old\r\n", b"502 what?\r\n", b"221 bye\r\n", heard=heard))

        result = await replace(probe, port=port).run(localhost)

        assert result.ehlo == Reply(502, ("what?",))
        assert not result.takes_mail
        assert heard == [b"EHLO probe.test\r\n", b"QUIT\r\n"]

    async def test_keeps_what_was_said_before_the_host_broke_off(
        self, probe: SmtpProbe, localhost: Target, serve: Serve
    ) -> None:
        """A host that hangs up after its greeting has still greeted."""

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mx.example.org ESMTP\r\n")

        port = await serve(hang_up)

        result = await replace(probe, port=port).run(localhost)

        assert result.speaks_smtp
        assert result.ehlo is None
        assert result.broke == "hung up before the reply to EHLO"

    @pytest.mark.parametrize(
        ("script", "broke"),
        [
            (says(b""), "no greeting in time"),
            (says(b"220-still\r\n220-wait"), "no greeting in time"),
            (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "the greeting is not SMTP: .*SSH-2.0-OpenSSH_9.2"),
            (says(b"\x00\xff\x1b]0;\n"), "the greeting is not SMTP"),
            (says(b"22 too short\r\n"), "the greeting is not SMTP"),
            (says(b"999 too far\r\n"), "the greeting is not SMTP"),
            (says(b"220-x\r\n" * 10_000), "the greeting is not SMTP: Response too long"),
            (says(b"220 " + b"x" * 100_000 + b"\r\n"), "the greeting is not SMTP: Response too"),
        ],
    )
    async def test_what_is_not_a_greeting_is_said_so(
        self, probe: SmtpProbe, localhost: Target, serve: Serve, script: Session, broke: str
    ) -> None:
        """Silence, drip, another protocol and endless banners end in time, with the reason."""
        port = await serve(script)

        result = await replace(probe, port=port).run(localhost)

        assert result.port is PortState.OPEN
        assert not result.speaks_smtp
        assert result.broke is not None
        assert re.match(broke, result.broke)

    @pytest.mark.parametrize("awaited", ["greeting", "reply to EHLO"])
    async def test_a_million_lines_are_not_listened_to(
        self, probe: SmtpProbe, localhost: Target, serve: Serve, awaited: str
    ) -> None:
        """The host gets rid of what fits into buffers on the way, and we keep next to nothing."""
        lines, sent = 1_000_000, 0
        block = b"250-and so on\r\n" * 100

        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            if awaited == "greeting":
                writer.write(b"220-mx.example.org\r\n")
            else:
                writer.write(b"220 mx.example.org ESMTP\r\n")
                await reader.readline()
            for _ in range(lines // 100):
                writer.write(block.replace(b"250", b"220") if awaited == "greeting" else block)
                await writer.drain()
                sent += 100

        port, started = await serve(session), time.monotonic()
        result = await replace(probe, port=port, session_timeout=9, greeting_timeout=9).run(
            localhost
        )

        assert time.monotonic() - started < 5
        assert sent < lines // 2
        assert awaited in (result.broke or "")
        kept = [*(result.greeting.lines if result.greeting else ()), result.broke or ""]
        assert sum(map(len, kept)) < 1000

    async def test_a_host_that_hangs_up_at_once(
        self, probe: SmtpProbe, localhost: Target, serve: Serve
    ) -> None:
        """An open port without a word is an open port."""

        async def hang_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
            return

        port = await serve(hang_up)

        result = await replace(probe, port=port).run(localhost)

        assert (result.port, result.broke) == (PortState.OPEN, "hung up before the greeting")

    async def test_an_endless_drip_ends_with_the_session(
        self, probe: SmtpProbe, localhost: Target, serve: Serve
    ) -> None:
        """A tarpit that always sends a little more holds us no longer than the session."""

        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 tarpit\r\n")
            await reader.readline()
            for _ in range(1000):
                writer.write(b"250-more\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)

        port = await serve(drip)

        result = await replace(probe, port=port, greeting_timeout=9).run(localhost)

        assert result.greeting == Reply(220, ("tarpit",))
        assert result.broke == "no reply to EHLO in time"

    async def test_whoever_is_dropped_hears_nothing_more(
        self, serve: Serve, probe: SmtpProbe, localhost: Target
    ) -> None:
        """The connection is reset: after a mere end the kernel would answer each further word."""
        ends: list[type[Exception] | None] = []
        talking, ended = asyncio.Event(), asyncio.Event()

        async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 ")
            talking.set()
            try:
                await reader.read()
                ends.append(None)
            except OSError as error:
                ends.append(type(error))
            ended.set()

        patient = replace(probe, port=await serve(session), greeting_timeout=9, session_timeout=9)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(patient.run(localhost))
            await talking.wait()
            await asyncio.sleep(0)
            task.cancel()
        async with asyncio.timeout(2):
            await ended.wait()

        assert ends == [ConnectionResetError]

    async def test_a_greeting_in_countless_pieces_is_cut_off(
        self, probe: SmtpProbe, localhost: Target, serve: Serve
    ) -> None:
        """Crumbs that cost us more than the host end the session long before its time."""

        async def crumble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _piece in range(100_000):
                writer.write(b"220-\n")
                await writer.drain()
                await asyncio.sleep(0)

        port = await serve(crumble)
        patient = replace(probe, port=port, greeting_timeout=15, session_timeout=15)

        result = await patient.run(localhost)

        assert (result.port, result.greeting) == (PortState.OPEN, None)
        assert result.broke == "the greeting came in too many pieces"


class TestConnect:
    async def test_a_refused_connection_is_a_closed_port(
        self, probe: SmtpProbe, localhost: Target
    ) -> None:
        """Connection refused is what the host says, not an error."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]

        result = await replace(probe, port=port).run(localhost)

        assert result.port is PortState.CLOSED

    async def test_a_full_backlog_is_a_filtered_port(
        self, probe: SmtpProbe, localhost: Target
    ) -> None:
        """A host that never answers our SYN is filtered after the connect timeout."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
            address = server.getsockname()
            with socket.create_connection(address):
                port = address[1]
                result = await replace(probe, port=port, connect_timeout=0.1).run(localhost)

        assert result.port is PortState.FILTERED

    async def test_a_forbidden_address_gets_no_packet(
        self, probe: SmtpProbe, localhost: Target, serve: Serve
    ) -> None:
        """The safety rules are asked before the connect, and their refusal goes up."""
        connected: list[bool] = []

        async def remember(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
            connected.append(True)

        port = await serve(remember)
        rules = FakePermission(refused=frozenset({localhost.address}))

        with pytest.raises(RefusedByScope):
            await replace(probe, port=port, permission=rules).run(localhost)

        assert rules.asked == [localhost.address]
        assert connected == []

    async def test_a_missing_route_is_ours(self, probe: SmtpProbe) -> None:
        """A network that we cannot reach at all says nothing about the host."""
        # The kernel itself refuses to connect to the broadcast address: no packet can leave.
        unroutable = Target(ip_address("255.255.255.255"))

        with pytest.raises(ProbeUnavailable, match="no route"):
            await probe.run(unroutable)
