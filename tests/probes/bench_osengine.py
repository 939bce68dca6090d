"""The OS engine under load, beside one nmap per host: ``scripts/bench-osengine``.

Started outside of the laboratory, it writes a population and starts itself inside. Processor time
counts nmap and the Python that drives it; the laboratory's own time does not enter.
"""

import argparse
import asyncio
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from botprobe.model.mail import IpAddress
from botprobe.model.results import OsResult
from botprobe.probes.osdetect import PORTS, OsEngine
from botprobe.probes.osdetect_nmap import nmap_version, run_nmap
from tests.lab import namespace, osdb, population
from tests.lab.population import Host, PopulationError, PortState

MIXED = 1000
OPEN_SHARE = 0.1
"""Of the mixed population: most lines that send spam show no open port."""
PEER_HOSTS = 64
"""Enough for the rate of the peer, which does not depend on their number."""
LONE_HOSTS = 9
LONE = ("alone", "firewalled", "closed", "dead")
CROWDS = ("responsive", "mixed")
HIDING = ((PortState.CLOSED, True), (PortState.FILTERED, True), (PortState.FILTERED, False))
"""Ways to have no open port: refuse everything, answer to ping alone, be gone."""

Results = Mapping[IpAddress, OsResult]
Method = Callable[[str, int, Sequence[IpAddress]], Awaitable[Results]]


class Anything:
    """Allows all addresses: there are none but the laboratory's."""

    def require(self, address: IpAddress) -> None:
        """Allow it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to measure some hosts."""

    hosts: int
    wall: float
    """Seconds."""
    cpu: float
    """Seconds of processor time, nmap's included."""
    own: float
    """The part of it that is Python's."""

    def __str__(self) -> str:
        return (
            f"{self.hosts / self.cpu:6.1f} hosts per CPU-second, {self.hosts / self.wall:6.1f} per"
            f" second ({self.hosts} hosts, {self.cpu:.1f} CPU-s, {self.own / self.cpu:.0%} of them"
            f" Python's, {self.wall:.1f} s)"
        )


def draw(seed: int, responsive: int) -> dict[str, list[Host]]:
    """Draw the hosts of each part of the benchmark, all with stacks of nmap's database."""
    chance = random.Random(seed)
    count = responsive + MIXED + len(LONE) * LONE_HOSTS
    hosts = iter(population.draw(count, osdb.load().names, seed))
    parts = {kind: list(islice(hosts, LONE_HOSTS)) for kind in LONE}
    shown = list(islice(hosts, int(MIXED * OPEN_SHARE)))
    hidden = [_hidden(host, chance.choice(HIDING)) for host in islice(hosts, MIXED - len(shown))]
    return {
        "alone": parts["alone"],
        "firewalled": [replace(host, default=PortState.FILTERED) for host in parts["firewalled"]],
        "closed": [_hidden(host, HIDING[0]) for host in parts["closed"]],
        "dead": [_hidden(host, HIDING[-1]) for host in parts["dead"]],
        "responsive": list(hosts),
        "mixed": chance.sample(shown + hidden, MIXED),
    }


def _hidden(host: Host, how: tuple[PortState, bool]) -> Host:
    """Take the host's open ports away."""
    default, ping = how
    return replace(host, open=frozenset(), default=default, ping=ping)


def as_toml(hosts: Sequence[Host]) -> str:
    """Write a population file; strings, lists, numbers and truth are the same in JSON and TOML."""
    tables = []
    for host in hosts:
        fields = {
            "name": host.name,
            "address": str(host.addresses[0]),
            "persona": host.persona,
            "ping": host.ping,
            "open": sorted(host.open),
            "default": str(host.default),
            "hops": host.hops,
        }
        lines = (f"{name} = {json.dumps(value)}" for name, value in fields.items())
        tables.append("\n".join(("[[host]]", *lines)))
    return "\n\n".join(tables)


async def with_engine(program: str, processes: int, addresses: Sequence[IpAddress]) -> Results:
    """Let the engine measure all hosts at once."""
    async with OsEngine(permission=Anything(), program=program, os_scans=processes) as engine:
        results = await asyncio.gather(*map(engine.detect, addresses))
    return dict(zip(addresses, results, strict=True))


