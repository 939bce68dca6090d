"""The credit rule and the sequential test."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.observers.router.credit import CreditRule, Hypothesis, SequentialTest

RULE = CreditRule()


class TestCreditRule:
    def test_sending_earns_and_fetching_costs_three_times_as_much(self) -> None:
        """The measured ratio of sending to fetching is one to three."""
        assert RULE.added(0, smtp=9, mailbox=2) == 3

    def test_no_credit_falls_below_the_floor(self) -> None:
        """Polling for a year must not buy a bot the right to send."""
        polled = RULE.added(0, smtp=0, mailbox=1_000_000)

        assert polled == RULE.floor
        assert RULE.is_over(RULE.added(polled, smtp=400, mailbox=0))

    def test_one_sampled_packet_is_no_evidence(self) -> None:
        """At one of 500, a single packet is 500 credits: ten are asked for."""
        rule = CreditRule(sampling=500)

        assert not rule.is_over(rule.added(0, smtp=9, mailbox=0))
        assert rule.is_over(rule.added(0, smtp=10, mailbox=0))

    @given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=30))
    def test_whoever_fetches_as_the_weights_expect_is_never_over(
        self, slices: list[tuple[int, int]]
    ) -> None:
        """A host that pays in each slice for what it sent stays an ordinary one."""
        credit = 0
        for smtp, more in slices:
            credit = RULE.added(credit, smtp, (smtp + 2) // 3 + more)
            assert not RULE.is_over(credit)


class TestSequentialTest:
    @pytest.mark.parametrize(
        ("sends", "fetches", "expected"),
        [
            (0, 0, Hypothesis.UNDECIDED),
            (1, 0, Hypothesis.UNDECIDED),
            (12, 0, Hypothesis.BOT),
            (2, 3, Hypothesis.NORMAL),
            (10, 30, Hypothesis.NORMAL),
        ],
    )
    def test_decides_as_soon_as_it_may(
        self, sends: int, fetches: int, expected: Hypothesis
    ) -> None:
        """A handful of connections is enough for either side."""
        assert SequentialTest().decide(sends, fetches) is expected

    @given(st.integers(0, 10_000), st.integers(0, 10_000))
    def test_more_fetching_never_speaks_for_a_bot(self, sends: int, fetches: int) -> None:
        """The test is monotone in what it counts."""
        test = SequentialTest()

        assert test.decide(sends, fetches + 1) <= test.decide(sends, fetches)
