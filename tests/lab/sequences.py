"""Initial sequence numbers and IP IDs that look to nmap like those of a given system.

nmap measures how fast the initial sequence numbers of six connections grow (ISR), how evenly (SP),
and their greatest common divisor (GCD); https://nmap.org/book/osdetect-methods.html gives the
arithmetic. Here it is done backwards, with the times at which the probes arrive.
"""

import itertools
import math
import statistics
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

_MOST_COUNTED = 40  # above this many units in a step, rounding no longer matters

_SMALL_UNIT = 9
"""Up to here nmap leaves the divisor in the deviation; it takes a larger one out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IsnPlan:
    """How a system's initial sequence numbers grow."""

    rate: float = 0
    """Mean growth per second."""
    deviation: float = 0
    """Standard deviation of the growth per second."""
    unit: int = 0
    """Greatest common divisor of all steps; 0 for a number that never changes."""
    counts: tuple[int, ...] = ()
    """The five steps in units, where they are so few that rounding would spoil the figures."""

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
    units = osdb.intervals(gcd or "1", largest=_LARGEST_STEP)
    speeds = osdb.intervals(isr or "108", largest=0x118)
    spreads = osdb.intervals(sp or "104", largest=0x118)
    if not units or not speeds or not spreads:
        return IsnPlan()
    # Systems with a large divisor count connections, not time: their steps are exact.
    for unit in (allowed.start for allowed in units if allowed.start > _SMALL_UNIT):
        if counts := _few_steps(speeds, spreads, unit):
            return IsnPlan(unit=unit, counts=counts)
    unit = 1 if any(1 in allowed for allowed in units) else units[0].start
    scale = unit if unit > _SMALL_UNIT else 1
    steady = any(0 in allowed for allowed in spreads)
    return IsnPlan(
        rate=2 ** (_middle(speeds) / 8),
        deviation=0 if steady else 2 ** (_middle(spreads) / 8) * scale,
        unit=unit,
    )


def _middle(allowed: Sequence[range]) -> int:
    numbers = sorted(number for one in allowed for number in one)
    return numbers[len(numbers) // 2]


def _few_steps(speeds: Sequence[range], spreads: Sequence[range], unit: int) -> tuple[int, ...]:
    """Search five steps of a few units each that measure as wanted, close to the middle."""
    best: tuple[int, ...] = ()
    best_distance = math.inf
    fewest, most = (
        2 ** ((speed + slack) / 8) * _INTERVAL / unit
        for speed, slack in ((speeds[0].start, -0.5), (speeds[-1].stop - 1, 0.5))
    )
    lows = range(max(0, int(fewest) - 3), min(_MOST_COUNTED, int(most) + 1))
    for low, more, times in itertools.product(lows, range(1, 4), range(5)):
        counts = tuple(low + more if index < times else low for index in range(5))
        if math.gcd(*counts) != 1:
            continue
        speed, spread = _measured(counts, unit)
        if _holds(speeds, speed) and _holds(spreads, spread):
            distance = abs(speed - _middle(speeds)) + abs(spread - _middle(spreads))
            if distance < best_distance:
                best, best_distance = counts, distance
    return best


def _measured(counts: Sequence[int], unit: int) -> tuple[float, float]:
    """Return ISR and SP of steps, before nmap rounds them."""
    rates = [count / _INTERVAL for count in counts]
    deviation = statistics.stdev(rates)
    speed = math.log2(statistics.fmean(rates) * unit) * 8
    return speed, math.log2(deviation) * 8 if deviation > 1 else 0.0


def _holds(allowed: Sequence[range], value: float) -> bool:
    return any(round(value) in one for one in allowed)


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
        if probe <= self._last or now - self._time > _ROUND_TIMEOUT:
            self._index = self._divisor = 0
        elif self._plan.unit:
            self._value = (self._value + self._step(now - self._time)) & _MASK
            self._index += 1
        self._last = probe
        self._time = now
        return self._value

    def _step(self, seconds: float) -> int:
        plan = self._plan
        if plan.counts:
            return plan.counts[self._index % 5] * plan.unit
        wanted = (plan.rate + plan.deviation * plan.shape[self._index % 5]) * seconds
        # A step of zero would hide the unit from the divisor of all steps.
        least = 1 if plan.deviation else 0
        count = min(max(least, round(wanted / plan.unit)), _LARGEST_STEP // plan.unit)
        if self._divisor:
            # The divisor that all steps have in common has to be the unit, not a multiple of it.
            while math.gcd(self._divisor, count) > 1 and count > 1:
                count -= 1
        self._divisor = math.gcd(self._divisor, count)
        return count * plan.unit


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
