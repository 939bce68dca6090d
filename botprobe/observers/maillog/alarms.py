"""Alarms: abnormal days and shifted levels, each with its reason in one sentence.

The rule of the work (Musashi et al.): the server is under abuse when alpha falls while the DNS
queries rise. Below what moves alpha, a client or a crowd of strangers is seen by its own surge.
Without either alpha alone is judged, and the alarm says so.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from botprobe.observers.maillog.baseline import (
    Measure,
    Score,
    log_alpha,
    log_connects,
    log_newcomers,
    log_queries,
    log_reject_rate,
    log_strangers,
    log_surge,
    score,
)
from botprobe.observers.maillog.changes import change_points
from botprobe.observers.maillog.digits import told_apart
from botprobe.observers.maillog.figures import Figures
from botprobe.observers.maillog.sofar import as_if_over, so_far

# Chosen on simulated months of one seed, measured on those of others
# (scripts/bench-maillog-detection): one false alarm in four to eight years.
ALPHA_FALLS = -4.0
QUERIES_RISE = 1.0
# Without a witness alpha has to fall further.
ALPHA_FALLS_ALONE = -5.0
# Largest surge of one client, and of all strangers, in robust standard deviations of their
# logarithm (each at least 0.25), and the share of N_c that they need at least.
SURGE_RISES = 5.0
STRANGERS_RISE = 4.0
LEAST_SPREAD = 0.25
LEAST_STRANGERS_SPREAD = 0.15
LEAST_SHARE = 0.015
# And so many connections: a small server has a busy client every other day.
LEAST_CONNECTS = 20


class AlarmKind(StrEnum):
    """What an alarm is about."""

    ALPHA_FALLS_QUERIES_RISE = "alpha-falls-queries-rise"
    ALPHA_FALLS = "alpha-falls"
    CLIENT_SURGE = "client-surge"
    STRANGERS_SURGE = "strangers-surge"
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
    surging: int | None = None
    """Number of the client that surges, if that is the alarm."""


def find_alarms(days: Sequence[Figures], hours: Sequence[Figures] = ()) -> list[Alarm]:
    """Return the alarms of a log, oldest first.

    Args:
        days: the figures of each day.
        hours: those of each hour; without them the last day counts as a whole one.
    """
    judged = [judge_day(day, days) for day in days[:-1]]
    if days:
        judged.append(judge_last_day(days, so_far(days, hours) if hours else days))
    abnormal = [alarm for alarm in judged if alarm is not None]
    return sorted([*abnormal, *_level_shifts(days)], key=lambda alarm: (alarm.day, alarm.kind))


def judge_last_day(days: Sequence[Figures], early: Sequence[Figures]) -> Alarm | None:
    """Judge a day that may not be over, alpha and queries by what they were ``early`` on others."""
    today = early[-1]
    if today.until is None:
        return judge_day(today, days)
    alpha = score(today, early, log_alpha)
    if alpha is None:
        return None
    whole = replace(as_if_over(days), until=today.until)
    return (
        _alpha_falls_queries_rise(today, early, alpha)
        or _client_surge(whole, days, alpha)
        or _strangers_surge(whole, days, alpha)
        or _alpha_falls(today, early, alpha)
    )


def judge_day(day: Figures, days: Sequence[Figures]) -> Alarm | None:
    """Judge one day against the others; of several alarms the one that tells most is raised."""
    alpha = score(day, days, log_alpha)
    if alpha is None:
        return None
    return (
        _alpha_falls_queries_rise(day, days, alpha)
        or _client_surge(day, days, alpha)
        or _strangers_surge(day, days, alpha)
        or _alpha_falls(day, days, alpha)
    )


def _alpha_falls_queries_rise(day: Figures, days: Sequence[Figures], alpha: Score) -> Alarm | None:
    queries = score(day, days, log_queries)
    if alpha.z >= ALPHA_FALLS or queries is None or queries.z <= QUERIES_RISE:
        return None
    factor, _ = told_apart(math.exp(queries.value - queries.usual), 1, least=1)
    because = f"{_fallen(day, alpha)}, while the DNS queries rose to {factor} times the usual."
    kind = AlarmKind.ALPHA_FALLS_QUERIES_RISE
    return Alarm(kind=kind, day=day.day, because=because, alpha=alpha)


def _alpha_falls(day: Figures, days: Sequence[Figures], alpha: Score) -> Alarm | None:
    if alpha.z >= ALPHA_FALLS_ALONE:
        return None
    measured = score(day, days, log_queries) is not None
    advice = ": look at the server and its DNS." if measured else "."
    because = _fallen(day, alpha) + _witness(day, days) + advice
    return Alarm(kind=AlarmKind.ALPHA_FALLS, day=day.day, because=because, alpha=alpha)


def _also(day: Figures, days: Sequence[Figures], alpha: Score) -> str:
    """Say that alpha fell as well, where it did."""
    fallen = alpha.z < ALPHA_FALLS
    return f"{_fallen(day, alpha)}{_witness(day, days)}; " if fallen else ""


def _witness(day: Figures, days: Sequence[Figures]) -> str:
    if score(day, days, log_queries) is None:
        return " (the DNS queries were not measured)"
    return ", while the DNS queries did not rise"


def _fallen(day: Figures, alpha: Score) -> str:
    # Without a mail it is 0; the score takes half a mail for none.
    now, usual = told_apart(day.alpha or 0.0, math.exp(alpha.usual))
    kind = "holidays" if day.holiday else "working days"
    return f"alpha fell to {now} where {usual} is usual on {kind}{_until(day)}"


def _until(day: Figures) -> str:
    return "" if day.until is None else f" until {day.until:02d}:59"


def _client_surge(day: Figures, days: Sequence[Figures], alpha: Score) -> Alarm | None:
    surge, found = day.surge, score(day, days, log_surge, LEAST_SPREAD)
    if surge is None or found is None or found.z <= SURGE_RISES:
        return None
    if surge.surplus < max(LEAST_SHARE * day.connects, LEAST_CONNECTS):
        return None
    because = (
        f"{_also(day, days, alpha)}one client made {surge.connects:,} connections where "
        f"{surge.usual:,.0f} are usual for it; {surge.surplus:,.0f} of them "
        f"({surge.surplus / day.connects:.1%} of N_c) were in excess and handed in no mail."
    )
    return Alarm(
        kind=AlarmKind.CLIENT_SURGE,
        day=day.day,
        because=because,
        alpha=alpha,
        surging=surge.client,
    )


def _strangers_surge(day: Figures, days: Sequence[Figures], alpha: Score) -> Alarm | None:
    """Judge those whom nobody knew by what they waste, and by how many they are.

    Many small clients hardly add to the connections of all strangers, but to their number.
    """
    wasted = score(day, days, log_strangers, LEAST_STRANGERS_SPREAD)
    many = score(day, days, log_newcomers, LEAST_SPREAD)
    if wasted is None:
        return None
    share, usual = math.exp(wasted.value), math.exp(wasted.usual)
    if share - usual < max(LEAST_SHARE, LEAST_CONNECTS / day.connects):
        return None
    if many is not None and many.z > STRANGERS_RISE:
        who = f"{math.exp(many.value) - 1:,.0f} clients (usually {math.exp(many.usual) - 1:,.0f})"
    elif wasted.z > STRANGERS_RISE:
        who = "clients"
    else:
        return None
    because = (
        f"{_also(day, days, alpha)}{who} that were never seen before made {share:.0%} of all "
        f"connections and handed in no mail; {usual:.1%} is usual."
    )
    return Alarm(kind=AlarmKind.STRANGERS_SURGE, day=day.day, because=because, alpha=alpha)


def _level_shifts(days: Sequence[Figures]) -> list[Alarm]:
    """Return one alarm for each first day of new levels."""
    shifts: dict[date, list[str]] = {}
    for name, measure in (
        ("N_c", log_connects),
        ("alpha", log_alpha),
        ("the number of rejects per connection", log_reject_rate),
    ):
        for day, factor in _shifts_of(days, measure):
            shifts.setdefault(day, []).append(f"{name} is {told_apart(factor, 1)[0]} times")
    return [
        Alarm(
            kind=AlarmKind.LEVEL_SHIFT,
            day=day,
            because=f"{_listed(told)} what it was before this day.",
        )
        for day, told in shifts.items()
    ]


def _listed(told: Sequence[str]) -> str:
    *others, last = told
    return f"{', '.join(others)} and {last}" if others else last


def _shifts_of(days: Sequence[Figures], measure: Measure) -> Iterator[tuple[date, float]]:
    """Yield the first day of each new level, and how many times the former it is."""
    judged = [(day, value) for day in days if (value := measure(day)) is not None]
    flat = _without_rhythm(judged)
    borders = [0, *change_points(flat), len(flat)]
    for start, middle, end in zip(borders, borders[1:], borders[2:], strict=False):
        yield judged[middle][0].day, math.exp(_mean(flat[middle:end]) - _mean(flat[start:middle]))


def _without_rhythm(judged: Sequence[tuple[Figures, float]]) -> list[float]:
    """Take the difference between working days and holidays out."""
    means = {
        holiday: _mean([value for day, value in judged if day.holiday == holiday])
        for holiday in (False, True)
    }
    return [value - means[day.holiday] for day, value in judged]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
