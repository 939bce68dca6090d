"""What a day is compared with: the days of its kind around it, by median and MAD.

Working days and holidays differ by half, so they have a baseline each. Medians let a quarter of
the baseline be abnormal itself.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from botprobe.observers.maillog.figures import Figures

WINDOW = timedelta(days=56)
MIN_DAYS = 5
# A day with fewer connections says nothing about the server's health.
MIN_CONNECTS = 20
# Turns a median absolute deviation into a standard deviation of normal values.
MAD_SCALE = 1.4826
# A very steady server would otherwise raise an alarm at every small change: 5 per cent.
MIN_SCALE = 0.05
# Share of N_c below which nobody surges.
NO_SURGE = 0.005

Measure = Callable[[Figures], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How far a value is from its baseline."""

    value: float
    usual: float
    """Median of the baseline, in the measure's own unit."""
    scale: float
    """Of the logarithm."""
    z: float
    """Distance in robust standard deviations; negative is below."""


def log_alpha(day: Figures) -> float | None:
    """Return the logarithm of alpha; half a mail keeps a day without mails finite."""
    if day.connects < MIN_CONNECTS:
        return None
    return math.log((day.mails + 0.5) / (day.connects + 0.5))


def log_connects(day: Figures) -> float | None:
    """Return the logarithm of N_c."""
    return math.log(day.connects) if day.connects >= MIN_CONNECTS else None


def log_queries(day: Figures) -> float | None:
    """Return the logarithm of D_q."""
    return math.log(day.queries) if day.queries else None


def log_reject_rate(day: Figures) -> float | None:
    """Return the logarithm of the rejects per connection."""
    if day.connects < MIN_CONNECTS:
        return None
    return math.log((day.rejected + 0.5) / (day.connects + 0.5))


def log_surge(day: Figures) -> float | None:
    """Return the logarithm of the largest surge's share of N_c; NO_SURGE stands for none."""
    if day.connects < MIN_CONNECTS:
        return None
    share = 0.0 if day.surge is None else day.surge.surplus / day.connects
    return math.log(max(share, NO_SURGE))


def log_strangers(day: Figures) -> float | None:
    """Return the logarithm of the share of N_c that clients wasted whom nobody knew."""
    if day.strangers is None or day.connects < MIN_CONNECTS:
        return None
    return math.log(max(day.strangers / day.connects, NO_SURGE))


def log_newcomers(day: Figures) -> float | None:
    """Return the logarithm of the number of clients whom nobody knew, and who handed in no mail."""
    if day.newcomers is None or day.connects < MIN_CONNECTS:
        return None
    return math.log(day.newcomers + 1)


def score(
    day: Figures, days: Sequence[Figures], measure: Measure, least: float = MIN_SCALE
) -> Score | None:
    """Compare a day with the others of its kind, None if too few of them are known.

    The 56 days before it count; at the start of a log, the days behind it too.

    Args:
        day: the day.
        days: all days.
        measure: what is compared.
        least: the smallest standard deviation to assume.
    """
    value = measure(day)
    if value is None:
        return None
    alike = [other for other in days if other.day != day.day and other.holiday == day.holiday]
    before = [other for other in alike if day.day - WINDOW <= other.day < day.day]
    around = [other for other in alike if abs(other.day - day.day) <= WINDOW]
    values = _values(before, measure)
    if len(values) < MIN_DAYS:
        values = _values(around, measure)
    if len(values) < MIN_DAYS:
        return None
    usual = median(values)
    scale = max(MAD_SCALE * median(abs(other - usual) for other in values), least)
    return Score(value=value, usual=usual, scale=scale, z=(value - usual) / scale)


def residuals(days: Sequence[Figures], measure: Measure) -> list[float | None]:
    """Return each day's distance from its baseline, None where there is none."""
    scores = [score(day, days, measure) for day in days]
    return [found.z if found else None for found in scores]


def _values(days: Sequence[Figures], measure: Measure) -> list[float]:
    return [value for day in days if (value := measure(day)) is not None]
