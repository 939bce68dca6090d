"""How well the laboratory plays its parts: real nmap has to recognise the systems it is shown.

Runs inside of the laboratory, against the hosts that ``draw`` gives for the same seed.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from xml.etree import ElementTree as ET

from tests.lab import namespace, osdb, population
from tests.lab.osdb import OsDatabase
from tests.lab.population import Host

HOSTS_PER_PROCESS = 20
"""Above this, nmap's OS engine loses its timing when the processor is shared."""

NAMED, RIGHT_FAMILY = 0.97, 0.99
"""Shares that the laboratory has to reach."""

_PROCESSES = 3
_PORTS = "21,22,25,80,110,113,135,139,143,443,445,3389,5900"
_NMAP = (
    *("nmap", "-n", "-Pn", "-O", "--min-parallelism", "64", "--max-os-tries", "2"),
    *("--max-retries", "2", "-p", _PORTS, "-oX", "-"),
)


@dataclass(frozen=True, slots=True)
class Recognition:
    """What nmap made of one host."""

    host: Host
    best: tuple[str, ...]
    """The names that share the best accuracy."""
    families: frozenset[str]
    """The OS families of those."""
    accuracy: int
    """Percent."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What nmap made of all hosts."""

    recognitions: tuple[Recognition, ...]
    database: OsDatabase

    @property
    def named(self) -> float:
        """Share of hosts whose own entry is among nmap's best."""
        return self._share(r.host.persona[0] in r.best for r in self.recognitions)

    @property
    def right_family(self) -> float:
        """Share of hosts whose own family is among those of nmap's best."""
        return self._share(bool(self._families(r.host) & r.families) for r in self.recognitions)

    @property
    def perfect(self) -> float:
        """Share of hosts that nmap is completely sure of."""
        return self._share(r.accuracy == 100 for r in self.recognitions)

    @property
    def mistaken(self) -> tuple[Recognition, ...]:
        """The hosts whose own entry is not among nmap's best."""
        return tuple(r for r in self.recognitions if r.host.persona[0] not in r.best)

    def _families(self, host: Host) -> set[str]:
        entry = self.database.entry(host.persona[0])
        return {one.family for one in entry.classes} if entry else set()

    def _share(self, hits: Iterable[bool]) -> float:
        return sum(hits) / max(1, len(self.recognitions))


async def measure(hosts: Sequence[Host], database: OsDatabase) -> Accuracy:
    """Run nmap on the hosts, a few processes at a time."""
    namespace.require_lab()
    turns = asyncio.Semaphore(_PROCESSES)
    chunks = [
        hosts[start : start + HOSTS_PER_PROCESS]
        for start in range(0, len(hosts), HOSTS_PER_PROCESS)
    ]
    results = await asyncio.gather(*(_scan(chunk, turns) for chunk in chunks))
    return Accuracy(tuple(one for result in results for one in result), database)


async def _scan(hosts: Sequence[Host], turns: asyncio.Semaphore) -> list[Recognition]:
    addresses = [str(host.addresses[0]) for host in hosts]
    async with turns:
        process = await asyncio.create_subprocess_exec(
            *_NMAP,
            *addresses,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # doubts about RSTs that some entries do send
        )
        output, _ = await process.communicate()
    found = {}
    for element in ET.fromstring(output).iter("host"):  # noqa: S314  written by our own nmap
        address = element.find("address")
        if address is not None:
            found[ip_address(address.get("addr", ""))] = element
    return [_recognition(host, found.get(host.addresses[0])) for host in hosts]


def _recognition(host: Host, element: ET.Element | None) -> Recognition:
    matches = [] if element is None else list(element.iter("osmatch"))
    accuracy = max((int(match.get("accuracy", "0")) for match in matches), default=0)
    best = [match for match in matches if match.get("accuracy") == str(accuracy)]
    return Recognition(
        host,
        tuple(match.get("name", "") for match in best),
        frozenset(one.get("osfamily", "") for match in best for one in match.iter("osclass")),
        accuracy,
    )


def main(arguments: Sequence[str]) -> int:
    """Print the figures for one seed; the exit code is 1 where the targets are missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.osaccuracy", description=__doc__)
    parser.add_argument("--random", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, required=True, metavar="S")
    parser.add_argument("--rough", action="store_true")
    options = parser.parse_args(arguments)
    database = osdb.load()
    hosts = population.draw(options.random, database.names, options.seed, rough=options.rough)
    accuracy = asyncio.run(measure(hosts, database))
    print(
        f"seed {options.seed}: {len(hosts)} hosts,"
        f" own entry among nmap's best {accuracy.named:.1%}, right family"
        f" {accuracy.right_family:.1%}, accuracy 100 for {accuracy.perfect:.1%}"
    )
    for one in accuracy.mistaken:
        best = ", ".join(one.best[:2]) or "nothing"
        print(f"    {one.host.persona[0]}: nmap says {best} ({one.accuracy} %)", file=sys.stderr)
    return 0 if accuracy.named >= NAMED and accuracy.right_family >= RIGHT_FAMILY else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
