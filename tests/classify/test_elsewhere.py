"""What two places see of one host, and what follows if they disagree."""

from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from botprobe.classify.classifier import judge
from botprobe.classify.elsewhere import seen_elsewhere
from botprobe.judging import shipped_weights
from botprobe.model.facts import NOT_ASKED, Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import ElsewhereResult, PingResult, PortState, Reply, SmtpResult
from botprobe.model.target import Target
from botprobe.model.verdict import Case, Label
from tests.cases import NOON, bot_case

WEIGHTS = shipped_weights()
HOUR = timedelta(hours=1)
R = TypeVar("R")
SPEAKS = SmtpResult(
    port=PortState.OPEN,
    greeting=Reply(220, ("mx.example.org ESMTP",)),
    ehlo=Reply(250, ("mx.example.org",)),
)


def measured(result: R) -> Measured[R]:
    """Return an outcome of noon."""
    return Measured(result, NOON, 1.0)


def looked(vantage: str | None, smtp: SmtpResult) -> Case:
    """Return the look of a place an hour ago."""
    case = bot_case()
    facts = replace(case.facts, smtp=measured(smtp))
    return replace(case, vantage=vantage, started=NOON - HOUR, facts=facts)


def judged(case: Case, elsewhere: ElsewhereResult) -> tuple[Label, dict[str, str]]:
    """Judge a case that another place looked at before; return label and evidence."""
    facts = replace(case.facts, elsewhere=measured(elsewhere))
    verdict = judge(facts, case.target, WEIGHTS, 0.0)
    return verdict.label, {one.rule: one.because for one in verdict.evidence}


class TestSeenElsewhere:
    def test_takes_the_look_of_another_place(self) -> None:
        """Its words, its time, and whether a mail server spoke."""
        seen = seen_elsewhere(looked("lisbon", SPEAKS), "vienna", NOON)

        assert isinstance(seen, Measured)
        assert (seen.result.vantage, seen.result.port, seen.result.greeted) == (
            *("lisbon", PortState.OPEN),
            True,
        )
        assert seen.started == NOON - HOUR

    @pytest.mark.parametrize(
        ("before", "here", "hours"),
        [
            (None, "vienna", 0),
            ("vienna", "vienna", 0),
            ("lisbon", None, 0),
            ("lisbon", "vienna", 24),
            ("lisbon", "vienna", -2),
        ],
    )
    def test_all_else_is_no_fact(self, before: str | None, here: str | None, hours: int) -> None:
        """The same place, one place only, and another day (or a clock ahead) tell nothing."""
        now = NOON + timedelta(hours=hours)

        assert seen_elsewhere(looked(before, SPEAKS), here, now) is NOT_ASKED
        assert seen_elsewhere(None, here, now) is NOT_ASKED

    def test_a_liar_that_is_open_everywhere_greets_nobody(self) -> None:
        """What a tarpit says to another place is not believed either."""
        case = looked("lisbon", SPEAKS)
        os = case.facts.os
        assert isinstance(os, Measured)
        everywhere = tuple((port, PortState.OPEN) for port in range(1, 40))
        facts = replace(case.facts, os=measured(replace(os.result, ports=everywhere)))

        seen = seen_elsewhere(replace(case, facts=facts), "vienna", NOON)

        assert isinstance(seen, Measured)
        assert seen.result.port is PortState.OPEN
        assert not seen.result.greeted


class TestEvidence:
    def test_filtered_here_and_a_mail_server_there_is_no_bot(self) -> None:
        """The filter is on our way: nobody is called a bot for it."""
        case = looked("vienna", SmtpResult(port=PortState.FILTERED))
        there = ElsewhereResult(vantage="lisbon", alive=True, port=PortState.OPEN, greeted=True)

        alone = judge(case.facts, case.target, WEIGHTS, 0.0)
        label, evidence = judged(case, there)
        unnamed, _ = judged(replace(case, target=Target(case.target.address)), there)

        assert alone.label is Label.BOT
        assert label is Label.SUSPECTED_BOT  # its HELO weighs much
        assert unnamed is Label.MAIL_SERVER
        assert evidence["greets-elsewhere"] == (
            "a mail server answered lisbon; here port 25 is filtered"
        )

    def test_filtered_here_and_closed_there_is_named(self) -> None:
        """It changes nothing, but whoever reads the verdict sees where the filter is not."""
        case = looked("vienna", SmtpResult(port=PortState.FILTERED))
        there = ElsewhereResult(vantage="lisbon", alive=True, port=PortState.CLOSED)

        label, evidence = judged(case, there)

        assert label is Label.BOT
        assert evidence["places-disagree"] == (
            "port 25 is filtered from here and closed from lisbon"
        )

    def test_echo_requests_that_only_one_is_answered(self) -> None:
        """The same for ping."""
        case = looked("vienna", SmtpResult(port=PortState.CLOSED))
        facts = replace(case.facts, ping=measured(PingResult(sent=3, received=0)))
        there = ElsewhereResult(vantage="lisbon", alive=True, port=PortState.CLOSED)

        _, evidence = judged(replace(case, facts=facts), there)

        assert evidence["places-disagree"] == (
            "echo requests from lisbon are answered, those from here are not"
        )

    def test_places_that_agree_are_no_evidence(self) -> None:
        """Nor is a look that measured nothing."""
        case = looked("vienna", SmtpResult(port=PortState.CLOSED))

        for there in (
            ElsewhereResult(vantage="lisbon", alive=True, port=PortState.CLOSED),
            ElsewhereResult(vantage="lisbon"),
        ):
            _, evidence = judged(case, there)
            assert not {"places-disagree", "greets-elsewhere"} & evidence.keys()

    def test_nothing_was_measured_here(self) -> None:
        """A place whose own port 25 is blocked learns from the other."""
        there = ElsewhereResult(vantage="lisbon", port=PortState.OPEN, greeted=True)
        verdict = judge(Facts(elsewhere=measured(there)), bot_case().target, WEIGHTS, 0.0)

        (found,) = [one for one in verdict.evidence if one.rule == "greets-elsewhere"]
        assert found.because == "a mail server answered lisbon; here port 25 could not be asked"
