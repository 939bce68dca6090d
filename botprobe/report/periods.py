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
    if week is not None and (since, until) != (None, None):
        raise UsageError("--week excludes --since and --until")
    if until is not None and since is None:
        raise UsageError("--until needs --since")
    last_whole = Week.of(now) + -1
    if since is not None:
        period = Period(Week.parse(since), last_whole if until is None else Week.parse(until))
    elif week == THIS_WEEK:
        period = Period(last_whole + 1, last_whole + 1)
    else:
        period = Period(last_whole, last_whole) if week is None else Period.parse(week)
    return period, period.before if compare is None else Period.parse(compare)
