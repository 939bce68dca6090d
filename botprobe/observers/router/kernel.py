"""The kernel's side of the router: loads the ruleset, reads its sets, takes it away again.

What changes the ruleset goes through the nft program, in one transaction; sets are read over
netlink, which is ten times faster.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from botprobe.errors import ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.observers.router.netlink import Elements, read_set
from botprobe.observers.router.rules import (
    FAMILIES,
    TABLE,
    RouterRules,
    blocking,
    key_of,
    removal,
    ruleset,
)

_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What credit rests on, for the hosts that sent enough to be looked at."""

    sent: Mapping[IpAddress, int] = field(default_factory=dict)
    """Small packets to ports that take mail, beyond the first ``UNNOTICED``."""
    fetched: Mapping[IpAddress, int] = field(default_factory=dict)
    """Small packets to ports from which mail is fetched, of other hosts too."""
    one_way: Mapping[IpAddress, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What else the sets hold: needed to judge a suspect, and to show the table."""

    opened: Mapping[IpAddress, int] = field(default_factory=dict)
    """Connections to ports that take mail."""
    collected: Mapping[IpAddress, int] = field(default_factory=dict)
    servers: frozenset[IpAddress] = frozenset()
    targets: Counter[IpAddress] = field(default_factory=Counter)
    """How many addresses each sent to."""
    hosts: Mapping[IpAddress, set[IpAddress]] = field(default_factory=dict)
    """The addresses themselves; of IPv6 several may share a /64."""
    limits: Mapping[IpAddress, frozenset[int]] = field(default_factory=dict)
    """Hop limits with which its connections came."""


class Kernel:
    """The table ``inet botprobe`` of this network namespace."""

    def __init__(self, program: str = "nft") -> None:
        self._program = program

    async def load(self, rules: RouterRules) -> None:
        """Put the ruleset in place of an older one, in one step.

        Raises:
            ProbeUnavailable: nft is missing, refuses, or has no right to.
        """
        await self._run("-f", "-", text=ruleset(rules))

    async def remove(self) -> None:
        """Take the table away, whether it is there or not.

        Raises:
            ProbeUnavailable: as ``load``.
        """
        await self._run("-f", "-", text=removal())

    async def block(self, addresses: Iterable[IpAddress], seconds: int) -> None:
        """Block hosts for so many seconds; the kernel forgets them by itself.

        Raises:
            ProbeUnavailable: as ``load``.
        """
        if script := blocking(addresses, seconds):
            await self._run("-f", "-", text=script)

    async def counts(self) -> Counts:
        """Read what is counted of all hosts that sent enough to be looked at.

        Raises:
            ProbeUnavailable: the table is gone, or there is no right to read it.
        """
        return await asyncio.to_thread(_read_counts)

    async def details(self) -> Details:
        """Read what else is known of them.

        Raises:
            ProbeUnavailable: as ``counts``.
        """
        return await asyncio.to_thread(_read_details)

    async def _run(self, *arguments: str, text: str = "") -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise ProbeUnavailable("nft is not installed: apt-get install nftables") from error
        try:
            async with asyncio.timeout(_SECONDS):
                said, errors = await process.communicate(text.encode())
        except TimeoutError as error:
            raise ProbeUnavailable(f"nft did not answer within {_SECONDS:g} s") from error
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            first = errors.decode("utf-8", "replace").strip().partition("\n")[0]
            raise ProbeUnavailable(f"nft: {first or f'ended with {process.returncode}'}")
        return said.decode("utf-8", "replace")


def _read_counts() -> Counts:
    sent = _packets("heavy")
    # Most look on while nobody sends much: then nobody's mailbox matters either.
    return Counts(
        sent=sent, fetched=_packets("fetches") if sent else {}, one_way=_packets("oneway")
    )


def _read_details() -> Details:
    targets: Counter[IpAddress] = Counter()
    hosts: dict[IpAddress, set[IpAddress]] = {}
    for source, _ in _pairs("targets"):
        host = key_of(source)
        targets[host] += 1
        hosts.setdefault(host, set()).add(source)
    limits: dict[IpAddress, set[int]] = {}
    for source, limit in _pairs("hops"):
        limits.setdefault(key_of(source), set()).add(limit[0])
    return Details(
        opened=_packets("opened"),
        collected=_packets("collected"),
        servers=frozenset(_packets("servers")),
        targets=targets,
        hosts=hosts,
        limits={address: frozenset(found) for address, found in limits.items()},
    )


def _packets(name: str) -> dict[IpAddress, int]:
    """The packets of each host in a set of both families."""
    four, six = _elements(name)
    found: dict[IpAddress, int] = {IPv4Address(key): packets for key, packets in four.items()}
    found.update((IPv6Address(key), packets) for key, packets in six.items())
    return found


def _pairs(name: str) -> Iterator[tuple[IpAddress, bytes]]:
    """The keys of a set of both families whose elements begin with an address."""
    four, six = _elements(name)
    for key in four:
        yield IPv4Address(key[:4]), key[4:]
    for key in six:
        yield IPv6Address(key[:16]), key[16:]


def _elements(name: str) -> list[Elements]:
    table = TABLE.split()[1]
    return [read_set(table, f"{name}{family.version}") for family in FAMILIES]
