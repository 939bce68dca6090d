"""The tables of the published study, reproduced from logs made for them."""

from datetime import date
from pathlib import Path

import pytest

from botprobe.observers.maillog.alarms import AlarmKind
from botprobe.observers.maillog.analysis import Analysis, Choices, Incident, analyse
from botprobe.observers.maillog.dnstally import DnsTally, read_dns_logs
from botprobe.observers.maillog.drivers import Cause
from botprobe.observers.maillog.figures import Figures
from botprobe.observers.maillog.model import PUBLISHED_M_SMTP, PUBLISHED_S
from botprobe.observers.maillog.reader import ReadOptions, read_logs
from botprobe.observers.maillog.tally import LogTally
from botprobe.observers.maillog.wording import incident_sentence, usual_alpha
from tests.observers.maillog.published import (
    CULPRIT,
    ONE_CLIENT,
    REMOVED_ACCOUNTS,
    SERVER,
    queries,
    spring,
)
from tests.observers.maillog.synthetic import bind_lines, postfix_lines

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Return what the logs of the spring of 2003 say."""
    directory: Path = tmp_path_factory.mktemp("spring")
    days = spring()
    mail_log, query_log = directory / "maillog", directory / "query.log"
    with mail_log.open("w") as file:
        file.writelines(postfix_lines(days))
    with query_log.open("w") as file:
        file.writelines(bind_lines(days, queries(days), SERVER))
    tally, dns = LogTally(), DnsTally()
    read_logs([mail_log], ReadOptions(first_year=2003), tally)
    read_dns_logs([query_log], dns, None, None)
    return analyse(tally, dns, Choices())


def _figures(analysis: Analysis, day: date) -> Figures:
    return next(figures for figures in analysis.days if figures.day == day)


def _incident(analysis: Analysis, day: date) -> Incident:
    return next(one for one in analysis.incidents if one.alarm.day == day and one.alarm.alpha)


class TestPublishedTables:
    def test_counts_the_day_of_the_removed_accounts(self, analysis: Analysis) -> None:
        """2003-04-13 had 16 / 2 / 13,505 rejects and alpha 0.21."""
        day = _figures(analysis, REMOVED_ACCOUNTS)

        assert day.rejects == {
            "relay-denied": 16,
            "recipient-rejected": 2,
            "user-unknown": 13_505,
        }
        assert day.alpha == pytest.approx(0.21, abs=0.005)

    def test_counts_the_day_of_the_one_client(self, analysis: Analysis) -> None:
        """2003-07-05 had 7 / 0 / 32,028 rejects and alpha 0.11."""
        day = _figures(analysis, ONE_CLIENT)

        assert day.rejects == {"relay-denied": 7, "user-unknown": 32_028}
        assert day.alpha == pytest.approx(0.11, abs=0.005)

    def test_finds_the_usual_alpha_of_weekdays_and_holidays(self, analysis: Analysis) -> None:
        """Alpha is 0.70 on weekdays and 0.35 on holidays."""
        assert usual_alpha(analysis.days, holiday=False) == pytest.approx(0.70, abs=0.02)
        assert usual_alpha(analysis.days, holiday=True) == pytest.approx(0.35, abs=0.04)


class TestPublishedModel:
    def test_recovers_the_queries_of_a_connection(self, analysis: Analysis) -> None:
        """The interval of m_SMTP holds 8.8 and is narrow, abnormal days included."""
        line = analysis.model.dns

        assert line is not None
        assert line.low <= PUBLISHED_M_SMTP <= line.high
        assert line.high - line.low < 0.1
        assert line.r is not None
        assert line.r > 0.99

    def test_recovers_the_mails_of_a_connection(self, analysis: Analysis) -> None:
        """The interval of s holds 0.95, although two days lie far off the line."""
        line = analysis.model.mails

        assert line is not None
        assert line.low <= PUBLISHED_S <= line.high
        assert line.high - line.low < 0.05


class TestPublishedAlarms:
    def test_raises_an_alarm_on_the_two_days_only(self, analysis: Analysis) -> None:
        """Alpha falls while D_q rises on the two abnormal days and on no other."""
        abnormal = [one.alarm for one in analysis.incidents if one.alarm.alpha is not None]

        assert [alarm.day for alarm in abnormal] == [REMOVED_ACCOUNTS, ONE_CLIENT]
        assert {alarm.kind for alarm in abnormal} == {AlarmKind.ALPHA_FALLS_QUERIES_RISE}

    def test_tells_removed_accounts_from_a_driver(self, analysis: Analysis) -> None:
        """Unknown users from many known clients are removed accounts."""
        attribution = _incident(analysis, REMOVED_ACCOUNTS).attribution

        assert attribution is not None
        assert attribution.cause is Cause.REMOVED_ACCOUNTS

    def test_blames_no_correspondent_for_removed_accounts(self, analysis: Analysis) -> None:
        """All clients of that day are ordinary ones: no filter and no probe is for them."""
        incident = _incident(analysis, REMOVED_ACCOUNTS)

        assert incident.drivers == ()
        assert analysis.drivers == (CULPRIT,)
        assert "none of them is to blame alone" in incident_sentence(incident)

    def test_names_the_one_client(self, analysis: Analysis) -> None:
        """The driver of 2003-07-05 is found, and without it alpha is that of a good day."""
        incident = _incident(analysis, ONE_CLIENT)

        assert incident.drivers == (CULPRIT,)
        assert incident.attribution is not None
        assert incident.attribution.cause is Cause.SIMPLE_ERROR
        assert incident.effect is not None
        assert incident.effect.alpha_without == pytest.approx(1.0, abs=0.01)

    def test_foretells_the_queries_without_the_driver(self, analysis: Analysis) -> None:
        """Without A the model expects D_q to fall by 8.8 for each of its connections."""
        effect = _incident(analysis, ONE_CLIENT).effect

        assert effect is not None
        assert effect.queries is not None
        assert effect.queries_without is not None
        saved = effect.queries - effect.queries_without
        assert saved == pytest.approx(PUBLISHED_M_SMTP * 32_028, rel=0.01)
