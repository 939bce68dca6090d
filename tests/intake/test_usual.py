"""The commonest fields, read in one step."""

import pytest
from hypothesis import example, given, settings

from botprobe.intake.received import read_any
from botprobe.intake.usual import read_usual
from tests.intake import corpus
from tests.intake.mutants import mutants
from tests.intake.writerlines import FORMS, Slots

WRITERS = (
    "Postfix",
    "Postfix, no reverse DNS",
    "Sendmail",
    "Exim, verified",
    "Exim, nothing known",
)
USUAL = tuple(" ".join(form.fill(Slots()).split()) for form in FORMS if form.name in WRITERS)


class TestReadUsual:
    @given(mutants(USUAL))
    @example(USUAL[-2].replace("from host-25.example.net", "from Received:"))
    @settings(max_examples=500)
    def test_agrees_with_the_long_way(self, raw: str) -> None:
        """It leaves a field to the long way, or reads it just the same."""
        hop = read_usual(raw, 3)

        assert hop is None or hop == read_any(raw, 3)

    @pytest.mark.parametrize("value", USUAL)
    def test_takes_what_it_is_made_for(self, value: str) -> None:
        """Otherwise it would be of no use."""
        assert read_usual(value, 0) is not None

    @pytest.mark.skipif(not corpus.MAILS.is_dir(), reason="no test material in ../shared/data")
    @pytest.mark.timeout(120)
    def test_agrees_on_real_mail(self) -> None:
        """Thousands of fields of real servers are read alike on both ways."""
        raws = {hop.raw for mail in corpus.all_mails() for hop in mail.hops}
        short = [hop for raw in raws if (hop := read_usual(raw, 0)) is not None]

        assert len(short) > 1000
        assert [hop for hop in short if hop != read_any(hop.raw, 0)] == []
