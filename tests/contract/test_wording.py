"""One line for each outcome."""

from dataclasses import replace

import pytest
from hypothesis import given

from botprobe.contract.wording import (
    dns_line,
    further_lines,
    main_reason,
    os_line,
    ping_line,
    ports_line,
    smtp_line,
    span,
)
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import DnsResult, PortState, PtrName, Reply, SmtpResult
from botprobe.model.text import visible
from botprobe.model.verdict import Label
from tests.cases import NOON, bot_case, bot_facts, facts_of_any_kind


class TestLines:
    @given(facts_of_any_kind)
    def test_are_one_harmless_line_whatever_the_host_said(self, facts: Facts) -> None:
        """A greeting cannot break a log line or steer a terminal."""
        lines = [
            ping_line(facts.ping),
            os_line(facts.os),
            ports_line(facts.os),
            smtp_line(facts.smtp),
            dns_line(facts.dns),
            *(line for _, line in further_lines(facts)),
        ]

        assert all(line and visible(line) == line for line in lines)

    def test_tell_what_was_measured(self) -> None:
        """The words are those of nmap and of SMTP."""
        facts = bot_facts()

        assert ping_line(facts.ping) == "alive, 3 of 3 replies, 41.5 ms"
        assert os_line(facts.os) == "Microsoft Windows XP SP3 (100 %, client)"
        assert ports_line(facts.os) == "open 445; closed 25"
        assert smtp_line(facts.smtp) == "port 25 closed"
        assert dns_line(facts.dns) == "no PTR record"

    def test_cut_a_greeting_to_a_line(self) -> None:
        """A report shows the beginning of a long greeting and says that it was cut."""
        greeting = Reply(220, ("x" * 500,))
        line = smtp_line(Measured(SmtpResult(port=PortState.OPEN, greeting=greeting), NOON, 1.0))

        assert line.endswith("…")
        assert len(line) < 250

    def test_a_failed_look_up_is_not_a_denial(self) -> None:
        """A name that nobody could look up is told apart from one that points elsewhere."""
        lines = [
            dns_line(
                Measured(DnsResult(names=(PtrName(name="a.example", confirmed=is_so),)), NOON, 1)
            )
            for is_so in (True, False, None)
        ]

        assert lines == [
            "a.example (forward-confirmed)",
            "a.example (not confirmed)",
            "a.example (could not be confirmed)",
        ]


class TestSpan:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0.4, "0 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7_200, "2 hours"),
            (86_400 * 60, "60 days"),
            (635_471_804, "20.1 years"),
        ],
    )
    def test_takes_the_largest_unit_of_which_there_are_two(self, seconds: float, text: str) -> None:
        """A delay of years is not shown as nine digits of seconds."""
        assert span(seconds) == text


class TestMainReason:
    def test_is_the_heaviest_evidence(self) -> None:
        """One clause stands for the verdict where there is room for one."""
        verdict = bot_case().verdict

        assert main_reason(verdict) == "Windows XP is a client"
        assert main_reason(replace(verdict, evidence=())) == ""

    def test_is_silence_of_a_host_that_is_unreachable(self) -> None:
        """That a host has no PTR record is not why it counts as unreachable."""
        verdict = replace(bot_case().verdict, label=Label.UNREACHABLE)

        assert main_reason(verdict) == "it answers nothing"
