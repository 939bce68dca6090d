"""What alpha is too coarse for: one client above its own usual, and clients that nobody knew."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from botprobe.observers.maillog.alarms import AlarmKind, judge_day
from botprobe.observers.maillog.analysis import Analysis, Choices, analyse
from botprobe.observers.maillog.drivers import Cause
from botprobe.observers.maillog.figures import Figures
from tests.observers.maillog.conftest import CountLines
from tests.observers.maillog.synthetic import Day, Visit, postfix_lines

MONDAY = date(2026, 9, 7)
LAST = MONDAY + timedelta(days=21)
KNOWN = tuple(f"203.0.113.{number}" for number in range(1, 41))


def _analysis(count_lines: CountLines, *extra: Visit, scale: int = 1) -> Analysis:
    """Analyse three quiet weeks and a Monday with further visits; a day has 1,000 connections."""
    days = []
    for offset in range(22):
        usual = tuple(
            Visit(client=client, accepted=18 * scale + (number + offset) % 3, idle=7 * scale)
            for number, client in enumerate(KNOWN)
        )
        today = MONDAY + timedelta(days=offset)
        days.append(Day(today, (*usual, *(extra if today == LAST else ()))))
    return analyse(count_lines(postfix_lines(days), date(2026, 11, 1)), None, Choices())


def _kinds(found: Analysis) -> list[AlarmKind]:
    return [one.alarm.kind for one in found.incidents if one.alarm.day == LAST]


class TestClientSurge:
    @pytest.mark.parametrize("refused", [60, 120])
    def test_a_small_driver_is_found_and_named(self, count_lines: CountLines, refused: int) -> None:
        """A client that nobody knew and that hands nothing in stands out at six per cent."""
        found = _analysis(count_lines, Visit(client="198.51.100.7", refused=refused))

        assert AlarmKind.CLIENT_SURGE in _kinds(found)
        (incident,) = [one for one in found.incidents if one.alarm.surging is not None]
        assert incident.drivers[0] == "198.51.100.7"
        assert incident.attribution is not None
        assert incident.attribution.cause is Cause.SIMPLE_ERROR
        assert f"one client made {refused} connections where 0 are usual" in incident.alarm.because

    def test_a_known_client_is_compared_with_itself(self, count_lines: CountLines) -> None:
        """Who always makes 25 connections and now 150 surges as well."""
        found = _analysis(count_lines, Visit(client=KNOWN[3], idle=125))

        (incident,) = [one for one in found.incidents if one.alarm.surging is not None]
        assert incident.drivers[0] == KNOWN[3]

    @pytest.mark.parametrize(
        "visits",
        [
            (Visit(client="198.51.100.7", accepted=150),),
            (Visit(client=KNOWN[3], idle=25),),
            (Visit(client="198.51.100.7", idle=12),),
        ],
        ids=["hands its mails in", "twice the usual", "too little"],
    )
    def test_what_is_no_surge(self, count_lines: CountLines, visits: Sequence[Visit]) -> None:
        """A new partner, a busy day and a passer-by raise no alarm."""
        found = _analysis(count_lines, *visits)

        assert _kinds(found) == []

    def test_a_crowd_is_no_client(self, count_lines: CountLines) -> None:
        """Where many clients surge at the same time, nobody is picked out."""
        crowd = [Visit(client=client, idle=150) for client in KNOWN[:8]]

        found = _analysis(count_lines, *crowd)

        assert AlarmKind.CLIENT_SURGE not in _kinds(found)
        assert AlarmKind.ALPHA_FALLS in _kinds(found)

    def test_a_server_that_fails_blames_nobody(self, count_lines: CountLines) -> None:
        """When everybody's mails fail, connections are as usual: no client surges."""
        days = []
        for offset in range(22):
            failing = offset == 21
            visits = tuple(
                Visit(client=client, accepted=0 if failing else 18, idle=25 if failing else 7)
                for client in KNOWN
            )
            days.append(Day(MONDAY + timedelta(days=offset), visits))

        found = analyse(count_lines(postfix_lines(days), date(2026, 11, 1)), None, Choices())

        assert _kinds(found) == [AlarmKind.ALPHA_FALLS]


class TestStrangers:
    def test_many_new_clients_are_a_burst(self, count_lines: CountLines) -> None:
        """Two hundred clients that nobody knew, one connection each, are told in one alarm."""
        burst = [Visit(client=f"198.51.100.{n}", idle=1) for n in range(1, 200)]

        found = _analysis(count_lines, *burst)

        (incident,) = [one for one in found.incidents if one.alarm.day == LAST]
        assert incident.alarm.kind is AlarmKind.STRANGERS_SURGE
        assert incident.attribution is not None
        assert incident.attribution.cause is Cause.DISTRIBUTED_BURST
        assert "never seen before" in incident.alarm.because
        assert not set(found.drivers) & set(KNOWN)

    def test_many_small_ones_are_seen_by_their_number(self) -> None:
        """Where strangers waste a little more than on any day, it matters how many they are."""
        chance = random.Random(5)
        usual = [
            Figures(
                day=MONDAY + timedelta(days=offset),
                connects=1_000,
                mails=700,
                statuses={},
                rejects={},
                postscreen={},
                strangers=chance.randrange(15, 60),
                newcomers=chance.randrange(10, 15),
            )
            for offset in range(30)
        ]
        few, many = (replace(usual[-1], strangers=65, newcomers=n) for n in (14, 60))

        alarm = judge_day(many, [*usual[:-1], many])

        assert judge_day(few, [*usual[:-1], few]) is None
        assert alarm is not None
        assert alarm.kind is AlarmKind.STRANGERS_SURGE
        assert alarm.because.startswith("60 clients (usually 12) that were never seen before")

    def test_at_the_start_of_a_log_everybody_is_new(self, count_lines: CountLines) -> None:
        """The first days of a log raise no alarm for having new clients."""
        found = _analysis(count_lines)

        assert [one.alarm.because for one in found.incidents] == []
