"""Block list probe: what DNS block lists say of an address (RFC 5782), if the operator names any.

A list that expired or was sold lists everybody, one that blocks our resolver answers with a code
of its own, and both were taken for listings by many programs. So each list has to pass the test of
RFC 5782, section 5, before it is asked, and again every hour; a list that fails it is not measured.
What codes mean is said in the table of weights and by ``classify.listings``.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from dns.asyncresolver import Resolver
from dns.name import Name, from_text
from dns.rdatatype import RdataType
from dns.reversename import from_address

from botprobe.classify.listings import CODES, REFUSALS
from botprobe.errors import ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.model.results import DnsblAnswer, DnsblResult
from botprobe.model.target import Target
from botprobe.probes.base import NO_GAUGES, Gauges, Permission
from botprobe.probes.resolver import SYSTEM_RESOLVER, Nameservers, ask

# Spamhaus ZEN, which joins most lists, has given five.
MAX_CODES = 16
RETEST_SECONDS = 3600
# A test that got no answer says nothing about the list: a packet was lost, a resolver restarted.
RETRY_SECONDS = 30

# RFC 5782, section 5: by IP version what every list must list, and what none may.
TEST_POINTS: dict[int, tuple[IpAddress, IpAddress]] = {
    4: (IPv4Address("127.0.0.2"), IPv4Address("127.0.0.1")),
    6: (IPv6Address("::ffff:7f00:2"), IPv6Address("::ffff:7f00:1")),
}

# https://www.spamhaus.org/faqs/dnsbl-usage/; other lists follow.
_REFUSALS = {
    IPv4Address("127.255.255.252"): "no such list",
    IPv4Address("127.255.255.254"): "it does not answer public resolvers",
    IPv4Address("127.255.255.255"): "too many queries",
}


def read_answer(zone: str, records: Iterable[str]) -> DnsblAnswer:
    """Read the A records of a list's answer.

    A refusal is no listing, and an answer that no block list gives means that the zone is none
    any more.
    """
    codes = tuple(sorted(IPv4Address(record) for record in records))[:MAX_CODES]
    refusal = next((code for code in codes if code in REFUSALS), None)
    if refusal is not None:
        because = _REFUSALS.get(refusal, "query refused")
        return DnsblAnswer(zone=zone, failed=f"{because} ({refusal})")
    stranger = next((code for code in codes if code not in CODES), None)
    if stranger is not None:
        return DnsblAnswer(zone=zone, failed=f"{stranger} is no answer of a block list")
    return DnsblAnswer(zone=zone, codes=codes)


def query_name(address: IpAddress, zone: Name) -> Name:
    """Write the name that asks a list for an address (RFC 5782, sections 2.1 and 2.4)."""
    if address in TEST_POINTS[6]:
        # The DNS library would write an IPv4-mapped address as IPv4.
        nibbles = ".".join(reversed(f"{int(address):032x}"))
        return from_text(nibbles, origin=zone)
    return from_address(str(address), v4_origin=zone, v6_origin=zone)


@dataclass(slots=True)
class _Fitness:
    """What is known of one list for one IP version."""

    problem: str | None = None
    """Why it cannot be used."""
    until: float = 0
    """On the monotonic clock."""
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(kw_only=True)
class DnsblProbe:
    """Asks block lists about targets, and remembers which of them are fit for use."""

    permission: Permission
    zones: tuple[str, ...]
    nameservers: Nameservers = SYSTEM_RESOLVER
    retest_seconds: float = RETEST_SECONDS
    """From a test that was answered to the next one."""
    retry_seconds: float = RETRY_SECONDS
    """The same from a test that was not."""
    gauges: Gauges = NO_GAUGES

    def __post_init__(self) -> None:
        self._known: dict[tuple[str, int], _Fitness] = {}

    async def run(self, target: Target) -> DnsblResult:
        """Ask all lists at the same time.

        Raises:
            ProbeUnavailable: there is no resolver, or none of the lists can be used.
            RefusedByScope: nothing about the target may be asked.
        """
        self.permission.require(target.address)
        resolver = self.nameservers.resolver()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._ask(resolver, zone, target.address)) for zone in self.zones
            ]
        answers = tuple(task.result() for task in tasks)
        for answer in answers:
            if answer.failed is not None:
                self.gauges.list_failed(answer.zone, answer.failed)
        if all(answer.failed is not None for answer in answers):
            problems = "; ".join(f"{answer.zone}: {answer.failed}" for answer in answers)
            raise ProbeUnavailable(f"no block list can be used: {problems}")
        return DnsblResult(answers=answers)

    async def problems(self) -> Mapping[str, str | None]:
        """Test each list for IPv4, and say what is wrong with it, None if nothing is.

        Raises:
            ProbeUnavailable: there is no resolver.
        """
        resolver = self.nameservers.resolver()
        return {zone: await self._problem(resolver, zone, 4) for zone in self.zones}

    async def _ask(self, resolver: Resolver, zone: str, address: IpAddress) -> DnsblAnswer:
        problem = await self._problem(resolver, zone, address.version)
        if problem is not None:
            return DnsblAnswer(zone=zone, failed=problem)
        try:
            return await _look_up(resolver, zone, address)
        except ProbeUnavailable as error:
            return DnsblAnswer(zone=zone, failed=str(error))

    async def _problem(self, resolver: Resolver, zone: str, version: int) -> str | None:
        """Test a list unless the last test still holds; one test at a time."""
        fitness = self._known.setdefault((zone, version), _Fitness())
        async with fitness.busy:
            if time.monotonic() >= fitness.until:
                try:
                    problem, holds = await _test(resolver, zone, version), self.retest_seconds
                except ProbeUnavailable as error:
                    problem, holds = str(error), self.retry_seconds
                fitness.problem, fitness.until = problem, time.monotonic() + holds
            return fitness.problem


async def _test(resolver: Resolver, zone: str, version: int) -> str | None:
    """Say why a list is not fit for use, None if it is.

    Raises:
        ProbeUnavailable: its name servers, or our resolver, did not answer.
    """
    listed, clean = TEST_POINTS[version]
    for address in (listed, clean):
        answer = await _look_up(resolver, zone, address)
        if answer.failed is not None:
            return answer.failed
        if address == listed and not answer.codes:
            return f"it does not list its test point {listed}"
        if address == clean and answer.codes:
            return f"it lists {clean}, so it may list everybody"
    return None


async def _look_up(resolver: Resolver, zone: str, address: IpAddress) -> DnsblAnswer:
    records = await ask(resolver, query_name(address, from_text(zone)), RdataType.A)
    return read_answer(zone, (record.address for record in records))
