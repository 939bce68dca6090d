"""Which weeks a report is about, from what the operator said."""

from datetime import datetime

from botprobe.errors import UsageError
from botprobe.model.weekly import Period, Week

THIS_WEEK = "this"
"""Says "the week that is not over yet" where a week is asked for."""


def chosen_periods(
    now: datetime,
    *,
    week: str | None = None,
    compare: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> tuple[Period, Period]:
    """Return the period of the report and the one to compare it with.

    Args:
        now: the time, aware; without any choice its last whole week is taken.
        week: one week, ``FIRST..LAST``, or ``this`` for the week that is not over yet.
        compare: the same; without it the period of the same length just before.
        since: first week, or a date in it.
        until: last week, or a date in it; without it the last whole week.

    Raises:
        UsageError: a text is no week, or the choices contradict each other.
    """
    if week and (since or until):
        raise UsageError("--week excludes --since and --until")
    if until and not since:
        raise UsageError("--until needs --since")
    last_whole = Week.of(now) + -1
    if since:
        period = Period(Week.parse(since), Week.parse(until) if until else last_whole)
    elif week == THIS_WEEK:
        period = Period(last_whole + 1, last_whole + 1)
    else:
        period = Period.parse(week) if week else Period(last_whole, last_whole)
    return period, Period.parse(compare) if compare else period.before
