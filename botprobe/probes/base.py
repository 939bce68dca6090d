"""What every probe has in common: one question to one target, asked only where it is allowed."""

import time
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from botprobe.errors import ProbeUnavailable, RefusedByScope
from botprobe.model.mail import IpAddress
from botprobe.model.outcome import Measured, NotMeasured, Outcome
from botprobe.model.target import Target

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Probe(Protocol[R_co]):
    """One kind of question."""

    async def run(self, target: Target) -> R_co:
        """Ask the target; what it does or does not answer is the result.

        Raises:
            ProbeUnavailable: we cannot measure here.
            RefusedByScope: the target must not be asked.
        """
        ...


class Permission(Protocol):
    """The safety rules, as a probe sees them at the moment of connecting."""

    def require(self, address: IpAddress) -> None:
        """Return if a packet may be sent to ``address`` now.

        Raises:
            RefusedByScope: it may not.
        """
        ...


class Gauges(Protocol):
    """Who is told how our own means fare; being told must never fail or wait."""

    def canary(self, place: int, *, greets: bool) -> None:
        """Tell what became of asking a canary, by its place among them from 1."""
        ...

    def list_failed(self, zone: str, because: str) -> None:
        """Tell that a block list gave no answer that can be used."""
        ...


class NoGauges:
    """Nobody is told."""

    def canary(self, place: int, *, greets: bool) -> None:
        """Ignore it."""

    def list_failed(self, zone: str, because: str) -> None:
        """Ignore it."""


NO_GAUGES = NoGauges()


async def measure(probe: Probe[R], target: Target) -> Outcome[R]:
    """Run a probe and say what came of it; its duration is in seconds."""
    started, clock = datetime.now(UTC), time.monotonic()
    try:
        result = await probe.run(target)
    except (ProbeUnavailable, RefusedByScope) as error:
        return NotMeasured(str(error))
    return Measured(result, started, time.monotonic() - clock)
