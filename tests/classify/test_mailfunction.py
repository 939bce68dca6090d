"""Tests of the grades of mail service."""

import pytest

from botprobe.classify.mailfunction import (
    MailGrade,
    SmtpFunction,
    announced_name,
    mail_function,
    mail_grade,
)
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.results import PortState, Reply, SmtpResult
from tests.classify.builders import (
    CLOSED,
    FILTERED,
    MAIL_NAME,
    REFUSES,
    SILENT,
    TAKES_MAIL,
    measured,
    named,
    smtp,
)


class TestMailGrade:
    @pytest.mark.parametrize(
        ("outcome", "grade", "function"),
        [
            (CLOSED, MailGrade.CLOSED, SmtpFunction.NONE),
            (FILTERED, MailGrade.FILTERED, SmtpFunction.NONE),
            (SILENT, MailGrade.SILENT, SmtpFunction.NONE),
            (REFUSES, MailGrade.GREETS, SmtpFunction.GREETS),
            (smtp(PortState.OPEN, 421), MailGrade.GREETS, SmtpFunction.GREETS),
            (TAKES_MAIL, MailGrade.SPEAKS, SmtpFunction.MAIL_SERVER),
        ],
    )
    def test_each_behaviour_has_its_grade(
        self, outcome: Measured[SmtpResult], grade: MailGrade, function: SmtpFunction
    ) -> None:
        """From closed to speaking, and the three steps that other programs read."""
        facts = Facts(smtp=outcome)

        assert mail_grade(facts) is grade
        assert mail_function(facts) is function

    def test_refused_ehlo_only_greets(self) -> None:
        """A 220 alone takes no mail."""
        result = SmtpResult(
            port=PortState.OPEN,
            greeting=Reply(220, ("mx ESMTP",)),
            ehlo=Reply(550, ("go away",)),
        )

        assert mail_grade(Facts(smtp=measured(result))) is MailGrade.GREETS

    def test_not_measured_has_no_grade(self) -> None:
        """A blocked way out says nothing about the host."""
        facts = Facts(smtp=NotMeasured("egress blocked"))

        assert mail_grade(facts) is None
        assert mail_function(facts) is None

    def test_own_name_needs_every_sign(self) -> None:
        """PTR, confirmation, greeting, EHLO and MX must agree, whatever their case."""
        grades = [
            mail_grade(Facts(smtp=TAKES_MAIL, dns=dns))
            for dns in (
                named(MAIL_NAME.upper() + ".", mx_points_here=True),
                named(MAIL_NAME, mx_points_here=False),
                named(MAIL_NAME, confirmed=False, mx_points_here=True),
                named("other.firm.example", mx_points_here=True),
                named(),
            )
        ]

        assert grades == [MailGrade.OWN_NAME, *[MailGrade.SPEAKS] * 4]


class TestAnnouncedName:
    @pytest.mark.parametrize(
        ("reply", "name"),
        [
            (Reply(220, ("MX.Firm.Example. ESMTP", "more")), "mx.firm.example"),
            (Reply(220, ("",)), None),
            (Reply(220, ()), None),
            (None, None),
        ],
    )
    def test_is_the_first_word(self, reply: Reply | None, name: str | None) -> None:
        """RFC 5321 puts the domain first; what is not there has no name."""
        assert announced_name(reply) == name
