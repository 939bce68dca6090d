"""The whole watch, against the hosts of the laboratory."""

import json
import signal

import pytest

from tests.lab.runner import run_in_lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]


def test_stops_at_once_and_its_successor_finishes() -> None:
    """Neither two SIGINTs nor a SIGKILL leave an nmap behind; the next watch does its work."""
    done = run_in_lab("python", "-m", "tests.service.labwatch", timeout=150)

    seen = json.loads(done.stdout)
    assert (seen["nmap ran"], seen["nmap left"], seen["exit"]) == (True, False, 0)
    assert seen["seconds to stop"] < 5
    # A third SIGINT may come while Python ends, which then ends by it: the same to a shell.
    assert seen["exit when stopped at once"] in {130, -signal.SIGINT}
    assert (seen["nmap ran again"], seen["nmap outlived a kill"]) == (True, False)
    assert seen["mails"] == 3
    assert seen["cases"]["198.18.10.1"] == "bot"
    assert len(seen["cases"]) == 4


def test_a_short_soak_loses_nothing() -> None:
    """Kills, a full disk, a locked store, no network, another time: all is accounted for."""
    short = ("--mails", "300", "--hosts", "24", "--seconds", "30", "--kills", "2")
    done = run_in_lab(
        *("python", "-m", "tests.service.soak", "--inside", "--patience", "120", *short),
        timeout=220,
    )

    start = done.stdout.index("{")
    account = json.loads(done.stdout[start:])
    assert account["wrong"] == []
    assert account["taken"] == 300
    assert account["lives"] >= 3
    assert done.stdout[:start].count("\n") >= 3  # the troubles that there were
