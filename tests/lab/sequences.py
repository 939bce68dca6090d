"""Initial sequence numbers and IP IDs that look to nmap like those of a given system.

nmap measures how fast the initial sequence numbers of six connections grow (ISR), how evenly (SP),
and their greatest common divisor (GCD); https://nmap.org/book/osdetect-methods.html gives the
arithmetic. Here it is done backwards, with the times at which the probes arrive.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.lab import osdb

_MASK = 0xFFFFFFFF
_INTERVAL = 0.1  # seconds between nmap's probes
_ROUND_TIMEOUT = 1.0  # a longer silence starts a new series of six

# Five deviations from the mean rate, with mean 0 and sample variance 1. nmap sees no negative rate
# and no step above 2^31, so that each system needs the shape that stays within these limits.
_EVEN = (1.0, -1.0, 1.0, -1.0, 0.0)
_PEAK = tuple(x / math.sqrt(5) for x in (4, -1, -1, -1, -1))
_DIP = tuple(-x for x in _PEAK)
_STEADY = (0.0,) * 5
_LARGEST_STEP = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class IsnPlan:
    """How a system's initial sequence numbers grow."""

    rate: float
    """Mean growth per second."""
    deviation: float
    """Standard deviation of the growth per second."""
    unit: int
    """Greatest common divisor of all steps; 0 for a constant number."""

    @property
    def shape(self) -> Sequence[float]:
        """The five deviations, in units of ``deviation``, that nmap can measure."""
        if not self.deviation:
            return _STEADY
        for shape in (_EVEN, _PEAK, _DIP):
            lowest = self.rate + self.deviation * min(shape)
            highest = self.rate + self.deviation * max(shape)
            if lowest >= 0 and highest * _INTERVAL <= _LARGEST_STEP:
                return shape
        return _PEAK


def plan_isn(sp: str | None, gcd: str | None, isr: str | None) -> IsnPlan:
    """Choose a plan that fits a database entry's SP, GCD and ISR."""
    units = osdb.intervals(gcd or "1", largest=0xFFFFFFFF)
    unit = 1 if any(1 in allowed for allowed in units) or not units else units[0].start
    speeds = [speed for allowed in osdb.intervals(isr or "108", largest=0x118) for speed in allowed]
    spreads = [spread for allowed in osdb.intervals(sp or "104", largest=0x118) for spread in allowed]
    if not unit or not speeds or not spreads:
        return IsnPlan(0, 0, 0)
    speed = _steadiest(speeds, unit)
    # nmap leaves a divisor up to 9 in the deviation, and takes a larger one out.
    scale = unit if unit > 9 else 1
    spread = spreads[len(spreads) // 2]
    deviation = 0.0 if 0 in spreads else 2 ** (spread / 8) * scale
    return IsnPlan(2 ** (speed / 8), deviation, unit)


def _steadiest(speeds: Sequence[int], unit: int) -> int:
    """Return the middle speed, or the one whose step is nearest to a whole number of large units.

    With a step of one and a half units, rounding would alternate between one and two.
    """
    middle = speeds[len(speeds) // 2]
    if unit <= 9 or 2 ** (middle / 8) * _INTERVAL / unit > 20:
        return middle

    def roughness(speed: int) -> float:
        steps = 2 ** (speed / 8) * _INTERVAL / unit
        return abs(steps - max(1, round(steps)))

    return min(speeds, key=roughness)


class IsnSource:
    """Gives the initial sequence numbers of one host; it remembers the last one given."""

    __slots__ = ("_divisor", "_index", "_last", "_plan", "_time", "_value")

    def __init__(self, plan: IsnPlan, start: int) -> None:
        self._plan = plan
        self._value = start & _MASK
        self._last = 6
        self._time = -math.inf
        self._index = 0
        self._divisor = 0

    def next(self, probe: int, now: float) -> int:
        """Return the number for nmap's probe 0 to 5 that arrived ``now`` (seconds)."""
        plan = self._plan
        if probe <= self._last or now - self._time > _ROUND_TIMEOUT:
            self._index = self._divisor = 0
        elif plan.unit:
            rate = plan.rate + plan.deviation * plan.shape[self._index % 5]
            self._value = (self._value + self._step(rate * (now - self._time))) & _MASK
            self._index += 1
        self._last = probe
        self._time = now
        return self._value

    def _step(self, wanted: float) -> int:
        unit = self._plan.unit
        count = min(max(0, round(wanted / unit)), _LARGEST_STEP // unit)
        if self._divisor:
            # The divisor that all steps have in common has to be ``unit``, not a multiple of it.
            while math.gcd(self._divisor, count) > 1 and count > 1:
                count -= 1
        self._divisor = math.gcd(self._divisor, count)
        return count * unit


class IpIds(NamedTuple):
    """IP IDs of the answers to each group of probes."""

    open: tuple[int, ...]
    """Six, for SEQ."""
    closed: tuple[int, ...]
    """Three, for T5 to T7."""
    icmp: tuple[int, ...]
    """Two, for IE."""


_STEPS = {"I": 1, "BI": 256, "RI": 1511, "RD": 25_013, "Z": 0}


def plan_ip_ids(ti: str | None, ci: str | None, ii: str | None, ss: str | None) -> IpIds:
    """Choose IP IDs that nmap puts into the given classes.

    ``ss`` says whether TCP and ICMP share one counter: the ICMP numbers then follow those of TCP.
    """
    tcp = list(_series(ti, 256, 6))
    step = _STEPS.get(osdb.first_choice(ti or ""), 0)
    start = tcp[-1] + step if ss == "S" else 0xA000
    return IpIds(tuple(tcp), tuple(_series(ci, 0x5000, 3)), tuple(_series(ii, start, 2)))


def _series(expression: str | None, start: int, count: int) -> Iterable[int]:
    choice = osdb.first_choice(expression or "I")
    step = _STEPS.get(choice)
    if step is None:
        return [osdb.number(choice) & 0xFFFF] * count
    if not step:
        return [0] * count
    return [(start + step * index) & 0xFFFF for index in range(count)]
