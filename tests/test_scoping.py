"""What the settings say about whom to ask, and how often."""

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.errors import ConfigError
from botprobe.scope.budget import Limits
from botprobe.scoping import limits_of, live_scope_of, scope_of
from botprobe.settings import NetworkTable, ScopeTable, Settings


def test_every_cap_is_the_operators() -> None:
    """No limit of the rules is out of reach, and without a word of his none is open."""
    table = ScopeTable(
        cooldown_hours=1,
        max_probes_per_network_per_day=2,
        max_probes_per_hour=3,
        max_probes_per_day=4,
        max_probes_total=5,
    )

    assert limits_of(Settings(scope=table)) == Limits(
        cooldown=timedelta(hours=1), per_network_per_day=2, per_hour=3, per_day=4, total=5
    )
    assert limits_of(Settings()) == Limits()


def test_a_system_that_nothing_tells_stops_everything(tmp_path: Path) -> None:
    """Who opted out by AS is not probed because nobody named a file that knows it."""
    file = tmp_path / "optout"
    file.write_text("AS64500 2026-11-26 noc@example.net\n")
    settings = Settings(scope=ScopeTable(optout=str(file)))

    with pytest.raises(ConfigError, match=r"optout: AS64500: no file of \[network\] mmdb"):
        scope_of(settings)
    known = Settings(scope=settings.scope, network=NetworkTable(mmdb=("asn.mmdb",)))
    assert len(scope_of(known).opted_out) == 1


def test_a_file_that_changes_changes_the_scope(tmp_path: Path) -> None:
    """All commands that run for a while read it again."""
    file = tmp_path / "optout"
    file.write_text("")
    live = live_scope_of(Settings(scope=ScopeTable(optout=str(file))))
    before = live.refusal(ip_address("8.8.4.4"))

    file.write_text("8.8.4.0/24\n")
    live._looked = 0
    live.follow()

    assert (before, live.refusal(ip_address("8.8.4.4"))) == (None, "opted out")
