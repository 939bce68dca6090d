"""Stand-ins for the world: probes with a fixed answer, a store in memory, a silent watcher."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from botprobe.errors import StoreError
from botprobe.model.audit import AuditRow, Decide, Grant, IpNetwork, Spent
from botprobe.model.mail import IpAddress, Mail
from botprobe.model.observation import Observation, Suspicion
from botprobe.model.outcome import Outcome
from botprobe.model.results import DnsResult, OsResult, PingResult, PortState, SmtpResult
from botprobe.model.target import Target
from botprobe.model.verdict import Case
from botprobe.pipeline import Probes
from tests.cases import NOON

R = TypeVar("R")


@dataclass
class FakeProbe(Generic[R]):
    """Answers every target alike, or raises."""

    answer: R | Exception
    asked: list[Target] = field(default_factory=list)

    async def run(self, target: Target) -> R:
        """Answer, and remember who was asked."""
        self.asked.append(target)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class FakeStore:
    """Keeps everything in two lists."""

    kept: list[Case] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    observed: list[Observation] = field(default_factory=list)
    others_spent: Spent = field(default_factory=Spent)
    granted: list[Grant] = field(default_factory=list)
    broken: bool = False
    full: bool = False
    """Nothing can be written down any more, grants included."""
    slow: bool = False
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    async def add_mail(self, mail: Mail) -> None:
        """Keep a mail."""
        self._work()
        self.mails.append(mail)

    async def add_case(self, case: Case) -> None:
        """Keep a case."""
        self._work()
        self.entered.set()
        for _ in range(10 if self.slow else 0):
            await asyncio.sleep(0)
        self.kept.append(case)

    async def cases(self, address: IpAddress) -> Sequence[Case]:
        """Return the cases of an address, newest first."""
        return [case for case in reversed(self.kept) if case.target.address == address]

    async def latest_probed(self, address: IpAddress) -> Case | None:
        """Return the newest case in which the address was probed."""
        cases = await self.cases(address)
        return next((case for case in cases if case.refused is None), None)

    async def spend(self, grant: Grant, decide: Decide) -> str | None:
        """Grant it, if the rule does."""
        if self.full:
            raise StoreError("store: database or disk is full")
        refused = decide(Spent(), NOON)
        if refused is None:
            self.granted.append(grant)
        return refused

    async def spent(self) -> Spent:
        """Return what others are said to have spent."""
        self.entered.set()
        return self.others_spent

    async def audit(
        self, network: IpNetwork, since: datetime | None, until: datetime | None, most: int
    ) -> Sequence[AuditRow]:
        """Return nothing."""
        return ()

    async def refusals(
        self, network: IpNetwork, since: datetime | None, until: datetime | None
    ) -> Mapping[str, int]:
        """Return nothing."""
        return {}

    async def observe(self, observations: Collection[Observation]) -> None:
        """Keep observations."""
        self._work()
        self.observed += observations

    async def observations(self, address: IpAddress, most: int) -> Sequence[Observation]:
        """Return the observations of an address, newest first."""
        found = [one for one in self.observed if one.address == address]
        return sorted(found, key=lambda one: one.seen, reverse=True)[:most]

    async def latest_observations(self, address: IpAddress) -> Sequence[Observation]:
        """Return the newest observation of each observer."""
        found = await self.observations(address, len(self.observed))
        return list({one.observer: one for one in reversed(found)}.values())

    async def suspicions(self, address: IpAddress, most: int) -> Sequence[Suspicion]:
        """Return nothing: nobody is suspected here."""
        return ()

    async def probed_since(self, start: datetime) -> Sequence[tuple[IpAddress, datetime]]:
        """Return who was probed when."""
        return [(case.target.address, case.started) for case in self.kept if case.started >= start]

    def _work(self) -> None:
        if self.broken:
            raise StoreError("store: database or disk is full")


@dataclass
class FakeWatcher:
    """Writes down what it was told."""

    told: list[str] = field(default_factory=list)

    def started(self, target: Target) -> None:
        """Note the start."""
        self.told.append(f"started {target}")

    def measured(self, target: Target, probe: str, outcome: Outcome[Any]) -> None:
        """Note a probe."""
        self.told.append(f"{probe} {target} {type(outcome).__name__}")

    def finished(self, case: Case) -> None:
        """Note the end."""
        self.told.append(f"finished {case.target} {case.verdict.label}")


def silent_probes(ping: PingResult | Exception | None = None) -> Probes:
    """Return probes that meet a host without open ports."""
    return Probes(
        ping=FakeProbe(ping or PingResult(sent=3, received=0)),
        os=FakeProbe(OsResult(ports=((25, PortState.FILTERED),))),
        smtp=FakeProbe(SmtpResult(port=PortState.FILTERED)),
        dns=FakeProbe(DnsResult()),
        windows=lambda _: None,
    )
