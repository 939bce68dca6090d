"""A proxy behind TLS: CONNECT, and then both ways.

``python -m tests.lab.tlsfront ADDRESS PORT CERTIFICATE KEY``. A process of its own, as proxies are:
how soon it hands on must not depend on how much its clients and their victims have to do.
"""

import asyncio
import ssl
import sys
from contextlib import suppress


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()


async def main(address: str, port: str, certificate: str, key: str) -> None:
    """Serve until the end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            host, _, number = head.split()[1].decode().rpartition(":")
            there = await asyncio.open_connection(host, int(number), local_addr=(address, 0))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, address, int(port), ssl=context, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
