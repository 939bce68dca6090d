"""Tests of the open-proxy probe against proxies and liars on loopback."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from botprobe.errors import ConfigError, RefusedByScope
from botprobe.model.results import OpenDoor, ProxyProtocol
from botprobe.model.target import Target
from botprobe.probes.proxy import Listener, ProxyProbe
from tests.lab.proxies import http_proxy, mute_proxy, socks_proxy, yes_sayer
from tests.probes.conftest import FakePermission, Serve, Session

LOOPBACK = ip_address("127.0.0.1")
CONNECT, POST = ProxyProtocol.HTTP_CONNECT, ProxyProtocol.HTTP_POST
SOCKS4, SOCKS5 = ProxyProtocol.SOCKS4, ProxyProtocol.SOCKS5


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say what was said."""
    while data := await reader.read(1000):
        writer.write(data)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never come to the end of an answer."""
    while not reader.at_eof():
        writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000)
        await writer.drain()
        await asyncio.sleep(0)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """Our own end, on loopback."""
    async with Listener(LOOPBACK, 0) as listener:
        yield listener


def probe_of(
    listener: Listener, port: int, *protocols: ProxyProtocol, permission: FakePermission
) -> ProxyProbe:
    """A probe of one port with little patience."""
    ways = tuple((port, protocol) for protocol in protocols)
    return ProxyProbe(permission=permission, listener=listener, ways=ways, seconds=0.5)


class TestProxyProbe:
    @pytest.mark.parametrize(
        "kind",
        [(http_proxy, CONNECT), (mute_proxy, POST), (socks_proxy, SOCKS4), (socks_proxy, SOCKS5)],
    )
    async def test_finds_what_carries_our_word(
        self,
        serve: Serve,
        listener: Listener,
        localhost: Target,
        permission: FakePermission,
        kind: tuple[Session, ProxyProtocol],
    ) -> None:
        """A proxy is open if our listener hears the word, answered or not."""
        session, protocol = kind
        port = await serve(session)

        result = await probe_of(listener, port, protocol, permission=permission).run(localhost)

        assert result.open == (OpenDoor(port=port, protocol=protocol, seen_from="127.0.0.1"),)

    @pytest.mark.parametrize("session", [yes_sayer, echo, drip])
    async def test_believes_no_liar(
        self,
        serve: Serve,
        listener: Listener,
        localhost: Target,
        permission: FakePermission,
        session: Session,
    ) -> None:
        """200 to everything, an echo and a tarpit carry nothing anywhere."""
        port = await serve(session)
        probe = probe_of(listener, port, *ProxyProtocol, permission=permission)

        result = await probe.run(localhost)

        assert result.open == ()
        assert len(result.tried) == 4

    async def test_a_closed_port_is_no_proxy(
        self, listener: Listener, localhost: Target, permission: FakePermission, unused_port: int
    ) -> None:
        """Refusal is a result."""
        probe = probe_of(listener, unused_port, *ProxyProtocol, permission=permission)

        assert (await probe.run(localhost)).open == ()

    async def test_asks_nobody_who_is_refused(
        self, serve: Serve, listener: Listener, localhost: Target
    ) -> None:
        """The safety rules hold here, too."""
        port = await serve(http_proxy)
        permission = FakePermission(refused=frozenset({localhost.address}))

        with pytest.raises(RefusedByScope):
            await probe_of(listener, port, CONNECT, permission=permission).run(localhost)

    async def test_leaves_out_what_an_ipv6_listener_cannot_be_named_in(
        self, localhost: Target, permission: FakePermission
    ) -> None:
        """SOCKS 4 knows no IPv6."""
        listener = Listener(ip_address("2001:db8::25"), 2525)
        probe = probe_of(listener, 1080, SOCKS4, permission=permission)

        assert (await probe.run(localhost)).tried == ()


class TestListener:
    async def test_a_guessed_word_proves_nothing(self, listener: Listener) -> None:
        """Strangers who find the listener cannot accuse anybody."""
        with listener.expect() as (_, came):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(b"botprobe-" + b"0" * 32 + b"\r\n" + b"x" * 5000)
            heard = await reader.read()

            assert heard == b""
            assert not came.done()
            writer.close()

    async def test_an_address_in_use_is_a_wrong_setting(self, listener: Listener) -> None:
        """The operator reads one line that names the setting."""
        with pytest.raises(ConfigError, match=r"proxy\.listen"):
            async with Listener(LOOPBACK, listener.port):
                pass
