"""Scripted hosts on loopback, and safety rules that say what a test wants."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from botprobe.errors import RefusedByScope
from botprobe.model.mail import IpAddress
from botprobe.model.target import Target
from tests.probes.nameserver import NameServer

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
Serve = Callable[[Session], Coroutine[None, None, int]]


@dataclass(frozen=True, slots=True)
class FakePermission:
    """Allows all addresses but the refused ones, and remembers what was asked."""

    refused: frozenset[IpAddress] = frozenset()
    asked: list[IpAddress] = field(default_factory=list)

    def require(self, address: IpAddress) -> None:
        """Refuse what is on the list."""
        self.asked.append(address)
        if address in self.refused:
            raise RefusedByScope(f"{address} is refused")


@pytest.fixture
def localhost() -> Target:
    """The loopback address as a target."""
    return Target(ip_address("127.0.0.1"))


@pytest.fixture
def permission() -> FakePermission:
    """Safety rules that allow everything."""
    return FakePermission()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start TCP servers on loopback; each takes a session function and gives its port."""
    async with AsyncExitStack() as stack:

        async def start(session: Session) -> int:
            async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    await session(reader, writer)
                    await writer.drain()
                except ConnectionError:
                    pass
                finally:
                    writer.close()

            server = await asyncio.start_server(run, "127.0.0.1", 0)
            stack.push_async_callback(server.wait_closed)
            stack.callback(server.close)
            port: int = server.sockets[0].getsockname()[1]
            return port

        yield start


@pytest.fixture
def unused_port() -> int:
    """A port of loopback at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    """A name server on loopback that knows nothing yet."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    yield server
    transport.close()
