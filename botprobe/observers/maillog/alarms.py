"""Alarms: abnormal days and shifted levels, each with its reason in one sentence.

The rule of the work (Musashi et al.): the server is under abuse when alpha falls while the DNS
queries rise. Without D_q alpha alone is judged, and the alarm says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from botprobe.observers.maillog.baseline import (
    Measure,
    Score,
    log_alpha,
    log_connects,
    log_queries,
    log_reject_rate,
    score,
)
from botprobe.observers.maillog.changes import change_points
from botprobe.observers.maillog.figures import Figures

# Chosen on simulated months of one seed, measured on those of another
# (scripts/bench-maillog-detection): one false alarm in eight years.
ALPHA_FALLS = -4.0
QUERIES_RISE = 1.0
# Without a witness alpha has to fall further.
ALPHA_FALLS_ALONE = -5.0


class AlarmKind(StrEnum):
    """What an alarm is about."""

    ALPHA_FALLS_QUERIES_RISE = "alpha-falls-queries-rise"
    ALPHA_FALLS = "alpha-falls"
    LEVEL_SHIFT = "level-shift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One abnormal day, or the first day of a new level."""

    kind: AlarmKind
    day: date
    because: str
    """One sentence."""
    alpha: Score | None = None
    """Set for an abnormal day."""


def find_alarms(days: Sequence[Figures]) -> list[Alarm]:
    """Return the alarms of a log, oldest first."""
    abnormal = [alarm for day in days if (alarm := judge_day(day, days)) is not None]
    return sorted([*abnormal, *_level_shifts(days)], key=lambda alarm: (alarm.day, alarm.kind))


def judge_day(day: Figures, days: Sequence[Figures]) -> Alarm | None:
    """Judge one day against the others."""
    alpha = score(day, days, log_alpha)
    if alpha is None or alpha.z >= ALPHA_FALLS:
        return None
    fallen = (
        f"alpha fell to {math.exp(alpha.value):.2f} where {math.exp(alpha.usual):.2f} is usual "
        f"on {'holidays' if day.holiday else 'working days'}"
    )
    queries = score(day, days, log_queries)
    if queries is not None and queries.z > QUERIES_RISE:
        factor = math.exp(queries.value - queries.usual)
        because = f"{fallen}, while the DNS queries rose to {factor:.1f} times the usual."
        kind = AlarmKind.ALPHA_FALLS_QUERIES_RISE
        return Alarm(kind=kind, day=day.day, because=because, alpha=alpha)
    if alpha.z >= ALPHA_FALLS_ALONE:
        return None
    witness = (
        "; the DNS queries were not measured."
        if queries is None
        else ", while the DNS queries did not rise: look at the server and its DNS."
    )
    return Alarm(kind=AlarmKind.ALPHA_FALLS, day=day.day, because=fallen + witness, alpha=alpha)


def _level_shifts(days: Sequence[Figures]) -> list[Alarm]:
    shifts: list[Alarm] = []
    for name, measure in (
        ("N_c", log_connects),
        ("alpha", log_alpha),
        ("the rejects per connection", log_reject_rate),
    ):
        shifts += _shifts_of(days, name, measure)
    return shifts


def _shifts_of(days: Sequence[Figures], name: str, measure: Measure) -> list[Alarm]:
    judged = [(day, value) for day in days if (value := measure(day)) is not None]
    flat = _without_rhythm(judged)
    borders = [0, *change_points(flat), len(flat)]
    shifts = []
    for start, middle, end in zip(borders, borders[1:], borders[2:], strict=False):
        before = _mean(flat[start:middle])
        after = _mean(flat[middle:end])
        because = f"{name} is {math.exp(after - before):.2f} times what it was before this day."
        day = judged[middle][0].day
        shifts.append(Alarm(kind=AlarmKind.LEVEL_SHIFT, day=day, because=because))
    return shifts


def _without_rhythm(judged: Sequence[tuple[Figures, float]]) -> list[float]:
    """Take the difference between working days and holidays out."""
    means = {
        holiday: _mean([value for day, value in judged if day.holiday == holiday])
        for holiday in (False, True)
    }
    return [value - means[day.holiday] for day, value in judged]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
