"""From figures to conclusions: fits, level shifts, baselines, drivers, what a filter would do."""

import random
import re
from dataclasses import replace
from datetime import date, timedelta
from ipaddress import ip_address
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botprobe.cli.maillog_document import maillog_document
from botprobe.cli.maillog_metrics import metrics_text
from botprobe.observers.maillog.alarms import AlarmKind, find_alarms, judge_day
from botprobe.observers.maillog.analysis import Analysis, Choices, analyse
from botprobe.observers.maillog.changes import change_points
from botprobe.observers.maillog.clients import (
    MAX_CLIENT_BYTES,
    ClientNames,
    address_of,
    is_address,
)
from botprobe.observers.maillog.digits import told_apart
from botprobe.observers.maillog.dossier import observations
from botprobe.observers.maillog.drivers import Cause
from botprobe.observers.maillog.effect import Action, Medians, access_map, before_and_after
from botprobe.observers.maillog.figures import Figures
from botprobe.observers.maillog.fit import fit_line
from botprobe.observers.maillog.model import fit_model
from botprobe.observers.maillog.tally import LogTally
from botprobe.observers.maillog.wording import change_table, unknown_sentence, verdict
from tests.observers.maillog.conftest import CountLines
from tests.observers.maillog.synthetic import UNKNOWN, Day, Visit, postfix_lines

MONDAY = date(2026, 9, 7)
REGULAR = tuple(f"203.0.113.{number}" for number in range(1, 31))


def _figures(day: date, connects: int, alpha: float, queries: int | None = None) -> Figures:
    return Figures(
        day=day,
        holiday=day.weekday() >= 5,
        connects=connects,
        mails=round(connects * alpha),
        statuses={},
        rejects={},
        postscreen={},
        queries=queries,
    )


def _month(*, queries: bool = True) -> list[Figures]:
    chance = random.Random(7)
    days = []
    for offset in range(42):
        connects = chance.randrange(950, 1050)
        alpha = chance.uniform(0.68, 0.72)
        asked = connects * 9 if queries else None
        days.append(_figures(MONDAY + timedelta(days=offset), connects, alpha, asked))
    return days


class TestToldApart:
    @given(st.lists(st.floats(0, 1e6), min_size=1, max_size=3))
    def test_looks_as_it_is(self, numbers: list[float]) -> None:
        """Numbers that differ by a millionth and more look different, and none looks like 0."""
        rounded = [round(number, 6) for number in numbers]

        texts = told_apart(*rounded)

        assert len(set(texts)) == len(set(rounded))
        assert [float(text.replace(",", "")) == 0 for text in texts] == [n == 0 for n in rounded]

    def test_takes_no_more_decimals_than_it_needs(self) -> None:
        """Two, as long as they do."""
        assert told_apart(0.7, 0.35) == ("0.70", "0.35")
        assert told_apart(1.04, 1, least=1) == ("1.04", "1.00")
        assert told_apart(1.5, 1, least=1) == ("1.5", "1.0")


class TestFitLine:
    def test_recovers_a_line(self) -> None:
        """A line without noise is found exactly."""
        xs = [float(x) for x in range(20)]

        line = fit_line(xs, [8.8 * x + 3 for x in xs])

        assert line is not None
        assert line.slope == pytest.approx(8.8)
        assert line.intercept == pytest.approx(3)
        assert line.low == pytest.approx(line.high)

    def test_outliers_do_not_bend_it(self) -> None:
        """A fifth of wild days leaves the slope where it was."""
        xs = [float(x) for x in range(50)]
        ys = [2 * x + (1_000 if x % 5 == 0 else 0) for x in xs]

        line = fit_line(xs, ys)

        assert line is not None
        assert line.slope == pytest.approx(2, abs=0.1)

    def test_the_interval_holds_the_truth_as_often_as_it_says(self) -> None:
        """Of 200 noisy lines about 95 % have the true slope in their interval."""
        chance = random.Random(3)
        xs = [float(x) for x in range(30)]
        held = 0
        for _ in range(200):
            line = fit_line(xs, [0.95 * x + chance.gauss(0, 3) for x in xs])
            assert line is not None
            held += line.low <= 0.95 <= line.high

        assert 180 <= held <= 199

    @pytest.mark.parametrize("count", [0, 1, 4])
    def test_too_few_points_have_no_line(self, count: int) -> None:
        """Under five points there is nothing to fit."""
        xs = [float(x) for x in range(count)]

        assert fit_line(xs, xs) is None

    def test_points_above_each_other_have_no_line(self) -> None:
        """Without any spread of x there is no slope."""
        assert fit_line([1.0] * 9, [float(y) for y in range(9)]) is None


