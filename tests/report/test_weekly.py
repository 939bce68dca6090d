"""The numbers of a report."""

from datetime import UTC, datetime

import pytest

from botprobe.errors import InputError
from botprobe.model.verdict import Label
from botprobe.model.weekly import HostGroup, Period, Standing, Tallies, Week
from botprobe.report.periods import chosen_periods
from botprobe.report.systems import Step
from botprobe.report.weekly import MAX_LINES, Line, weekly_report
from tests.report.study import made_case, report_on, study_report

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
WEEK = Week.parse("2026-W47")


def numbers(lines: tuple[Line, ...]) -> dict[str, tuple[int, int]]:
    """Return the hosts of each line, before and now."""
    return {line.name: (line.before.count, line.hosts.count) for line in lines}


class TestStudy:
    def test_reproduces_the_figure_of_the_study(self) -> None:
        """Two looks at 372 hosts: 69 systems told in August and 44 in October (Endo 2009)."""
        report = study_report()

        assert numbers(report.systems) == {
            "Windows 95~XP": (2, 0),
            "Windows Server": (10, 5),
            "Linux": (22, 19),
            "other": (35, 20),
        }
        assert (report.told_before.count, report.told_before.of) == (69, 372)
        assert (report.told.count, report.told.of) == (44, 372)
        assert sum(look.hosts.count for look in report.system_looks) == 372


class TestShares:
    def test_every_address_is_at_one_step(self) -> None:
        """The steps add up to all addresses, and each line knows the sum."""
        cases = [
            made_case("198.18.0.1", NOON, "client", Label.BOT),
            made_case("198.18.0.2", NOON, None, Label.UNKNOWN),
            made_case("198.18.0.3", NOON, None, Label.UNREACHABLE),
            made_case("198.18.0.4", NOON, label=Label.NOT_PROBED, refused="opted out"),
        ]

        report = report_on(iter(cases), Period(WEEK, WEEK), Period(WEEK, WEEK).before)

        assert {line.name: line.hosts.count for line in report.steps} == {
            str(step): 1 for step in (Step.TOLD, Step.NOT_TOLD, Step.UNREACHABLE, Step.REFUSED)
        }
        assert {line.hosts.of for line in report.steps} == {4}
        assert report.told.of == 3

    def test_the_tail_of_a_long_table_is_added_up(self) -> None:
        """However many generations there are, the lines still add up to all hosts."""
        groups = tuple(
            HostGroup(
                now=Standing(
                    label=Label.UNKNOWN, family="Linux", generation=f"{number}.X", role="other"
                ),
                before=None,
                hosts=number,
                delivered=1,
            )
            for number in range(1, 40)
        )

        report = weekly_report(
            Tallies(period=Period(WEEK, WEEK), compared=Period(WEEK, WEEK), groups=groups), NOON
        )

        assert len(report.generations) == MAX_LINES
        assert sum(line.hosts.count for line in report.generations) == sum(range(1, 40))
        assert report.generations[-1].name == "28 others"

    def test_nothing_has_no_share(self) -> None:
        """A report about an empty store has no figure and divides by nothing."""
        period = Period(WEEK, WEEK)

        report = weekly_report(Tallies(period=period, compared=period.before), NOON)

        assert report.told.percent is None
        assert report.delay.median is None
        assert report.systems == ()


class TestDelay:
    def test_median_and_ninth_decile(self) -> None:
        """Half of the hosts are within the median, nine of ten within the ninth decile."""
        lags = tuple((seconds, 1) for seconds in (5, 10, 20, 30, 40, 50, 70, 80, 90, 4000))
        period = Period(WEEK, WEEK)

        report = weekly_report(Tallies(period=period, compared=period, lags=lags), NOON)

        assert (report.delay.median, report.delay.ninth_decile) == (40, 90)
        assert dict(report.delay.histogram)["below 1 minute"] == 6
        assert sum(hosts for _, hosts in report.delay.histogram) == 10


class TestPeriods:
    def test_by_default_the_last_whole_week(self) -> None:
        """Without a choice it is the week that ended last, against the one before."""
        period, compared = chosen_periods(NOON)

        assert (str(period), str(compared)) == ("2026-W46", "2026-W45")

    def test_this_week(self) -> None:
        """The week that is not over yet has to be asked for."""
        period, compared = chosen_periods(NOON, week="this")

        assert (str(period), str(compared)) == ("2026-W47", "2026-W46")

    def test_dates_stand_for_their_weeks(self) -> None:
        """--since and --until widen a date to its whole week."""
        period, compared = chosen_periods(NOON, since="2026-10-01", until="2026-10-31")

        assert str(period) == "2026-W40 to 2026-W44"
        assert compared.weeks == 5

    @pytest.mark.parametrize("text", ["2026-W54", "2026-W00", "0000-W01", "yesterday", "9999-W52"])
    def test_no_week(self, text: str) -> None:
        """What is no week is refused in one line."""
        with pytest.raises(InputError, match=r"neither a week|not between"):
            chosen_periods(NOON, week=text)

    def test_contradictions(self) -> None:
        """--week excludes --since, --until needs it, and no period ends before it begins."""
        for choice in (
            {"week": "2026-W47", "since": "2026-W01"},
            {"until": "2026-W47"},
            {"since": "2026-W47", "until": "2026-W46"},
        ):
            with pytest.raises(InputError):
                chosen_periods(NOON, **choice)

    def test_iso_years(self) -> None:
        """The first of January may lie in the last week of the year before."""
        assert str(Week.parse("2027-01-01")) == "2026-W53"
        assert Week.parse("2026-W53").start == datetime(2026, 12, 28, tzinfo=UTC)
