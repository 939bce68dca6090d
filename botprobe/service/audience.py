"""Who follows a watch: a screen, lines in a log, counters."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from botprobe.model.outcome import Outcome
from botprobe.model.target import Target
from botprobe.model.verdict import Case
from botprobe.model.work import Arrival, Claim, WorkerStatus
from botprobe.pipeline import Watcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a watch stands."""

    waiting: int | None
    """Hosts that are due and not yet asked; None while the store does not answer."""
    under_way: int
    budget_left: int
    halted: str | None = None
    """Why nobody is probed, None if somebody may be."""
    workers: Sequence[WorkerStatus] = ()
    """Who works on a store that several machines share, this process or others."""
    stopping: bool = False
    """Told to end: those under way come to their end, and nobody else is asked."""


class Audience(Watcher, Protocol):
    """Someone who follows a watch; being told must never fail or wait."""

    def taken(self, arrival: Arrival) -> None:
        """Tell that a mail was kept and its hosts planned."""
        ...

    def claimed(self, claim: Claim) -> None:
        """Tell that a host will be asked now."""
        ...

    def concluded(self, claim: Claim, case: Case) -> None:
        """Tell that a case was kept."""
        ...

    def status(self, status: Status) -> None:
        """Tell how the watch stands, about once a second."""
        ...

    def trouble(self, line: str) -> None:
        """Tell in one line what went wrong."""
        ...


# Seconds in which the same trouble, met by hundreds at the same time, is told once.
REPEAT = 60.0
MAX_TOLD = 1000


@dataclass(slots=True)
class Everyone:
    """An audience of several."""

    members: Sequence[Audience]
    _told: dict[str, float] = field(default_factory=dict)

    def taken(self, arrival: Arrival) -> None:
        """Tell that a mail was kept and its hosts planned."""
        for member in self.members:
            member.taken(arrival)

    def claimed(self, claim: Claim) -> None:
        """Tell that a host will be asked now."""
        for member in self.members:
            member.claimed(claim)

    def started(self, target: Target) -> None:
        """Tell that the first packet to a target is due."""
        for member in self.members:
            member.started(target)

    def measured(self, target: Target, probe: str, outcome: Outcome[Any]) -> None:
        """Tell that one probe has ended."""
        for member in self.members:
            member.measured(target, probe, outcome)

    def finished(self, case: Case) -> None:
        """Tell that a verdict was reached, or a target refused."""
        for member in self.members:
            member.finished(case)

    def concluded(self, claim: Claim, case: Case) -> None:
        """Tell that a case was kept."""
        for member in self.members:
            member.concluded(claim, case)

    def status(self, status: Status) -> None:
        """Tell how the watch stands."""
        for member in self.members:
            member.status(status)

    def trouble(self, line: str) -> None:
        """Tell in one line what went wrong, but not the same again and again."""
        now = time.monotonic()
        if now - self._told.get(line, -REPEAT) < REPEAT:
            return
        if len(self._told) >= MAX_TOLD:
            self._told.clear()
        self._told[line] = now
        for member in self.members:
            member.trouble(line)
