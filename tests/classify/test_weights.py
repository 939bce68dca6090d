"""Tests of the table of weights."""

import math

import pytest

from botprobe.classify.rules import RULES
from botprobe.classify.weights import Lag, load_weights, log_odds, probability_of
from botprobe.errors import ConfigError
from tests.classify.builders import TABLE, shipped_weights

TEXT = TABLE.read_text(encoding="utf-8")


class TestLoadWeights:
    def test_shipped_table_has_every_rule(self) -> None:
        """The table and the rules name each other, and no name stands twice."""
        weights = shipped_weights()

        assert set(weights.rules) == {rule.name for rule in RULES}
        assert len(weights.rules) == len(RULES)
        assert set(weights.caps) == {rule.family for rule in RULES}

    def test_label_names_version_and_text(self) -> None:
        """Another text is another table, whatever version it claims."""
        one, other = load_weights(TEXT), load_weights(TEXT + "\n# a comment\n")

        assert one.label.startswith(f"{one.version} (sha256:")
        assert one.label != other.label

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("no-ptr = 0.7", "", "rules of address: missing no-ptr"),
            ("no-ptr = 0.7", "no-ptr = 0.7\nmoon = 1.0", "rules of address: unknown moon"),
            ("no-ptr = 0.7", 'no-ptr = "much"', "Expected `float`"),
            ("no-ptr = 0.7", "no-ptr = nan", "`float`"),
            ("no-ptr = 0.7", "no-ptr = 1000.0", "<= 20"),
            ("prior = 0.26", "prior = 1.0", "< 1.0"),
            ("prior = 0.26", "", "prior"),
            ("prior = 0.26", "prior = 0.26\nmoon = 1", "moon"),
            ("address = 1.5", "", "caps: missing address"),
            ("address = 1.5", "address = 1.5\nmoon = 1.0", "moon"),
            ("contrary = -1.0", "contrary = 1.0", "contrary"),
            ("[rules.receipt]", "[rules.moon]", "moon"),
            ("[caps]", "[caps", "line"),
        ],
    )
    def test_refuses_what_does_not_fit(self, old: str, new: str, said: str) -> None:
        """A slip in the table is one clear line, never a silently missing weight."""
        assert old in TEXT

        with pytest.raises(ConfigError) as caught:
            load_weights(TEXT.replace(old, new, 1))

        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


class TestLag:
    def test_halves_after_each_half_life(self) -> None:
        """Within the grace nothing is lost; then half per half-life."""
        lag = Lag(grace_seconds=100, half_life_seconds=1000)

        assert lag.kept(0) == 1
        assert lag.kept(100) == 1
        assert lag.kept(1100) == pytest.approx(0.5)
        assert lag.kept(2100) == pytest.approx(0.25)
        assert 0 <= lag.kept(1e300) < 1e-9


class TestLogOdds:
    @pytest.mark.parametrize("probability", [0.001, 0.5, 0.95])
    def test_there_and_back(self, probability: float) -> None:
        """Odds and probability say the same."""
        assert probability_of(log_odds(probability)) == pytest.approx(probability)

    def test_even_odds_are_zero(self) -> None:
        """A prior of one half adds nothing."""
        assert math.isclose(log_odds(0.5), 0)
