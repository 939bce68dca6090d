"""Open-proxy probe: does the host carry a stranger's words, namely ours, to a place of our own?

A proxy is asked to connect to our own listener and nowhere else, and a random word is sent through.
Only what the listener receives counts: a host that says 200 to everything, an echo or a tarpit
proves nothing, and some proxies relay without a word. No mail is offered to anybody. It is off
unless the operator configures a listener that the Internet can reach.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from botprobe.errors import ConfigError
from botprobe.model.mail import IpAddress
from botprobe.model.results import OpenDoor, ProxyProtocol, ProxyResult
from botprobe.model.target import Target
from botprobe.probes.base import Permission

# The ports of HOPM's tests.
HTTP_PORTS = (80, 81, 3128, 6588, 8000, 8001, 8080, 8081)
SOCKS_PORT = 1080
WAYS: tuple[tuple[int, ProxyProtocol], ...] = (
    *((port, ProxyProtocol.HTTP_CONNECT) for port in HTTP_PORTS),
    *((port, ProxyProtocol.HTTP_POST) for port in HTTP_PORTS),
    (SOCKS_PORT, ProxyProtocol.SOCKS4),
    (SOCKS_PORT, ProxyProtocol.SOCKS5),
)

# More is never read: of a proxy's answer, of what comes to our listener.
MAX_READ = 4096
# Connections to one host at the same time.
AT_ONCE = 4
# Strangers will find the listener; it hears so many at the same time.
MAX_VISITORS = 1000
VISIT_SECONDS = 30

_NONCE = re.compile(rb"botprobe-([0-9a-f]{32})")
_GRANTED = re.compile(rb"HTTP/1\.[01] 2[0-9]{2}\b")


class Listener:
    """Our own end of every proxy: hears words, says nothing; ``async with`` opens and closes it."""

    def __init__(self, address: IpAddress, port: int) -> None:
        """Listen at an address of this machine that the Internet can reach."""
        self.address = address
        self.port = port
        self._expected: dict[bytes, asyncio.Future[str]] = {}
        self._visitors = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._hear, str(self.address), self.port, limit=MAX_READ
            )
        except OSError as error:
            raise ConfigError(f"proxy.listen: cannot listen there: {error.strerror}") from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()

    @contextmanager
    def expect(self) -> Iterator[tuple[bytes, asyncio.Future[str]]]:
        """Give a word that nobody else knows, and a future: the address that it came from."""
        nonce = secrets.token_hex(16).encode()
        came: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._expected[nonce] = came
        try:
            yield b"botprobe-" + nonce + b"\r\n", came
        finally:
            del self._expected[nonce]
            came.cancel()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._visitors += 1
        try:
            if self._visitors <= MAX_VISITORS:
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(VISIT_SECONDS):
                        await self._look_for_nonce(reader, writer.get_extra_info("peername")[0])
        finally:
            self._visitors -= 1
            writer.close()

    async def _look_for_nonce(self, reader: asyncio.StreamReader, peer: str) -> None:
        heard = b""
        while len(heard) < MAX_READ and (data := await reader.read(MAX_READ - len(heard))):
            heard += data
            found = _NONCE.search(heard)
            if found is not None:
                came = self._expected.get(found[1])
                if came is not None and not came.done():
                    came.set_result(peer)
                return


@dataclass(frozen=True, slots=True)
class _Door:
    """A connection to what may be a proxy, and where it is to lead."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    listener: Listener

    @property
    def authority(self) -> str:
        """The listener as URLs write it."""
        host = str(self.listener.address)
        return f"[{host}]:{self.listener.port}" if ":" in host else f"{host}:{self.listener.port}"


async def _http_connect(door: _Door, word: bytes) -> bool:
    door.writer.write(
        f"CONNECT {door.authority} HTTP/1.0\r\nHost: {door.authority}\r\n\r\n".encode()
    )
    head = await door.reader.readuntil(b"\r\n\r\n")
    granted = _GRANTED.match(head) is not None
    if granted:
        door.writer.write(word)
    return granted


async def _http_post(door: _Door, word: bytes) -> bool:
    """Send the word at once: some proxies relay it and never answer."""
    door.writer.write(
        f"POST http://{door.authority}/ HTTP/1.0\r\nHost: {door.authority}\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(word)}\r\n\r\n".encode()
        + word
    )
    return True


async def _socks4(door: _Door, word: bytes) -> bool:
    port = door.listener.port.to_bytes(2, "big")
    door.writer.write(b"\x04\x01" + port + door.listener.address.packed + b"\0")
    granted = (await door.reader.readexactly(8))[:2] == b"\0\x5a"
    if granted:
        door.writer.write(word)
    return granted


async def _socks5(door: _Door, word: bytes) -> bool:
    address = door.listener.address
    kind = b"\x01" if address.version == 4 else b"\x04"
    door.writer.write(b"\x05\x01\x00")
    if await door.reader.readexactly(2) != b"\x05\x00":
        return False
    door.writer.write(
        b"\x05\x01\x00" + kind + address.packed + door.listener.port.to_bytes(2, "big")
    )
    granted = (await door.reader.readexactly(4))[:2] == b"\x05\x00"
    if granted:
        door.writer.write(word)
    return granted


_ASK: Mapping[ProxyProtocol, Callable[[_Door, bytes], Awaitable[bool]]] = {
    ProxyProtocol.HTTP_CONNECT: _http_connect,
    ProxyProtocol.HTTP_POST: _http_post,
    ProxyProtocol.SOCKS4: _socks4,
    ProxyProtocol.SOCKS5: _socks5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyProbe:
    """Tries the usual ports and protocols of open proxies."""

    permission: Permission
    listener: Listener
    ways: tuple[tuple[int, ProxyProtocol], ...] = WAYS
    seconds: float = 10
    """For one way, from the connect to the word's arrival."""

    async def run(self, target: Target) -> ProxyResult:
        """Try all ways, a few at the same time.

        Raises:
            RefusedByScope: the target must not be asked.
        """
        self.permission.require(target.address)
        ways = [way for way in self.ways if self._possible(way[1])]
        free = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._try(target, *way, free)) for way in ways]
        doors = (task.result() for task in tasks)
        return ProxyResult(tried=tuple(ways), open=tuple(door for door in doors if door))

    def _possible(self, protocol: ProxyProtocol) -> bool:
        """SOCKS 4 has no room for an IPv6 address."""
        return protocol is not ProxyProtocol.SOCKS4 or self.listener.address.version == 4

    async def _try(
        self, target: Target, port: int, protocol: ProxyProtocol, free: asyncio.Semaphore
    ) -> OpenDoor | None:
        async with free:
            with (
                self.listener.expect() as (word, came),
                suppress(
                    OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
                ),
            ):
                async with asyncio.timeout(self.seconds):
                    self.permission.require(target.address)
                    seen_from = await self._send(target, port, protocol, word, came)
                if seen_from is not None:
                    text = str(ip_address(seen_from))
                    return OpenDoor(port=port, protocol=protocol, seen_from=text)
        return None

    async def _send(
        self,
        target: Target,
        port: int,
        protocol: ProxyProtocol,
        word: bytes,
        came: asyncio.Future[str],
    ) -> str | None:
        reader, writer = await asyncio.open_connection(str(target), port, limit=MAX_READ)
        try:
            granted = await _ASK[protocol](_Door(reader, writer, self.listener), word)
            return await came if granted else None
        finally:
            writer.close()