class TestModel:
    def test_takes_kn_from_the_slope(self) -> None:
        """With m = 2 + kn (1 - q) the queries per transmitted mail follow from the slope."""
        days = [
            replace(_figures(MONDAY + timedelta(days=n), 100 + n, 0.7), received=50, transmitted=50)
            for n in range(20)
        ]
        asked = [replace(day, queries=8 * day.connects + 5, logins=5) for day in days]

        model = fit_model(asked)

        assert model.q == pytest.approx(0.5)
        assert model.kn == pytest.approx(12)

    def test_without_queries_there_is_no_dns_model(self) -> None:
        """What was not measured is not fitted."""
        assert fit_model(_month(queries=False)).dns is None


class TestChangePoints:
    def test_finds_a_shift(self) -> None:
        """A level that doubles is found on its day, give or take one."""
        chance = random.Random(5)
        values = [chance.gauss(0 if day < 30 else 0.7, 0.1) for day in range(60)]

        (found,) = change_points(values)

        assert abs(found - 30) <= 1

    def test_one_day_of_many_shifts_is_one_alarm(self) -> None:
        """N_c, alpha and rejects that change on the same day are told together."""
        days = [
            replace(_figures(day.day, 3 * day.connects, 0.3), rejects={}) if number >= 21 else day
            for number, day in enumerate(_month(queries=False))
        ]

        (shift,) = [one for one in find_alarms(days) if one.kind is AlarmKind.LEVEL_SHIFT]

        assert shift.day == days[21].day
        assert re.fullmatch(
            r"N_c is [23]\.\d\d times, alpha is 0\.4\d times and the number of rejects per "
            r"connection is 0\.3\d times what it was before this day\.",
            shift.because,
        )

    def test_one_wild_day_is_no_shift(self) -> None:
        """An event is not a level."""
        chance = random.Random(5)
        values = [chance.gauss(0, 0.1) + (3 if day == 30 else 0) for day in range(60)]

        assert change_points(values) == []

    @given(st.lists(st.floats(-5, 5), max_size=60))
    def test_parts_are_never_short(self, values: list[float]) -> None:
        """Each level lasts a week or more, whatever the values are."""
        borders = [0, *change_points(values), len(values)]

        assert borders == sorted(borders)
        if len(borders) > 2:
            assert min(b - a for a, b in pairwise(borders)) >= 7


