"""The open-proxy check on real proxies and on liars, and how many checks a second it makes.

``python -m tests.lab.proxychecks FOLDER`` runs as the first process of a private namespace with
loopback only, and prints one JSON document.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from botprobe.model.results import ProxyProtocol, ProxyResult
from botprobe.model.target import Target
from botprobe.probes.proxy import WAYS, Listener, ProxyProbe
from tests.lab.namespace import LabError, Namespace
from tests.lab.proxies import yes_sayer
from tests.lab.proxyabuse import DANTE, MICROSOCKS, SQUID, TINYPROXY, start_proxies

OURS = "198.18.60.1"
LIARS = {"yes": "198.18.70.1", "echo": "198.18.70.2", "tarpit": "198.18.70.3"}
# Hosts of which nearly all ports are closed, as a list of suspects is.
CROWD = tuple(f"198.18.80.{n}" for n in range(1, 201))
PORTS = (1080, 3128, 8888)
SECONDS = 3.0
AT_ONCE = 64


class Anybody:
    """Allows the laboratory, which is all there is."""

    def require(self, address: object) -> None:
        """Allow."""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say back what comes."""
    with suppress(OSError, asyncio.CancelledError):
        while data := await reader.read(1000):
            writer.write(data)


async def tarpit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything and say a byte now and then."""
    with suppress(OSError, asyncio.CancelledError):
        for _ in range(20):
            writer.write(b" ")
            await asyncio.sleep(0.5)
        await reader.read(1)


def probe(listener: Listener, ways: tuple[tuple[int, ProxyProtocol], ...]) -> ProxyProbe:
    """Return the product's probe."""
    return ProxyProbe(permission=Anybody(), listener=listener, ways=ways, seconds=SECONDS)


async def check(listener: Listener) -> dict[str, list[str]]:
    """Ask proxies and liars in every way at every port."""
    asked = probe(listener, tuple((port, way) for port in PORTS for way in ProxyProtocol))
    hosts = {"squid": SQUID, "tinyproxy": TINYPROXY, "dante": DANTE, "microsocks": MICROSOCKS}
    found = {}
    for name, host in (hosts | LIARS).items():
        result = await asked.run(Target(ip_address(host)))
        found[name] = sorted(f"{door.port} {door.protocol}" for door in result.open)
    return found


async def rate(listener: Listener, hosts: Iterable[str], asked: ProxyProbe) -> tuple[float, int]:
    """Ask many hosts at the same time; return checks per second and how many were open."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(host: str) -> ProxyResult:
        async with free:
            return await asked.run(Target(ip_address(host)))

    started = time.perf_counter()
    results = await asyncio.gather(*map(one, hosts))
    seconds = time.perf_counter() - started
    checks = sum(len(result.tried) for result in results)
    return checks / seconds, sum(len(result.open) for result in results)


async def live() -> dict[str, object]:
    """Serve the liars, ask everybody, measure."""
    for name, session in (("yes", yes_sayer), ("echo", echo), ("tarpit", tarpit)):
        for port in PORTS:
            await asyncio.start_server(session, LIARS[name], port)
    async with Listener(ip_address(OURS), 8025) as listener:
        found = await check(listener)
        crowd, _ = await rate(listener, CROWD, probe(listener, WAYS))
        socks = probe(listener, ((1080, ProxyProtocol.SOCKS5),))
        relayed, opened = await rate(listener, [MICROSOCKS] * 1000, socks)
    return {
        "open": found,
        "checks_per_second": {"closed ports": round(crowd), "open proxy": round(relayed)},
        "opened": opened,
    }


def main(folder: Path) -> None:
    """Build and ask."""
    if os.getpid() != 1:
        raise LabError("not the first process of a private namespace")
    hosts = (SQUID, TINYPROXY, DANTE, MICROSOCKS, OURS, *LIARS.values(), *CROWD)
    Namespace().ip("link set lo up", *(f"address add {one}/32 dev lo" for one in hosts))
    folder.chmod(0o777)
    (folder / "hosts").write_text("127.0.0.1 localhost\n")
    started = start_proxies(folder)
    try:
        print(json.dumps(asyncio.run(live())))
    finally:
        for one in started:
            one.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
