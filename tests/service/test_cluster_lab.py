"""Watches, workers and a database that are killed, frozen and restarted, in the laboratory."""

import json
import subprocess
import sys

import pytest

from tests.lab.runner import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.postgres, pytest.mark.timeout(400)]


def test_nothing_is_lost_and_nobody_is_decided_twice() -> None:
    """Each mail is taken once, each host has one case, and no more is sent than was claimed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.labcluster"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=380,
    )

    seen = json.loads(done.stdout)
    assert seen["held by the killed"] > 0
    assert 0 <= seen["seconds until taken over"] < 30
    assert seen["seconds until mails were taken"] >= 0
    assert seen["connections cut"] > 0
    assert seen["held by the frozen"] > 0
    assert seen["seconds until all was done"] >= 0
    assert seen["taken"] == seen["delivered"]
    assert seen["mails"] == seen["different mails"]
    assert seen["cases"] == seen["hosts with a case"] == seen["hosts"]
    pings, claims = seen["pings"], seen["claims"]
    assert pings
    assert [ip for ip, count in pings.items() if count > 3 * claims[ip]] == []
    assert seen["tracebacks"] == []