class TestJudgeDay:
    def test_alpha_falls_while_queries_rise(self) -> None:
        """The rule of the work."""
        days = _month()
        abnormal = _figures(days[-1].day, 2_000, 0.35, 18_000)

        alarm = judge_day(abnormal, [*days[:-1], abnormal])

        assert alarm is not None
        assert alarm.kind is AlarmKind.ALPHA_FALLS_QUERIES_RISE

    def test_an_outage_of_the_dns_is_told_apart(self) -> None:
        """Where alpha falls and the queries do not rise, the alarm points to the server."""
        days = _month()
        abnormal = _figures(days[-1].day, 1_000, 0.2, 3_000)

        alarm = judge_day(abnormal, [*days[:-1], abnormal])

        assert alarm is not None
        assert alarm.kind is AlarmKind.ALPHA_FALLS
        assert "did not rise" in alarm.because

    def test_without_queries_it_says_so(self) -> None:
        """An alarm on alpha alone names what was not measured."""
        days = _month(queries=False)
        abnormal = _figures(days[-1].day, 2_000, 0.3)

        alarm = judge_day(abnormal, [*days[:-1], abnormal])

        assert alarm is not None
        assert "not measured" in alarm.because

    @pytest.mark.parametrize(
        ("alpha", "usual", "words"),
        [
            (0.004, 0.012, "fell to 0.004 where 0.012 is usual"),
            (0.0, 0.012, "fell to 0 where 0.01 is usual"),
            (0.0108, 0.0142, "fell to 0.011 where 0.014 is usual"),
            (0.21, 0.7, "fell to 0.21 where 0.70 is usual"),
        ],
    )
    def test_an_alarm_shows_the_difference(self, alpha: float, usual: float, words: str) -> None:
        """Two numbers that differ never look alike, and only no mail at all is 0."""
        days = [
            _figures(MONDAY + timedelta(days=n), 100_000 + n, usual) for n in range(40) if n % 7 < 5
        ]
        days.append(_figures(MONDAY + timedelta(days=42), 100_000, alpha))

        alarm = judge_day(days[-1], days)

        assert alarm is not None
        assert words in alarm.because

    def test_usual_days_raise_nothing(self) -> None:
        """A month of usual days has no alarm."""
        assert find_alarms(_month()) == []

    def test_a_short_log_raises_nothing(self) -> None:
        """Without a baseline no day can be abnormal."""
        days = [_figures(MONDAY, 1_000, 0.7), _figures(MONDAY + timedelta(days=1), 1_000, 0.01)]

        assert find_alarms(days) == []


def _analysis(count_lines: CountLines, *last: Visit, exclude: bool = False) -> Analysis:
    """Analyse four usual weeks and a last day with some more visits."""
    chance = random.Random(9)

    def usual() -> tuple[Visit, ...]:
        accepted = {client: chance.randrange(6, 9) for client in REGULAR}
        return tuple(Visit(client=c, accepted=n, idle=3) for c, n in accepted.items())

    days = [Day(MONDAY + timedelta(days=n), usual()) for n in range(29) if n % 7 < 5]
    days[-1] = Day(days[-1].day, days[-1].visits + last)
    tally: LogTally = count_lines(postfix_lines(days), date(2026, 11, 1))
    return analyse(tally, None, Choices(without_monitors=exclude))


class TestDrivers:
    def test_one_client_that_repeats_refused_mails(self, count_lines: CountLines) -> None:
        """It is named, and its cause is an error."""
        found = _analysis(count_lines, Visit(client="198.51.100.7", refused=900))

        assert found.drivers == ("198.51.100.7",)
        assert found.incidents[0].attribution is not None
        assert found.incidents[0].attribution.cause is Cause.SIMPLE_ERROR
        assert "198.51.100.7" in verdict(found)

    def test_one_client_that_only_connects(self, count_lines: CountLines) -> None:
        """It is named, and its cause is a DoS."""
        found = _analysis(count_lines, Visit(client="198.51.100.7", idle=900))

        assert found.drivers == ("198.51.100.7",)
        assert found.incidents[0].attribution is not None
        assert found.incidents[0].attribution.cause is Cause.SMTP_DOS

    def test_many_new_clients(self, count_lines: CountLines) -> None:
        """A burst from everywhere has no driver to blame."""
        crowd = [Visit(client=f"198.51.100.{number}", idle=4) for number in range(1, 250)]

        found = _analysis(count_lines, *crowd)

        assert found.incidents[0].attribution is not None
        assert found.incidents[0].attribution.cause is Cause.DISTRIBUTED_BURST

    def test_many_known_clients_and_unknown_users(self, count_lines: CountLines) -> None:
        """Known clients that write to users who are gone tell of removed accounts."""
        crowd = [Visit(client=client, refused=30, reply=UNKNOWN) for client in REGULAR]

        found = _analysis(count_lines, *crowd)

        assert found.incidents[0].attribution is not None
        assert found.incidents[0].attribution.cause is Cause.REMOVED_ACCOUNTS

    def test_a_usual_day_has_none(self, count_lines: CountLines) -> None:
        """Nobody drives a day that is as the others."""
        found = _analysis(count_lines)

        assert found.drivers == ()
        assert "No day was abnormal" in verdict(found)

    def test_loopback_does_not_count(self, count_lines: CountLines) -> None:
        """What a content filter hands back would count each mail twice."""
        usual = _analysis(count_lines)
        filtered = _analysis(count_lines, Visit(client="127.0.0.1", accepted=500))

        assert filtered.days[-1].connects == usual.days[-1].connects
        assert filtered.days[-1].mails == usual.days[-1].mails


