"""Tests of the figures that say how good verdicts are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.classify.evaluate import Judged, brier, evaluate, wilson
from botprobe.model.verdict import Evidence, Family, Label

BOT_ONLY = frozenset({Label.BOT})


def judged(label: Label, truth: str, probability: float, *evidence: Evidence) -> Judged:
    """A host whose truth is a bot if it is called so."""
    return Judged(
        label=label,
        truth=truth,
        is_bot=truth == "bot",
        probability=probability,
        evidence=evidence,
    )


class TestWilson:
    @pytest.mark.parametrize(
        ("hits", "total", "low", "high"),
        # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
    )
    def test_agrees_with_published_intervals(
        self, hits: int, total: int, low: float, high: float
    ) -> None:
        """The interval is the one that statisticians mean by the name."""
        share = wilson(hits, total)

        assert (share.low, share.high) == pytest.approx((low, high), abs=5e-5)

    def test_share_of_nothing_is_open(self) -> None:
        """No host, no figure, and no division by zero."""
        share = wilson(0, 0)

        assert share.value is None
        assert (share.low, share.high) == (0.0, 1.0)

    @given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_holds_the_share(self, case: tuple[int, int]) -> None:
        """The interval lies within 0 and 1 and around the share."""
        share = wilson(*case)

        assert share.value is not None
        assert 0 <= share.low <= share.value <= share.high <= 1


class TestBrier:
    def test_is_the_mean_squared_error(self) -> None:
        """Sure and right costs nothing, sure and wrong everything."""
        assert brier([(1.0, True), (0.0, False)]) == 0
        assert brier([(1.0, False)]) == 1
        assert brier([(0.5, True), (1.0, False)]) == pytest.approx(0.625)
        assert brier([]) is None


class TestEvaluate:
    HOSTS = (
        judged(Label.BOT, "bot", 0.97),
        judged(Label.BOT, "bot", 0.96),
        judged(Label.BOT, "printer", 0.95),
        judged(Label.SUSPECTED_BOT, "bot", 0.9),
        judged(Label.MAIL_SERVER, "mail-server", 0.02),
    )

    def test_counts_precision_and_recall(self) -> None:
        """Precision is of those called bot, recall of those that are."""
        figures = evaluate(self.HOSTS, BOT_ONLY)

        assert (figures.precision.hits, figures.precision.total) == (2, 3)
        assert (figures.recall.hits, figures.recall.total) == (2, 3)
        assert figures.confusion[("bot", Label.SUSPECTED_BOT)] == 1
        assert sum(figures.confusion.values()) == figures.hosts == 5

    def test_positive_labels_are_a_choice(self) -> None:
        """Whoever counts suspicion as well finds more."""
        figures = evaluate(self.HOSTS, BOT_ONLY | {Label.SUSPECTED_BOT})

        assert figures.recall.value == 1

    def test_reliability_puts_each_host_into_one_bin(self) -> None:
        """A probability of exactly one belongs to the last bin."""
        hosts = (*self.HOSTS, judged(Label.BOT, "bot", 1.0))
        figures = evaluate(hosts, BOT_ONLY)

        assert sum(row.hosts for row in figures.reliability) == len(hosts)
        assert figures.reliability[-1].hosts == 5
        assert figures.reliability[-1].high == 1.0
        assert figures.reliability[-1].bots.hits == 4

    def test_leaving_a_family_out_takes_its_votes_back(self) -> None:
        """Evidence that was right is missed, and the score rises."""
        item = Evidence(rule="client-windows", family=Family.OS, weight=2.0, because="it is one")
        host = judged(Label.BOT, "bot", 0.8807970779778823, item)  # 1 / (1 + exp(-2))
        figures = evaluate([host], BOT_ONLY)

        assert figures.without_family == {Family.OS: pytest.approx(0.25)}
        assert figures.brier is not None
        assert figures.brier < 0.25

    def test_no_hosts_have_no_figures(self) -> None:
        """An empty store is evaluated without a complaint."""
        figures = evaluate([], BOT_ONLY)

        assert figures.precision.value is None
        assert figures.brier is None
        assert figures.reliability == ()