async def one_nmap_each(program: str, processes: int, addresses: Sequence[IpAddress]) -> Results:
    """Do it as usual, with the same ports and tries and as many processes at a time."""
    results: dict[IpAddress, OsResult] = {}
    turns = asyncio.Semaphore(processes)
    usual = ("--privileged", "-n", "-Pn", "-O", "--max-os-tries", "2", "--max-retries", "1")
    ports = ",".join(map(str, PORTS))

    async def scan(address: IpAddress) -> None:
        arguments = (*usual, "-p", ports, "-oX", "-", str(address))
        async with turns:
            await run_nmap(program, arguments, results.__setitem__, seconds=300)

    await asyncio.gather(*map(scan, addresses))
    return results


METHODS: Mapping[str, Method] = {"engine": with_engine, "one nmap each": one_nmap_each}


async def costs(
    method: Method, program: str, processes: int, hosts: Sequence[Host]
) -> tuple[Cost, Results]:
    """Measure hosts by a method, and say what it took."""
    clock = time.monotonic()
    own, nmaps = _cpu_seconds(resource.RUSAGE_SELF), _cpu_seconds(resource.RUSAGE_CHILDREN)
    results = await method(program, processes, [host.addresses[0] for host in hosts])
    wall = time.monotonic() - clock
    own = _cpu_seconds(resource.RUSAGE_SELF) - own
    nmaps = _cpu_seconds(resource.RUSAGE_CHILDREN) - nmaps
    return Cost(len(hosts), wall, own + nmaps, own), results


def _cpu_seconds(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def recognised(hosts: Sequence[Host], results: Results) -> str:
    """Say how many hosts have their own entry among the best matches, and how many perfectly."""
    own = perfect = 0
    for host in hosts:
        matches = results[host.addresses[0]].matches if host.addresses[0] in results else ()
        best = max((match.accuracy for match in matches), default=0)
        own += host.persona[0] in {match.name for match in matches if match.accuracy == best}
        perfect += best == 100
    return f"own entry among the best {own / len(hosts):.1%}, perfect {perfect / len(hosts):.1%}"


async def crowd(program: str, processes: int, kind: str, hosts: Sequence[Host]) -> None:
    """Print what a crowd of hosts costs, all at once."""
    for name, method in METHODS.items():
        share = hosts if method is with_engine else hosts[:PEER_HOSTS]
        cost, results = await costs(method, program, processes, share)
        print(f"{kind:10} {name:14} {cost}")
        open_hosts = [host for host in share if host.open]
        found = sum(bool(results[host.addresses[0]].open_ports) for host in open_hosts)
        print(
            f"{'':25} {found} of {len(open_hosts)} hosts with an open port found;"
            f" of these {recognised(open_hosts, results)}"
        )


async def lone(program: str, kind: str, hosts: Sequence[Host]) -> None:
    """Print how long a host that comes alone takes by the clock; the methods take turns."""
    walls: dict[str, list[float]] = {name: [] for name in METHODS}
    for host in hosts:
        for name, method in METHODS.items():
            cost, _ = await costs(method, program, 1, [host])
            walls[name].append(cost.wall)
    for name, seconds in walls.items():
        each = ", ".join(f"{wall:.2f}" for wall in seconds)
        print(f"{kind:10} {name:14} {statistics.median(seconds):6.2f} s median ({each})")


async def inside(options: argparse.Namespace) -> None:
    """Run all parts, against the hosts that the same seed gave outside."""
    namespace.require_lab()
    version = ".".join(map(str, await nmap_version(options.nmap)))
    print(f"nmap {version}, seed {options.seed}, {options.processes} OS scans at once")
    hosts = draw(options.seed, options.hosts)
    for kind in LONE:
        await lone(options.nmap, kind, hosts[kind])
    for kind in CROWDS:
        await crowd(options.nmap, options.processes, kind, hosts[kind])


def outside(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Start the laboratory with the population, and the benchmark in it."""
    hosts = [host for part in draw(options.seed, options.hosts).values() for host in part]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "population.toml"
        file.write_text(as_toml(hosts), "utf-8")
        again = [sys.executable, "-m", "tests.probes.bench_osengine", "--inside", *arguments]
        lab = [sys.executable, "-m", "tests.lab", "run", "--no-dns", "--population", str(file)]
        return subprocess.run([*lab, "--", *again], check=False).returncode


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/bench-osengine", description=__doc__)
    parser.add_argument("--hosts", type=int, default=400, help="responsive ones (default 400)")
    parser.add_argument("--processes", type=int, default=8, help="OS scans at once (default 8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nmap", default="nmap", metavar="PROGRAM", help="with NMAPDIR its data")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        if not options.inside:
            return outside(options, arguments)
        asyncio.run(inside(options))
    except (namespace.LabError, PopulationError, OSError) as error:
        print(f"bench-osengine: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