class TestWithoutConnections:
    """Exim logs connections with +smtp_connection only, sendmail from LogLevel 10 on."""

    LINES = (
        "2026-09-07 09:00:01 1abcde-000001-AA <= a@x.example H=mx.example.com [192.0.2.1] P=esmtp",
        "2026-09-07 09:00:02 1abcde-000001-AA Completed",
        "2026-09-07 09:01:00 H=x [192.0.2.2] F=<b@example.com> rejected RCPT <u@example.org>: no",
        '2026-09-07 09:02:00 H=[192.0.2.2] temporarily rejected connection in "connect" ACL',
        "2026-09-08 09:00:00 login authenticator failed for h [192.0.2.3]: 535 Incorrect",
    )

    def test_nothing_is_measured_as_none(self, count_lines: CountLines) -> None:
        """N_c is then unknown, which is not zero, and the verdict says why."""
        found = analyse(count_lines(self.LINES, MONDAY), None, Choices())
        document = maillog_document(found)

        assert [day["n_c"] for day in document["days"]] == [None, None]
        assert {hour["n_c"] for hour in document["hours"]} == {None}
        assert [day["alpha"] for day in document["days"]] == [None, None]
        assert "botprobe_maillog_connects" not in metrics_text(found)
        assert "not measured" in verdict(found)
        assert "+smtp_connection" in verdict(found)
        assert "1 mail and 3 refusals" in verdict(found)

    def test_clients_are_known_by_what_they_did(self, count_lines: CountLines) -> None:
        """The busiest, and the dossiers, go by mails and refusals."""
        tally = count_lines(self.LINES, MONDAY)
        found = analyse(tally, None, Choices())

        assert [one.client for one in found.clients] == ["192.0.2.2", "192.0.2.1"]
        assert found.clients[0].rejects == {"other": 1, "client-rejected": 1}
        assert {str(one.address) for one in observations(tally, found)} == {
            "192.0.2.1",
            "192.0.2.2",
        }

    def test_a_day_of_local_mail_only_has_no_connection(self, count_lines: CountLines) -> None:
        """Mails that a local program hands in need none: that is zero, and measured."""
        found = analyse(
            count_lines(
                [
                    "Sep  7 09:00:01 mx postfix/pickup[7]: A1: uid=0 from=<root>",
                    "Sep  7 09:00:01 mx postfix/qmgr[8]: A1: from=<r@x>, size=9, nrcpt=1 (x)",
                ],
                MONDAY,
            ),
            None,
            Choices(),
        )

        assert [day["n_c"] for day in maillog_document(found)["days"]] == [0]
        assert verdict(found) == (
            "The log tells of no connection of a client: alpha was not measured. It has 1 mail "
            "sent from here."
        )

    def test_a_log_without_any_event_says_so(self, count_lines: CountLines) -> None:
        """Lines of other programs are no mail."""
        found = analyse(count_lines(["Sep  7 09:00:01 mx sshd[7]: hello"], MONDAY), None, Choices())

        assert verdict(found) == "No event of a mail server was recognised in 1 line."


