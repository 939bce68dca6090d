"""A day that is not over: what a log that is read in the morning, or followed, says of today."""

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from botprobe.observers.maillog.alarms import Alarm, AlarmKind, find_alarms, judge_day
from botprobe.observers.maillog.figures import Figures, Surge
from botprobe.observers.maillog.sofar import so_far

MONDAY = date(2026, 9, 7)
TODAY = MONDAY + timedelta(days=28)
# Connections and mails of each hour: by day alpha is 0.85, at night few mails come.
NIGHT, DAYTIME = (20, 5), (100, 85)
DRIVER = 7


def _hours(day: date, chance: random.Random) -> list[Figures]:
    return [
        _hour(day, hour, *(NIGHT if hour < 6 else DAYTIME), chance.uniform(0.97, 1.03))
        for hour in range(24)
    ]


def _hour(day: date, hour: int, connects: int, mails: int, noise: float = 1.0) -> Figures:
    return Figures(
        day=day,
        hour=hour,
        connects=connects,
        mails=round(mails * noise),
        queries=round(9 * connects * noise),
        statuses={},
        rejects={},
        postscreen={},
    )


def _day(hours: list[Figures]) -> Figures:
    return replace(
        hours[0],
        hour=None,
        connects=sum(hour.connects for hour in hours),
        mails=sum(hour.mails for hour in hours),
        queries=sum(hour.queries or 0 for hour in hours),
    )


def _alarms(today: list[Figures], surge: Surge | None = None) -> list[Alarm]:
    """Judge four weeks of usual days, and a day of which so many hours are there."""
    chance = random.Random(3)
    hours = [_hours(MONDAY + timedelta(days=offset), chance) for offset in range(28)]
    days = [replace(_day(one), surge=None) for one in [*hours, today]]
    days[-1] = replace(days[-1], surge=surge)
    return [
        alarm
        for alarm in find_alarms(days, [hour for one in [*hours, today] for hour in one])
        if alarm.alpha is not None
    ]


def _usual(until: int) -> list[Figures]:
    return _hours(TODAY, random.Random(4))[: until + 1]


class TestSoFar:
    @pytest.mark.parametrize("until", [1, 4, 6, 12, 22, 23])
    def test_a_usual_day_is_usual_at_every_hour(self, until: int) -> None:
        """Low alpha at night is no alarm, as it is low every night."""
        assert _alarms(_usual(until)) == []

    def test_a_part_of_a_day_is_no_day(self) -> None:
        """The night alone would be an alarm if it were compared with whole days."""
        days = [_day(_hours(MONDAY + timedelta(days=n), random.Random(n))) for n in range(28)]
        night = _day(_usual(4))

        assert judge_day(night, [*days, night]) is not None

    def test_the_queries_rise_before_noon(self) -> None:
        """D_q of a morning is judged by that of other mornings: whole days have more."""
        today = _usual(8)
        today += [_hour(TODAY, hour, 300, 85) for hour in (9, 10)]

        (alarm,) = _alarms(today)

        assert alarm.kind is AlarmKind.ALPHA_FALLS_QUERIES_RISE
        assert (alarm.day, "until 10:59" in alarm.because) == (TODAY, True)
        usual = _day(_hours(TODAY, random.Random(4)))
        assert (_day(today).queries or 0) < (usual.queries or 0)

    def test_a_few_connections_at_night_are_no_surge(self) -> None:
        """A client's share is of a usual day, not of the first hours."""
        at_night = Surge(client=DRIVER, connects=25, usual=0, surplus=25)
        large = Surge(client=DRIVER, connects=250, usual=0, surplus=250)

        assert _alarms(_usual(2), at_night) == []
        assert [alarm.kind for alarm in _alarms(_usual(20), large)] == [AlarmKind.CLIENT_SURGE]

    def test_who_is_left_out_keeps_the_part_of_an_hour(self) -> None:
        """A day's own figures, without the clients that do not count, are cut by its hours."""
        hours = _usual(23)
        day = replace(_day(hours), connects=_day(hours).connects // 2)
        tomorrow = [replace(hour, day=TODAY + timedelta(days=1)) for hour in hours[:6]]

        cut = so_far([day, _day(tomorrow)], [*hours, *tomorrow])

        assert (cut[0].until, cut[0].connects) == (5, round(day.connects * 120 / 1920))
        assert cut[1].connects == 120
