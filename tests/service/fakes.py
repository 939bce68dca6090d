"""Stand-ins for those who follow a watch."""

from dataclasses import dataclass, field
from typing import Any

from botprobe.model.outcome import Outcome
from botprobe.model.target import Target
from botprobe.model.verdict import Case
from botprobe.model.work import Arrival, Claim
from botprobe.service.audience import Status


@dataclass
class FakeAudience:
    """Writes down what it was told."""

    mails: list[Arrival] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    states: list[Status] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def taken(self, arrival: Arrival) -> None:
        """Note a mail."""
        self.mails.append(arrival)

    def claimed(self, claim: Claim) -> None:
        """Note a claim."""
        self.claims.append(claim)

    def started(self, target: Target) -> None:
        """Note nothing."""

    def measured(self, target: Target, probe: str, outcome: Outcome[Any]) -> None:
        """Note nothing."""

    def finished(self, case: Case) -> None:
        """Note nothing."""

    def concluded(self, claim: Claim, case: Case) -> None:
        """Note a case."""
        self.cases.append(case)

    def status(self, status: Status) -> None:
        """Note how the watch stands."""
        self.states.append(status)

    def trouble(self, line: str) -> None:
        """Note a trouble."""
        self.troubles.append(line)