class TestDominantClient:
    def test_is_told_of_the_shortest_log(self, count_lines: CountLines) -> None:
        """Who makes most of all connections and hands nothing in needs no history to be seen."""
        visits = (Visit(client="198.51.100.7", idle=90), Visit(client=REGULAR[0], accepted=60))
        tally = count_lines(postfix_lines([Day(MONDAY, visits)]), date(2026, 11, 1))

        text = verdict(analyse(tally, None, Choices()))

        assert "198.51.100.7 made 60% of all connections and handed in no mail" in text

    def test_a_partner_is_not_suspected(self, count_lines: CountLines) -> None:
        """Who makes most of all connections and hands mails in is a good customer."""
        visits = (Visit(client="198.51.100.7", accepted=90), Visit(client=REGULAR[0], accepted=60))
        tally = count_lines(postfix_lines([Day(MONDAY, visits)]), date(2026, 11, 1))

        assert "198.51.100.7" not in verdict(analyse(tally, None, Choices()))

    def test_failed_logins_stand_beside_the_client(self, count_lines: CountLines) -> None:
        """A client that guesses passwords is told from one that only connects."""
        head = "Oct 22 02:13:41 mx postfix/smtpd[7]:"
        tally = count_lines(
            [
                f"{head} connect from x[198.51.100.7]",
                f"{head} warning: x[198.51.100.7]: SASL LOGIN authentication failed: UGFzcw",
            ]
        )

        (client,) = analyse(tally, None, Choices()).clients

        assert client.sasl_failures == 1


class TestMonitors:
    def test_are_recognised_and_left_out_on_request(self, count_lines: CountLines) -> None:
        """Who connects every hour of every day and never says anything is a monitor."""
        visits = [Visit(client="192.0.2.99", idle=48), Visit(client="192.0.2.1", accepted=50)]
        days = [Day(MONDAY + timedelta(days=n), tuple(visits)) for n in range(6)]
        tally = count_lines(postfix_lines(days), date(2026, 11, 1))

        with_it = analyse(tally, None, Choices())
        without_it = analyse(tally, None, Choices(without_monitors=True))

        assert with_it.monitors == ("192.0.2.99",)
        assert mean(day.connects for day in with_it.days) == 98
        assert mean(day.connects for day in without_it.days) == 50


class TestEffect:
    def test_compares_what_was_foretold_with_what_came(self, count_lines: CountLines) -> None:
        """Days before, the abnormal ones, these without their drivers, and the days after."""
        driver = Visit(client="198.51.100.7", refused=2_000)
        visits = tuple(Visit(client=client, accepted=7, idle=3) for client in REGULAR)
        days = [
            Day(MONDAY + timedelta(days=n), (*visits, driver) if n in {18, 21} else visits)
            for n in range(28)
        ]
        since = MONDAY + timedelta(days=22)

        change = analyse(
            count_lines(postfix_lines(days), date(2026, 11, 1)), None, Choices(acted=since)
        ).change

        assert change is not None
        assert (change.days_before, change.days_abnormal, change.days_after) == (22, 2, 6)
        assert change.abnormal == Medians(2_300, 210 / 2_300, None)
        assert change.foretold == Medians(300, 0.7, None)
        assert change.after == Medians(300, 0.7, None)
        assert change_table(change)[:2] == [
            (
                "medians",
                "22 days before",
                "2 abnormal ones",
                "these without their drivers",
                "6 days after",
            ),
            ("N_c", "300", "2,300", "300", "300"),
        ]

    def test_without_an_alarm_nothing_was_foretold(self) -> None:
        """Days before and after are compared all the same."""
        days = _month()

        change = before_and_after(days, [], days[20].day)

        assert (change.abnormal, change.foretold) == (None, None)
        assert change.after.queries is not None

    def test_writes_a_cidr_table(self) -> None:
        """Each client has a line with the action that was chosen."""
        table = access_map(["192.0.2.1", "2001:db8::1"], Action.HOLD, "too many")

        assert table.splitlines()[1:] == ["192.0.2.1\tHOLD too many", "2001:db8::1\tHOLD too many"]


