"""What the wire of the laboratory shows of those who must not be asked, or not often."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.lab.runner import run_in_lab
from tests.service import liars, optouteffect, wirerules
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


def test_no_sequence_of_mails_restarts_and_reloads_breaks_a_rule_on_the_wire(
    tmp_path: Path,
) -> None:
    """Kills, ends, new caps, a stop file, a damaged opt-out file and a scan, in random orders."""
    population = tmp_path / "tarpits.toml"
    population.write_text(wirerules.population(), "utf-8")

    done = run_in_lab(
        *("python", "-m", "tests.service.wirerules", "1", "2"),
        options=["--population", str(population)],
        timeout=280,
    )

    assert done.returncode == 0, done.stderr
    trials = json.loads(done.stdout)
    for seen in trials:
        assert seen["broken"] == []
        assert seen["alive"]
        assert 10 <= seen["reached"] <= seen["granted"]
    reasons = set().union(*(seen["reasons"] for seen in trials))
    assert {"own network", "opted out", "benchmarking, RFC 2544"} <= reasons
    assert any("for a day is spent" in why for why in reasons)


NOON = 1_764_158_400.0
NETWORK = str(wirerules.VICTIMS[0])


@pytest.mark.parametrize(
    ("reached", "granted", "closed", "breach"),
    [
        ({"198.18.1.7": [NOON]}, {"198.18.1.7": 1}, (), "must never be asked"),
        ({"198.18.200.1": [NOON]}, {}, (), "without a grant"),
        (
            {"198.18.200.1": [NOON, NOON + 2]},
            {"198.18.200.1": 1},
            (wirerules.Closed(wirerules.VICTIMS[0], NOON + 1),),
            f"1.00 s after {NETWORK} closed",
        ),
        (
            {"198.18.200.1": [NOON]},
            {"198.18.200.1": 1},
            (wirerules.Closed(None, NOON, NOON + 1),),
            "after all closed",
        ),
        ({}, {"198.18.200.1": 6}, (), f"{NETWORK}: 6 granted"),
        ({}, {f"198.18.{n}.1": 1 for n in range(10, 29)}, (), "19 granted and 0 hosts"),
        ({"198.18.200.1": [NOON]}, {"198.18.200.1": 5}, (), ""),
    ],
)
def test_what_breaks_a_rule_is_noticed(
    reached: dict[str, list[float]],
    granted: dict[str, int],
    closed: tuple[wirerules.Closed, ...],
    breach: str,
) -> None:
    """Each rule that the wire is held against can be broken."""
    found = list(wirerules.broken(reached, Counter(granted), closed, 18))

    assert len(found) == bool(breach)
    assert breach in "".join(found)


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
