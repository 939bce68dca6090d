"""Tests of the fit of the prior."""

import pytest

from botprobe.classify.weights import log_odds, probability_of
from tests.lab.calibration import Forecast, fitted


def hosts(odds: float, bots: int, others: int) -> list[Forecast]:
    """So many hosts whose evidence gives the same log-odds."""
    return [(odds, True)] * bots + [(odds, False)] * others


class TestFitted:
    def test_without_evidence_it_is_the_share_of_bots(self) -> None:
        """Nothing but the prior is there to tell."""
        assert probability_of(fitted([hosts(0, 26, 74)])) == pytest.approx(0.26)

    def test_makes_up_for_evidence_that_is_too_sure(self) -> None:
        """Evidence says 95 of 100, and 80 were bots: the step between the two."""
        found = fitted([hosts(log_odds(0.95), 80, 20)])

        assert found == pytest.approx(log_odds(0.8) - log_odds(0.95))

    def test_sources_weigh_the_same_whatever_their_size(self) -> None:
        """A long log must not drown a crowd."""
        small, large = hosts(0, 1, 3), hosts(0, 3000, 1000)

        assert fitted([small, large]) == pytest.approx(0)