class TestUnknownClients:
    """Only addresses are clients: whoever vanished before Postfix asked is ``unknown[unknown]``."""

    NAMES = ("unknown", "bar", "192.0.2.x", "999.0.2.1", "01.2.3.4", "(others)", "::1::", "1.2.3")
    ADDRESSES = ("192.0.2.1", "2001:db8::1", "IPv6:2001:db8::2", "fe80::1%eth0")
    FORMS = (
        "smtpd[7]: connect from x[{0}]",
        "smtpd[7]: A1: client=x[{0}]",
        "smtpd[7]: NOQUEUE: reject: RCPT from x[{0}]: 550 5.1.1 <u@x>: User unknown; from=<s> to=",
        "smtpd[7]: warning: x[{0}]: SASL LOGIN authentication failed: no",
    )

    def _found(self, count_lines: CountLines) -> tuple[LogTally, Analysis]:
        head = "Sep  7 09:00:01 mx postfix/"
        clients = (*self.NAMES, *self.ADDRESSES)
        lines = [head + form.format(client) for form in self.FORMS for client in clients]
        tally: LogTally = count_lines(lines, MONDAY)
        return tally, analyse(tally, None, Choices())

    def test_what_is_no_address_is_no_client(self, count_lines: CountLines) -> None:
        """It is in no table and no dossier."""
        tally, found = self._found(count_lines)

        assert {one.client for one in found.clients} == set(self.ADDRESSES)
        assert found.client_count == len(self.ADDRESSES)
        assert all(one.address is not None for one in found.clients)
        assert len(observations(tally, found)) == len(self.ADDRESSES)

    def test_what_it_did_counts_all_the_same(self, count_lines: CountLines) -> None:
        """N_c, mails and refusals are those of the server; how many are nobody's is told."""
        tally, found = self._found(count_lines)
        all_of_them = len(self.NAMES) + len(self.ADDRESSES)
        (day,) = maillog_document(found)["days"]
        (hour,) = tally.hours.values()

        assert (day["n_c"], day["n_c_unknown"]) == (all_of_them, len(self.NAMES))
        assert (hour.accepted, hour.sasl_failures) == (all_of_them, all_of_them)
        assert day["rejects"] == {"user-unknown": all_of_them}
        assert found.unread == 0
        assert unknown_sentence(found) == (
            "8 connections name no address: counted in N_c, and nobody's."
        )

    def test_a_log_of_addresses_says_nothing_of_it(self, count_lines: CountLines) -> None:
        """Where all is known there is nothing to tell."""
        found = _analysis(count_lines)

        assert (found.unknown, unknown_sentence(found)) == (0, None)

    def test_a_flood_of_vanished_clients_has_no_driver(self, count_lines: CountLines) -> None:
        """The day is abnormal, and nobody is to blame whom nobody saw."""
        found = _analysis(count_lines, Visit(client="unknown", idle=900))

        assert found.drivers == ()
        assert found.days[-1].unknown == 900
        assert found.incidents[0].alarm.alpha is not None


class TestAddressOf:
    @given(st.text(alphabet="0123456789.abf:", max_size=20) | st.ip_addresses().map(str))
    @example("1.2.3.4")
    @example("255.255.255.255")
    @example("256.1.1.1")
    @example("1.2.3.04")
    @example("1.2.3.4.")
    def test_knows_the_addresses_that_the_library_knows(self, text: str) -> None:
        """The short way and the long one agree, and both with ``ipaddress``."""
        try:
            address = ip_address(text)
        except ValueError:
            address = None

        assert address_of(text.encode()) == address
        assert is_address(text.encode()) == (address is not None)

    @pytest.mark.parametrize("text", ["fe80::1%\x1b[31m", "fe80::1%a b", "IPv6:", "", "[::1]"])
    def test_takes_nothing_else_for_one(self, text: str) -> None:
        """An interface's name is short and plain, and a tag alone is nothing."""
        assert not is_address(text.encode())


class TestClientNames:
    def test_a_flood_of_long_names_is_one_client(self) -> None:
        """Names that are no addresses cannot fill the memory."""
        names = ClientNames()

        numbers = {names.id_of(b"x" * (MAX_CLIENT_BYTES + n)) for n in range(1, 100)}

        assert numbers == {0}
        assert len(names) == 0
