"""Canary: proves that a connection to port 25 can leave from here at all.

Most access providers and clouds block outgoing port 25, silently or by a forged reset. There every
host of the world looks as if it had no mail server. So the operator names hosts that are known to
greet on 25, and silence of a target counts only while one of these canaries greets. IPv4 and IPv6
leave by ways of their own: each has its own canaries, and neither speaks for the other.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from botprobe.errors import ProbeUnavailable
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.results import SmtpResult
from botprobe.model.target import Target
from botprobe.probes.base import NO_GAUGES, Gauges, Probe, measure

# Seconds that the state of the way out is believed. No longer than a connect is waited for: so the
# canary was seen after the target's silence began. And no canary sees us more often.
MAX_AGE = 10.0


class EgressState(StrEnum):
    """Whether connections to port 25 leave our network."""

    OPEN = "open"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Egress:
    """The state of the way out, and what it was concluded from."""

    state: EgressState
    because: str
    """A clause fit for a report."""


class Canary:
    """Asks hosts that are known to greet, each at most once in ``max_age`` seconds."""

    def __init__(
        self,
        hosts: Sequence[Target],
        probe: Probe[SmtpResult],
        *,
        max_age: float = MAX_AGE,
        clock: Callable[[], float] = time.monotonic,
        gauges: Gauges = NO_GAUGES,
    ) -> None:
        places = {host: place for place, host in enumerate(hosts, start=1)}

        def tell(host: Target, greets: bool) -> None:
            gauges.canary(places[host], greets=greets)

        self._ways = {
            version: _WayOut(
                hosts=tuple(host for host in hosts if host.address.version == version),
                probe=probe,
                max_age=max_age,
                clock=clock,
                tell=tell,
            )
            for version in (4, 6)
        }

    async def egress(self, version: int = 4) -> Egress:
        """Say whether port 25 is open on the way out by one version of IP, asking if need be."""
        way = self._ways[version]
        if not way.hosts:
            because = f"no canary is configured for IPv{version}, so silence on 25 proves nothing"
            return Egress(EgressState.UNKNOWN, because)
        return await way.egress()


@dataclass(slots=True, kw_only=True)
class _WayOut:
    """What is known of the way out by one version of IP."""

    hosts: tuple[Target, ...]
    probe: Probe[SmtpResult]
    max_age: float
    clock: Callable[[], float]
    tell: Callable[[Target, bool], None]
    seen: Egress | None = None
    seen_at: float = 0
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def egress(self) -> Egress:
        # Counted from the call: those who queue up behind a slow check all take its answer.
        oldest = self.clock() - self.max_age
        async with self.one_at_a_time:
            if self.seen is None or self.seen_at < oldest:
                began = self.clock()
                # Both or neither: a check that is cancelled must not renew the former answer.
                self.seen, self.seen_at = await self._ask(), began
            return self.seen

    async def _ask(self) -> Egress:
        """Ask the first canary, and the others only if it does not greet."""
        first, *others = self.hosts
        if why_not := await self._why_silent(first):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._why_silent(host)) for host in others]
            reasons = [why_not, *(task.result() for task in tasks)]
            if all(reasons):
                return _blocked([reason for reason in reasons if reason])
        return Egress(EgressState.OPEN, "a canary greets on port 25")

    async def _why_silent(self, host: Target) -> str | None:
        reason = await self._reason(host)
        self.tell(host, reason is None)
        return reason

    async def _reason(self, host: Target) -> str | None:
        match await measure(self.probe, host):
            case Measured(SmtpResult(speaks_smtp=True)):
                return None
            case Measured(SmtpResult(port=port, broke=broke)):
                return f"{host} is {port}" + (f", {broke}" if broke else "")
            case NotMeasured(reason):
                return f"{host}: {reason}"


def _blocked(reasons: Sequence[str]) -> Egress:
    count = f"none of {len(reasons)} canaries answers" if len(reasons) > 1 else "the canary is mute"
    return Egress(EgressState.BLOCKED, f"egress blocked: {count} on 25 ({'; '.join(reasons)})")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedSmtpProbe:
    """Lets silence of a target count only while a canary greets; a greeting proves itself."""

    probe: Probe[SmtpResult]
    canary: Canary

    async def run(self, target: Target) -> SmtpResult:
        """Probe the target, then the way out if the target did not greet.

        Raises:
            ProbeUnavailable: it did not greet, and it is not proven that a greeting would reach us.
            RefusedByScope: the target must not be asked.
        """
        result = await self.probe.run(target)
        if result.speaks_smtp:
            return result
        egress = await self.canary.egress(target.address.version)
        if egress.state is not EgressState.OPEN:
            raise ProbeUnavailable(egress.because)
        return result
