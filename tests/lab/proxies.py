"""Proxies that really connect: for checks that ask whether a host carries a stranger's words.

``python -m tests.lab.proxies KIND ADDRESS PORT ...`` serves until it is killed. They live on the
machine with the real servers, and have no other way than through the laboratory.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from ipaddress import IPv4Address

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


async def relay(reader: asyncio.StreamReader, host: str, port: int, first: bytes = b"") -> None:
    """Carry what comes to somebody else, as proxies do."""
    _, there = await asyncio.open_connection(host, port)
    there.write(first)
    while data := await reader.read(1000):
        there.write(data)
    there.close()


async def http_proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve CONNECT."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    method, authority, _ = request.split("\r\n")[0].split()
    if method == "CONNECT":
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, _, port = authority.rpartition(":")
        await relay(reader, host, int(port))


async def mute_proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Relay a POST and never answer, as Tinyproxy does."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    method, address, _ = request.split("\r\n")[0].split()
    if method == "POST":
        host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
        await relay(reader, host, int(port), b"POST / HTTP/1.0\r\n\r\n")


async def socks_proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve SOCKS 4 and 5."""
    if await reader.readexactly(1) == b"\x04":
        head = await reader.readexactly(8)
        writer.write(b"\0\x5a" + bytes(6))
        port, address = head[1:3], head[3:7]
    else:
        await reader.readexactly(2)
        writer.write(b"\x05\x00")
        head = await reader.readexactly(10)
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        address, port = head[4:8], head[8:10]
    await relay(reader, str(IPv4Address(address)), int.from_bytes(port, "big"))


async def yes_sayer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say 200 to everything and take it."""
    while await reader.read(1000):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")


PROXIES: Mapping[str, Session] = {
    "http-proxy": http_proxy,
    "mute-proxy": mute_proxy,
    "socks-proxy": socks_proxy,
    "yes-sayer": yes_sayer,
}


async def _serve(places: Sequence[str]) -> None:
    async with asyncio.TaskGroup() as group:
        for kind, address, port in zip(places[::3], places[1::3], places[2::3], strict=True):
            server = await asyncio.start_server(PROXIES[kind], address, int(port))
            group.create_task(server.serve_forever())


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
