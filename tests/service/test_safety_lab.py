"""What the wire of the laboratory shows of those who must not be asked, or not often."""

import json

import pytest

from tests.lab.runner import run_in_lab
from tests.service.reflection import HANDFUL

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def test_a_campaign_that_claims_a_victim_causes_a_handful_of_probes() -> None:
    """Ten thousand mails, a kill, a reload and a scan beside it: no more than the cap is asked."""
    done = run_in_lab("python", "-m", "tests.service.reflection", timeout=280)

    seen = json.loads(done.stdout)
    victim, left_alone = seen["victim"], seen["left alone"]
    assert seen["all decided"]
    assert seen["mails"] == 10_000
    assert 0 < len(victim["reached"]) <= HANDFUL
    assert set(victim["reached"]) <= set(victim["granted"])
    assert victim["rules"] == ["claimed hop of a mail"]
    assert victim["mails"] == len(victim["granted"]) <= HANDFUL
    assert list(victim["refused"]) == ["budget of 198.18.200.0/24 for a day is spent"]
    assert left_alone["reached"] == left_alone["granted"] == []
    assert list(left_alone["refused"]) == ["opted out"]
