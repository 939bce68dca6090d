"""From hops to targets, from a target to its case: what is asked, of whom, and in which order."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from botprobe.classify.elsewhere import seen_elsewhere
from botprobe.contract.observation import traffic_outcome
from botprobe.model.audit import Grant
from botprobe.model.facts import NOT_ASKED, Facts
from botprobe.model.mail import Hop, IpAddress, Mail, Trust
from botprobe.model.outcome import Measured, Outcome
from botprobe.model.results import (
    DnsblResult,
    DnsResult,
    ElsewhereResult,
    NetworkResult,
    OsResult,
    PassiveResult,
    PingResult,
    ProxyResult,
    SmtpResult,
    WindowsResult,
)
from botprobe.model.target import Sighting, Target
from botprobe.model.verdict import Case, Label, Verdict
from botprobe.probes.base import Probe, measure
from botprobe.scope.addresses import unmapped
from botprobe.scope.budget import Budget, surrounding
from botprobe.scope.origins import OriginOf, Rules, nobody_knows
from botprobe.store.base import CaseStore, Dossier, Ledger

R = TypeVar("R")
S = TypeVar("S")


class Judge(Protocol):
    """Says what a host is by what was seen of it."""

    def __call__(self, facts: Facts, target: Target, lag_seconds: float | None, /) -> Verdict:
        """Judge a host that was asked, so many seconds after the delivery."""
        ...

    def not_probed(self, reason: str) -> Verdict:
        """Judge a host that was not."""
        ...


FollowUp = Callable[[R], Probe[S] | None]
"""Makes the probe that the result of another one calls for, if it calls for any."""

# The trust of hops that each choice of `scope.hops` probes, most trusted first.
HOPS_CHOICES: dict[str, tuple[Trust, ...]] = {
    "boundary": (Trust.BOUNDARY,),
    # Anybody can write X-Originating-IP: it is asked only where it is the boundary itself, that
    # is, where a trusted host added it.
    "all": (Trust.BOUNDARY, Trust.CLAIMED),
    "all,forged": (Trust.BOUNDARY, Trust.CLAIMED, Trust.SYNTHETIC, Trust.FORGED),
}


# Of those that caused an investigation, how many the audit log names.
MAILS = 5

# Seconds by which the clocks of mail server and prober may differ.
CLOCK_SKEW = 3600


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address that mails named, and why it is not asked, if so."""

    target: Target
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """The questions of this version, each under the name of its field of Facts; None is not asked.

    The other fields of Facts are not asked for: ``traffic`` and ``elsewhere`` were seen by others.
    """

    ping: Probe[PingResult]
    os: Probe[OsResult]
    smtp: Probe[SmtpResult]
    dns: Probe[DnsResult]
    windows: FollowUp[OsResult, WindowsResult]
    dnsbl: Probe[DnsblResult] | None = None
    proxy: Probe[ProxyResult] | None = None
    passive: Probe[PassiveResult] | None = None
    network: Probe[NetworkResult] | None = None


class Watcher(Protocol):
    """Someone who looks on while targets are investigated."""

    def started(self, target: Target) -> None:
        """Tell that the first packet to a target is due."""
        ...

    def measured(self, target: Target, probe: str, outcome: Outcome[Any]) -> None:
        """Tell that one probe has ended."""
        ...

    def finished(self, case: Case) -> None:
        """Tell that a verdict was reached, or a target refused."""
        ...


def candidates(mails: Iterable[Mail], choice: str, max_per_mail: int) -> tuple[Candidate, ...]:
    """Collect the addresses of all mails, each once, with every hop that named it.

    Args:
        mails: the mails, in any order.
        choice: a key of HOPS_CHOICES.
        max_per_mail: how many addresses one mail may cause to be probed.

    Returns:
        The addresses in the order of their first mention; one that any mail may have probed
        is not refused.
    """
    sightings: dict[IpAddress, list[Sighting]] = {}
    refusals: dict[IpAddress, str | None] = {}
    for mail in mails:
        for address, hop, refused in _ranked(mail, HOPS_CHOICES[choice], max_per_mail):
            sightings.setdefault(address, []).append(_sighting(mail, hop))
            # One mail's permission is enough.
            refusals[address] = refused and refusals.get(address, refused)
    return tuple(
        Candidate(Target(address, tuple(seen)), refusals[address])
        for address, seen in sightings.items()
    )


