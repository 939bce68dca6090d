"""A day that is not over yet: it is compared with the same hours of other days.

A server's day has a rhythm. At night connections go on while hardly any mail comes, and by noon the
DNS was asked half of the day's queries: a part of a day compared with whole days would raise an
alarm every night, and miss one at noon.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from statistics import median

from botprobe.observers.maillog.figures import Figures

LAST_HOUR = 23


def so_far(days: Sequence[Figures], hours: Sequence[Figures]) -> list[Figures]:
    """Return all days as they were at the hour at which the log ends.

    Clients that are left out are in the hours' figures; their part of an hour is taken to be that
    of everybody.

    Args:
        days: the figures of each day; the last one may not be over.
        hours: those of each hour of them.
    """
    of_day: dict[date, list[Figures]] = {}
    for hour in hours:
        of_day.setdefault(hour.day, []).append(hour)
    newest = max((_number(hour) for hour in of_day[days[-1].day]), default=LAST_HOUR)
    if newest == LAST_HOUR:
        return list(days)
    return [_cut(day, of_day.get(day.day, []), newest) for day in days]


def as_if_over(days: Sequence[Figures]) -> Figures:
    """Return the last day with the connections of a usual one: so far, small things look large."""
    today = days[-1]
    alike = [day.connects for day in days[:-1] if day.holiday == today.holiday]
    return replace(today, connects=max(today.connects, round(median(alike or [0]))))


def _cut(day: Figures, hours: Sequence[Figures], newest: int) -> Figures:
    early = [hour for hour in hours if _number(hour) <= newest]

    def part(total: int, count: Callable[[Figures], int]) -> int:
        whole = sum(map(count, hours))
        return round(total * sum(map(count, early)) / whole) if whole else 0

    asked = day.queries
    return replace(
        day,
        until=newest,
        connects=part(day.connects, lambda hour: hour.connects),
        mails=part(day.mails, lambda hour: hour.mails),
        queries=None if asked is None else part(asked, lambda hour: hour.queries or 0),
    )


def _number(hour: Figures) -> int:
    return hour.hour or 0
