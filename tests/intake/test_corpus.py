"""The reader on the test material of other projects, where it is there."""

import json

import pytest

from tests.intake import corpus
from tests.intake.bench_headers import VERDICTS

needs_material = pytest.mark.skipif(
    not corpus.RECEIVED.is_dir(), reason="no test material in ../shared/data"
)
pytestmark = needs_material


@pytest.mark.parametrize("name", ["sa_cases", "mta_template_cases"])
def test_all_fields_are_right(name: str) -> None:
    """Address, HELO, reverse DNS and writer, and the lines that name no host."""
    assert corpus.score_fields(corpus.load_cases(name)).wrong == []


def test_trust_is_spamassassins() -> None:
    """Trusted, internal and submission networks mean what they mean there."""
    assert corpus.score_trust(corpus.load_cases("sa_trust_cases")).wrong == []


@pytest.mark.parametrize("name", ["adversarial_cases", "adversarial_extra_cases"])
def test_no_attack_succeeds(name: str) -> None:
    """Each is answered right, and none by an address of the attacker."""
    assert corpus.score_attacks(corpus.load_cases(name)).wrong == []


@pytest.mark.timeout(120)
def test_every_difference_from_spamassassin_on_real_mail_was_judged() -> None:
    """A change that reads a real line differently has to be looked at."""
    verdicts = json.loads(VERDICTS.read_text(encoding="utf-8"))["verdicts"]
    compared = corpus.compare_with_spamassassin()

    assert compared.lines > 8000
    assert [each.hop.raw for each in compared.differences if each.key not in verdicts] == []
