"""What a mail log suspects is probed, and what it knows counts, the whole way in the laboratory."""

import json

import pytest

from tests.lab.runner import run_in_lab
from tests.observers.maillog.labsuspect import DRIVER

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]


def test_a_driver_is_probed_and_judged_by_what_the_log_knows() -> None:
    """Maillog --investigate, watch, host: one dossier, and a verdict that uses the traffic."""
    done = run_in_lab("python", "-m", "tests.observers.maillog.labsuspect", timeout=150)

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert "1 of 1 suspect due for botprobe watch" in seen["told"]
    assert seen["probed"] == [DRIVER]
    (case,) = seen["host"]["cases"]
    assert case["facts"]["traffic"]["measured"]
    assert case["facts"]["traffic"]["maillog"]["driver_days"] == ["2026-10-05"]
    told = {one["rule"]: one for one in case["verdict"]["evidence"]}
    assert told["drove-load"]["weight"] > 0
    assert told["mostly-refused"]["because"] == "a mail server refused 100% of what it wanted"
    kinds = [event["kind"] for event in seen["host"]["timeline"]]
    assert kinds == ["observed", "suspected", "probed"]
    assert "drove the abnormal load of 2026-10-05" in seen["page"]