def _ranked(
    mail: Mail, asked: Sequence[Trust], max_per_mail: int
) -> Iterator[tuple[IpAddress, Hop, str | None]]:
    """Yield the outside hops of a mail, most trusted first, each with why it is not probed."""
    order = HOPS_CHOICES["all,forged"]
    outside = [
        (hop.ip, hop, trust)
        for hop in mail.hops
        if hop.ip is not None and (trust := _trust(mail, hop)) in order
    ]
    outside.sort(key=lambda item: order.index(item[2]))
    taken: set[IpAddress] = set()
    for ip, hop, trust in outside:
        address, refused = unmapped(ip), None
        if trust not in asked:
            refused = f"the hop is {trust}"
        elif address not in taken and len(taken) >= max_per_mail:
            refused = f"the mail already caused {max_per_mail} probes"
        else:
            taken.add(address)
        yield address, hop, refused


def _trust(mail: Mail, hop: Hop) -> Trust:
    """Return the trust of a hop; one without is nobody's, and so treated as our own."""
    return mail.trust_of(hop) or Trust.OWN


def _sighting(mail: Mail, hop: Hop) -> Sighting:
    return Sighting(
        file=mail.file,
        message_id=mail.message_id,
        sender=mail.sender,
        recipients=mail.recipients,
        hop=hop.index,
        trust=_trust(mail, hop),
        helo=hop.helo,
        auth=hop.auth,
        at=hop.at,
        delivered_at=mail.delivered_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the audit log tells of whoever probes."""

    owner: str
    """Host and process."""
    asked: tuple[str, ...] = ()
    """Every question that may be asked, with protocol and ports."""
    source_of: Callable[[IpAddress], str | None] = lambda _: None
    """Gives the address that packets to a target leave from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Investigates targets with the parts that wiring chose."""

    probes: Probes
    scope: Rules
    budget: Budget
    store: CaseStore
    dossier: Dossier
    """What the observers know of the hosts."""
    judge: Judge
    watcher: Watcher
    ledger: Ledger
    """Grants investigations for all processes that share the store."""
    account: Account
    origin_of: OriginOf = nobody_knows
    fresh: bool = False
    """Probe again whoever is still in the cool-down: an operator asked for it by name."""
    vantage: str | None = None
    """The place that it looks from, where there are several."""
    claimed: bool = False
    """The host table holds the addresses for us."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def investigate(self, candidate: Candidate) -> Case:
        """Probe and judge one candidate, or say why it is not probed."""
        target = candidate.target
        try:
            refused = candidate.refused or await self._out_of_scope(target.address)
            if refused is None:
                refused = await self._spend(target)
            if refused is None:
                case = await self._probe(target)
            else:
                case = await self._refused(target, refused)
        finally:
            self.scope.forget(target.address)
        self.watcher.finished(case)
        return case

    async def left(self) -> int:
        """Return how many investigations the budgets still allow to whoever shares the store."""
        return self.budget.left_of(await self.ledger.spent(), self.now())

    async def _out_of_scope(self, address: IpAddress) -> str | None:
        """Say why nobody may ask an address, None if it may be asked."""
        refused = self.scope.refusal(address)
        if refused is None and self.scope.unknown(address):
            self.scope.learn(address, await self.origin_of(address))
            refused = self.scope.refusal(address)
        return refused

    async def _spend(self, target: Target) -> str | None:
        """Have the investigation granted and written down, or return why it is not."""
        address = unmapped(target.address)
        refused = self.budget.take(address, self.now(), fresh=self.fresh)
        if refused is not None:
            return refused
        grant = Grant(
            address=address,
            network=surrounding(address),
            owner=self.account.owner,
            source=self.account.source_of(address),
            asked=self.account.asked,
            rule=_rule(target, planned=self.claimed and self.fresh),
            mails=tuple(f"{one.file} {one.message_id or ''}" for one in target.sightings[:MAILS]),
            claimed=self.claimed,
        )
        refused = await self.ledger.spend(grant, partial(self.budget.decide, fresh=self.fresh))
        if refused is not None:
            self.budget.forgive(address)
        return refused

    async def _probe(self, target: Target) -> Case:
        started, clock = self.now(), time.monotonic()
        lag = _lag_seconds(target, started)
        if lag is not None and lag < 0:
            lag = 0.0 if lag >= -CLOCK_SKEW else None  # a date of the future tells nothing
        self.watcher.started(target)
        facts = await self._facts(target)
        return Case(
            target=target,
            vantage=self.vantage,
            started=started,
            seconds=time.monotonic() - clock,
            lag_seconds=lag,
            facts=facts,
            verdict=self.judge(facts, target, lag),
        )

    async def _facts(self, target: Target) -> Facts:
        """Ask everything at the same time, and wait for all answers."""
        probes = self.probes
        async with asyncio.TaskGroup() as group:
            ping = group.create_task(self._ask(target, "ping", probes.ping))
            system = group.create_task(self._ask_system(target))
            smtp = group.create_task(self._ask(target, "smtp", probes.smtp))
            dns = group.create_task(self._ask(target, "dns", probes.dns))
            dnsbl = group.create_task(self._ask(target, "dnsbl", probes.dnsbl))
            proxy = group.create_task(self._ask(target, "proxy", probes.proxy))
            passive = group.create_task(self._ask(target, "passive", probes.passive))
            network = group.create_task(self._ask(target, "network", probes.network))
        os, windows = system.result()
        return Facts(
            ping=ping.result(),
            os=os,
            smtp=smtp.result(),
            dns=dns.result(),
            dnsbl=dnsbl.result(),
            windows=windows,
            proxy=proxy.result(),
            passive=passive.result(),
            network=network.result(),
            traffic=traffic_outcome(await self.dossier.latest_observations(target.address)),
            elsewhere=await self._elsewhere(target.address),
        )

    async def _elsewhere(self, address: IpAddress) -> Outcome[ElsewhereResult]:
        """Return what another place saw of a host, if there are several places and one did."""
        if self.vantage is None:
            return NOT_ASKED
        before = await self.store.latest_probed(address)
        return seen_elsewhere(before, self.vantage, self.now())

    async def _ask(self, target: Target, name: str, probe: Probe[R] | None) -> Outcome[R]:
        if probe is None:
            return NOT_ASKED
        outcome = await measure(probe, target)
        self.watcher.measured(target, name, outcome)
        return outcome

    async def _ask_system(self, target: Target) -> tuple[Outcome[OsResult], Outcome[WindowsResult]]:
        """Ask for the stack, and where it leaves the Windows open, for more."""
        os = await self._ask(target, "os", self.probes.os)
        probe = self.probes.windows(os.result) if isinstance(os, Measured) else None
        if probe is None:
            return os, NOT_ASKED
        return os, await self._ask(target, "windows", probe)

    async def _refused(self, target: Target, reason: str) -> Case:
        """Return what is already known of a host in its cool-down, else an empty case.

        What the host answered still holds; what the mails say of it may be new, so it is judged
        anew.
        """
        known = None
        if self.budget.cooling_since(target.address, self.now()) is not None:
            known = await self.store.latest_probed(target.address)
        if known is None:
            return self.unasked(target, reason)
        lag = _lag_seconds(target, known.started)
        verdict = self.judge(known.facts, target, None if lag is None else abs(lag))
        return replace(known, target=target, refused=reason, lag_seconds=lag, verdict=verdict)

    def unasked(self, target: Target, reason: str) -> Case:
        """Return the case of a host of which nothing was measured."""
        return Case(
            target=target,
            started=self.now(),
            seconds=0,
            refused=reason,
            facts=Facts(),
            verdict=self.judge.not_probed(reason),
        )


def _rule(target: Target, *, planned: bool) -> str:
    """Say in words what allowed an investigation."""
    if planned:
        return "a planned look"
    if not target.sightings:
        return "named by the operator or an observer"
    return f"{target.sightings[0].trust} hop of a mail"


def rejudged(case: Case, judge: Judge) -> Case:
    """Judge the facts of a case anew; who was never probed stays so."""
    if case.verdict.label is Label.NOT_PROBED and case.refused is not None:
        return replace(case, verdict=judge.not_probed(case.refused))
    return replace(case, verdict=judge(case.facts, case.target, case.lag_seconds))


def _lag_seconds(target: Target, probed: datetime) -> float | None:
    """Return the seconds from the newest delivery to the probe, None if that is not known.

    Where our own side saw the host deliver, only that counts: lines below the boundary name
    addresses at will, and could make an old delivery look like one of today.
    """
    sightings = target.sightings
    seen = [one for one in sightings if one.trust is Trust.BOUNDARY] or sightings
    delivered = [one.delivered_at for one in seen if one.delivered_at]
    return (probed - max(delivered)).total_seconds() if delivered else None
