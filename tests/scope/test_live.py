"""The scope of a command that runs for a while."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.errors import ConfigError, RefusedByScope
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.scope.addresses import Scope
from botprobe.scope.live import LiveScope
from botprobe.scope.optout import read_entries

HOST = ip_address("8.8.4.4")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return an empty opt-out file."""
    path = tmp_path / "optout"
    path.write_text("")
    return path


@pytest.fixture
def live(file: Path, monkeypatch: pytest.MonkeyPatch) -> LiveScope:
    """Return a scope that follows the file at every look."""
    monkeypatch.setattr("botprobe.scope.live.LOOK", 0)
    origins: dict[IpAddress, Origin] = {}

    def read() -> Scope:
        parties = tuple(entry.party for entry in read_entries(file))
        return Scope(opted_out=parties, origins=origins)

    return LiveScope(read, file)


class TestLiveScope:
    def test_follows_the_file_at_the_socket(self, live: LiveScope, file: Path) -> None:
        """Who opts out after a target was made is not sent the next packet."""
        live.require(HOST)
        file.write_text("8.8.4.0/24 2026-11-26\n")

        with pytest.raises(RefusedByScope, match="refused: opted out"):
            live.require(HOST)
        assert (live.refusal(HOST), live.changes) == ("opted out", 1)

    def test_a_damaged_file_closes_everything_until_it_is_mended(
        self, live: LiveScope, file: Path
    ) -> None:
        """Nobody is probed because of a typing error, or of a file that was taken away."""
        file.write_text("8.8.4.0/240\n")

        assert live.refusal(HOST) == "the opt-out file is wrong"
        with pytest.raises(RefusedByScope, match="the opt-out file is wrong"):
            live.require(HOST)
        assert "optout:1: neither" in (live.problem or "")
        file.unlink()
        assert live.refusal(HOST) == "the opt-out file is wrong"
        file.write_text("\n")
        assert (live.refusal(HOST), live.problem) == (None, None)

    def test_what_is_known_of_an_address_outlives_a_change(
        self, live: LiveScope, file: Path
    ) -> None:
        """A name that was looked up need not be looked up again for a longer file."""
        file.write_text("example.org\n")
        assert live.refusal(HOST) is None
        assert live.unknown(HOST)
        live.learn(HOST, Origin(names=("mx.example.net",)))
        assert not live.unknown(HOST)

        file.write_text("example.org\nexample.net\n")

        assert live.refusal(HOST) == "opted out"
        live.forget(HOST)
        assert live.unknown(HOST)

    def test_looks_seldom_enough_to_cost_nothing(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each packet asks; the file is looked at ten times a second."""
        looks: list[Path | None] = []
        monkeypatch.setattr("botprobe.scope.live.signature", looks.append)
        live = LiveScope(Scope, file)

        for _ in range(1000):
            live.require(HOST)

        assert len(looks) <= 2

    def test_a_wrong_file_is_fatal_at_the_start(self, file: Path) -> None:
        """Nothing begins that would have to be stopped at once."""

        def read() -> Scope:
            raise ConfigError("optout:1: neither")

        with pytest.raises(ConfigError):
            LiveScope(read, file)

    def test_a_replaced_file_is_another_one(self, live: LiveScope, file: Path) -> None:
        """Editors write a new file and rename it over the old one."""
        other = file.with_name("new")
        other.write_text("8.8.4.4\n")
        other.replace(file)

        assert live.refusal(HOST) == "opted out"
