"""The kernel's side of the router: loads the ruleset, reads its sets, takes it away again.

Rules and blocks go through the nft program, each in one transaction. Sets are read by netlink.
"""

import asyncio
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import chain
from typing import TypeVar

from botprobe.errors import ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.observers.router.netlink import Elements, read_set
from botprobe.observers.router.rules import (
    FAMILIES,
    MOST_HOSTS,
    TABLE,
    Family,
    RouterRules,
    blocking,
    removal,
    ruleset,
)

_SECONDS = 30.0
# A set counts as full a little earlier: elements that have expired still take room for a while.
_FULL = MOST_HOSTS * 95 // 100

Value_co = TypeVar("Value_co", covariant=True)


class ByAddress(Mapping[IpAddress, Value_co]):
    """What sets hold, still by the kernel's keys: few of a hundred thousand are ever asked for."""

    def __init__(self, packed: Mapping[bytes, Value_co]) -> None:
        self._packed = packed

    def __getitem__(self, address: IpAddress) -> Value_co:
        return self._packed[address.packed]

    def __iter__(self) -> Iterator[IpAddress]:
        return map(ip_address, self._packed)

    def __len__(self) -> int:
        return len(self._packed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What changed since it was last read, of the hosts that sent."""

    counted: Mapping[IpAddress, tuple[int, int]] = field(default_factory=dict)
    """Small packets to ports that take mail, and to mailboxes."""
    gone: frozenset[IpAddress] = frozenset()
    """Hosts that the kernel has forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """All else that is known of these hosts, and of those without an answer."""

    one_way: Mapping[IpAddress, int] = field(default_factory=dict)
    """Small packets to which no answer was seen; with sampling, all that were sent."""
    opened: Mapping[IpAddress, int] = field(default_factory=dict)
    """Connections to ports that take mail."""
    collected: Mapping[IpAddress, int] = field(default_factory=dict)
    servers: Container[IpAddress] = ()
    targets: Mapping[IpAddress, int] = field(default_factory=dict)
    """How many addresses each sent to."""
    faces: Mapping[IpAddress, set[IpAddress]] = field(default_factory=dict)
    """The addresses that opened connections, of an IPv6 network."""
    limits: Mapping[IpAddress, frozenset[int]] = field(default_factory=dict)
    """Hop limits with which its connections came."""
    full: frozenset[int] = frozenset()
    """IP versions of which some hosts had no room in what excuses them."""


@dataclass(slots=True)
class _Set:
    """A set of both families as it was last read.

    An element that expires while the kernel tells of the others may hide one of them, so an element
    is taken for gone only when two readings lack it: else a mail server could be forgotten.
    """

    name: str
    after_host: int = 0
    """Octets of a key that follow those of the host."""
    families: tuple[Family, ...] = FAMILIES
    elements: Elements = field(default_factory=dict)
    full: frozenset[int] = frozenset()
    """IP versions of which there was no room for more."""
    _missed: frozenset[bytes] = frozenset()

    def read(self, living: Container[bytes] = ()) -> Elements:
        """Read it again; what it held of a host that still lives is kept, expired or not."""
        table, found, sizes = TABLE.split()[1], Elements(), dict[int, int]()
        for family in self.families:
            read = read_set(table, f"{self.name}{family.version}")
            sizes[family.version] = len(read)
            found |= read if family.version == 4 else _whole(read, self.after_host)
        self.full = frozenset(version for version, size in sizes.items() if size >= _FULL)
        lacking = [key for key in self.elements if key not in found]
        once = frozenset(key for key in lacking if key not in self._missed)
        kept = [key for key in lacking if key[: len(key) - self.after_host] in living]
        found |= {key: self.elements[key] for key in (*once, *kept)}
        self.elements, self._missed = found, once
        return found


class Kernel:
    """The table ``inet botprobe`` of this network namespace."""

    def __init__(self, program: str = "nft") -> None:
        self._program = program
        self._unread: set[bytes] = set()
        """Who sent, or was forgotten, since the traffic was read."""
        self._sent, self._fetched = _Set("sent"), _Set("fetched")
        self._one_way, self._servers = _Set("oneway"), _Set("servers")
        self._opened, self._collected, self._hops = (
            _Set(name, after_host=4) for name in ("opened", "collected", "hops")
        )
        self._targets = _Set("targets")
        self._faces = _Set("faces", families=FAMILIES[1:])

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

    async def sent(self) -> Mapping[IpAddress, int]:
        """Read which hosts have sent since the last look, and how much they sent in all.

        Raises:
            ProbeUnavailable: the table is gone, or there is no right to read it.
        """
        return await asyncio.to_thread(self._read_sent)

    async def traffic(self) -> Traffic:
        """Read also what hosts have fetched.

        Raises:
            ProbeUnavailable: as ``sent``.
        """
        return await asyncio.to_thread(self._read_traffic)

    async def details(self) -> Details:
        """Read all else that is known of these hosts.

        Raises:
            ProbeUnavailable: as ``sent``.
        """
        return await asyncio.to_thread(self._read_details)

    def _read_sent(self) -> Mapping[IpAddress, int]:
        before, now = self._sent.elements, self._sent.read()
        changed = {key: packets for key, packets in now.items() if before.get(key) != packets}
        self._unread.update(changed)
        self._unread.update(key for key in before if key not in now)
        return {ip_address(key): packets for key, packets in changed.items()}

    def _read_traffic(self) -> Traffic:
        sent, before, fetched = self._sent.elements, self._fetched.elements, self._fetched.read()
        changed = self._unread | {key for key, one in fetched.items() if before.get(key) != one}
        self._unread = set()
        return Traffic(
            counted={
                ip_address(key): (sent[key], fetched.get(key, 0)) for key in changed if key in sent
            },
            gone=frozenset(ip_address(key) for key in changed if key not in sent),
        )

    def _read_details(self) -> Details:
        targets, living = self._targets.read(), self._sent.elements
        servers, excuses = self._servers.read(living), (self._opened, self._collected, self._hops)
        opened, collected, hops = (one.read(living) for one in excuses)
        full = [one.full for one in (self._fetched, self._servers, *excuses)]
        return Details(
            one_way=ByAddress(self._one_way.read()),
            opened=ByAddress(_sums(opened)),
            collected=ByAddress(_sums(collected)),
            servers=ByAddress(servers),
            targets=ByAddress(Counter(_host(key[: len(key) // 2]) for key in targets)),
            faces=_faces(self._faces.read()),
            limits=ByAddress(_hop_limits(chain(opened, collected, hops))),
            full=frozenset().union(*full),
        )

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


def _whole(elements: Elements, after_host: int) -> Elements:
    """Write networks, as some sets of IPv6 hold them, as their first addresses."""
    return {
        key[:8] + bytes(8) + key[8:] if len(key) == 8 + after_host else key: one
        for key, one in elements.items()
    }


def _host(key: bytes) -> bytes:
    """Return what the sets know a host by: of IPv6 the first address of its /64."""
    return key if len(key) == 4 else key[:8] + bytes(8)


def _faces(sources: Iterable[bytes]) -> dict[IpAddress, set[IpAddress]]:
    """Take who opened connections, and not who was answered: that can be forged from outside."""
    faces: dict[IpAddress, set[IpAddress]] = {}
    for source in sources:
        faces.setdefault(ip_address(_host(source)), set()).add(ip_address(source))
    return faces


def _sums(elements: Elements) -> dict[bytes, int]:
    """Add up what is counted of a host with each hop limit."""
    sums: dict[bytes, int] = {}
    for key, packets in elements.items():
        sums[key[:-4]] = sums.get(key[:-4], 0) + packets
    return sums


def _hop_limits(keys: Iterable[bytes]) -> dict[bytes, frozenset[int]]:
    """Take keys of a host and, in an own four octets, a hop limit."""
    limits: dict[bytes, frozenset[int]] = {}
    # Hosts have few different ones, so they share them.
    shared = dict[frozenset[int], frozenset[int]]()
    for key in keys:
        host = key[:-4]
        found = limits.get(host, frozenset()) | {key[-4]}
        limits[host] = shared.setdefault(found, found)
    return limits
