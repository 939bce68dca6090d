"""What the wire of the laboratory shows of those who must not be asked, or not often."""

import json
from pathlib import Path

import pytest

from tests.lab.runner import run_in_lab
from tests.service import liars, optouteffect
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


def test_who_opts_out_is_left_alone_within_a_second(tmp_path: Path) -> None:
    """By network, domain and AS, while a scan and a watch talk to tarpits and others wait."""
    population = tmp_path / "tarpits.toml"
    population.write_text(optouteffect.population(), "utf-8")

    done = run_in_lab(
        *("python", "-m", "tests.service.optouteffect"),
        options=["--population", str(population)],
        timeout=200,
    )

    assert done.returncode == 0, done.stderr
    for seen in json.loads(done.stdout).values():
        assert seen["stays"]["last packet after seconds"] > 1
        for who in optouteffect.LEAVERS:
            assert seen[who]["hosts asked"] > 0
            assert seen[who]["begun after"] == 0
            assert seen[who]["last packet after seconds"] < 1


def test_all_liars_at_once_stop_nobody(tmp_path: Path) -> None:
    """Endless, hostile and silent hosts: the watch goes on, its memory stays, each case is read."""
    population = tmp_path / "liars.toml"
    population.write_text(liars.population(), "utf-8")

    done = run_in_lab(
        *("python", "-m", "tests.service.liars"),
        options=["--population", str(population)],
        timeout=200,
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["all looked at"]
    assert seen["alive"]
    assert max(seen["megabytes"]) <= seen["megabytes"][0] + 10
    assert seen["with control characters"] == []
    assert seen["with scripts"] == []
    assert seen["formulas"] == []
    assert seen["labels"].keys() == {*liars.HOSTS, liars.HONEST}
    assert "bot" not in seen["labels"].values()
