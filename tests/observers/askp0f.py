"""Asks a real p0f about a real connection: ``python -m tests.observers.askp0f FOLDER``, in the lab.

Prints the system that p0f names for our own kernel, and what it says of a host that it never saw.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from botprobe.errors import ProbeUnavailable
from botprobe.model.results import PassiveResult
from botprobe.model.target import Target
from botprobe.observers.p0f import P0fObserver
from tests.lab import namespace

US, NOBODY = Target(ip_address("127.0.0.1")), Target(ip_address("127.0.0.9"))
PATIENCE = 20


async def ask(observer: P0fObserver) -> None:
    """Connect to ourselves until p0f has seen it, then ask about two hosts."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), str(US))
    port = server.sockets[0].getsockname()[1]
    print((await _seen(observer, port)).system)
    try:
        await observer.run(NOBODY)
    except ProbeUnavailable as error:
        print(error)


async def _seen(observer: P0fObserver, port: int) -> PassiveResult:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            reader, writer = await asyncio.open_connection(str(US), port)
            await reader.read()
            writer.close()
            return await observer.run(US)
        except ProbeUnavailable:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.2)


def main(arguments: Sequence[str]) -> int:
    """Run p0f on the loopback of the laboratory, and ask it."""
    namespace.require_lab()
    socket = Path(arguments[0]) / "p0f.sock"
    with subprocess.Popen(
        ["p0f", "-i", "lo", "-s", str(socket)], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as p0f:
        try:
            asyncio.run(ask(P0fObserver(socket=socket)))
        finally:
            p0f.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
