"""Watches, workers and a database in the laboratory: killed, cut off, frozen, restarted."""

import json
import subprocess
import sys

import pytest

from tests.lab.runner import ROOT
from tests.service.labcluster import CAP

pytestmark = [pytest.mark.lab, pytest.mark.postgres, pytest.mark.timeout(400)]


def test_nothing_is_lost_and_nobody_is_decided_twice() -> None:
    """Each mail is taken once, each host has one case, and no more is sent than was granted."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.labcluster"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=380,
    )

    seen = json.loads(done.stdout)
    assert all(held > 0 for held in seen["held by the lost"])
    assert 0 <= seen["seconds until taken over from worker1"] < 30
    assert 0 <= seen["seconds until taken over from worker2"] < 30
    assert seen["sessions of the cut worker"] == 0
    assert seen["seconds until the budget was spent"] >= 0
    assert seen["granted within the budget"] == CAP
    assert 0 < seen["asked within the budget"] <= CAP < seen["asked at all"]
    assert seen["hosts that had to wait"] > 0
    assert seen["seconds until mails were taken"] >= 0
    assert seen["connections ended"] > 0
    assert seen["held by the frozen"] > 0
    assert 0 <= seen["seconds until taken over from it"] < 30
    assert seen["left over"] == []
    assert seen["seconds until all was done"] >= 0
    assert seen["taken"] == seen["delivered"]
    assert seen["mails"] == seen["different mails"]
    assert seen["cases"] == seen["hosts with a case"] == seen["hosts"] == seen["asked at all"]
    pings, claims = seen["pings"], seen["claims"]
    assert pings
    assert [ip for ip, count in pings.items() if count > 3 * claims[ip]] == []
    assert seen["tracebacks"] == []
