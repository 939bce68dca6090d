"""What wiring makes of the settings where it can be wrong."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.config import load_settings
from botprobe.errors import ConfigError
from botprobe.judging import shipped_weights, weights_of
from botprobe.probes.proxy import ProxyProbe
from botprobe.probing import open_listener, open_probes
from botprobe.queue.local import LocalBell
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Budget, Limits
from botprobe.settings import Settings
from botprobe.store.sqlite import SqliteStore
from botprobe.wiring import Means, WatchParts
from tests.intake.test_watching import maildir
from tests.service.fakes import FakeAudience

OPTED_OUT = ip_address("8.8.4.4")


@dataclass
class Installation:
    """A mailbox, an opt-out file and settings of a watch, and parts made from them."""

    folder: Path
    parts: WatchParts

    def opt_out(self, line: str) -> None:
        """Add a line to the opt-out file."""
        path = self.folder / "optout"
        path.write_text(f"{path.read_text()}{line}\n")

    def damage_settings(self) -> None:
        """Leave the settings as an editor may, half done."""
        (self.folder / "botprobe.toml").write_text("[scop")


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    """Return parts of a watch whose opt-out file is empty."""
    box, optout, config = maildir(tmp_path / "box"), tmp_path / "optout", tmp_path / "botprobe.toml"
    optout.touch()
    config.write_text(f"[scope]\noptout = '{optout}'\n[watch]\nmailboxes = ['{box}']\n")
    proxy = {"check": True, "listen": "127.0.0.1:0"}

    def load() -> Settings:
        return load_settings(config, {}, {"proxy": proxy})

    async with (
        SqliteStore(tmp_path / "cases.sqlite") as store,
        open_listener(load()) as listener,
    ):
        if listener is not None:
            proxy["listen"] = f"127.0.0.1:{listener.port}"
        means = Means(store=store, bell=LocalBell(), budget=Budget(Limits()), listener=listener)
        parts = WatchParts(load, means, FakeAudience())
        yield Installation(tmp_path, parts)


class TestWatchParts:
    async def test_who_opts_out_is_heeded_whatever_else_is_wrong(
        self, installation: Installation
    ) -> None:
        """Settings that somebody left half done delay nobody's wish."""
        parts = installation.parts
        installation.damage_settings()
        installation.opt_out("8.8.4.0/24 asked by mail")

        assert parts.optout_changed()
        parts.reload_optout()

        assert parts.scope.refusal(OPTED_OUT) == "opted out"
        assert parts.problem is None
        assert not parts.optout_changed()

    async def test_a_damaged_optout_file_is_a_problem_until_it_is_mended(
        self, installation: Installation
    ) -> None:
        """Nobody is probed while it is not known who asked to be left alone; it is told once."""
        parts = installation.parts
        installation.opt_out("8.8.4.0/240")

        with pytest.raises(ConfigError):
            parts.reload_optout()
        told_again, problem = parts.optout_changed(), parts.problem
        (installation.folder / "optout").write_text("8.8.4.0/24\n")
        parts.reload_optout()

        assert not told_again
        assert problem is not None
        assert parts.problem is None
        assert parts.scope.refusal(OPTED_OUT) == "opted out"

    async def test_wrong_settings_do_not_hide_the_optout_file(
        self, installation: Installation
    ) -> None:
        """What a failed reload did not come to is still noticed as changed."""
        parts = installation.parts
        installation.damage_settings()
        installation.opt_out("8.8.4.0/24")

        with pytest.raises(ConfigError):
            parts.reload()

        assert parts.optout_changed()

    async def test_a_new_worker_checks_for_proxies_while_the_former_one_still_does(
        self, installation: Installation
    ) -> None:
        """On a reload both are there for a while, and only one can listen on a port."""
        async with installation.parts.worker() as former:
            installation.parts.reload()
            async with installation.parts.worker() as current:
                both = [former.pipeline.probes.proxy, current.pipeline.probes.proxy]

        assert all(isinstance(probe, ProxyProbe) for probe in both)


class TestWeightsOf:
    def test_a_list_without_meanings_is_not_asked(self) -> None:
        """A code that nobody explained would be taken for a listing, or for nothing."""
        settings = load_settings(None, {}, {"dnsbl": {"zones": ["new.example"]}})

        with pytest.raises(ConfigError, match=r"codes of new\.example mean"):
            weights_of(settings)

    def test_the_operator_may_explain_a_list(self) -> None:
        """A list of one's own is asked like the well-known ones."""
        meanings = {"New.Example.": {"127.0.0.2": "exploited"}}
        settings = load_settings(
            None, {}, {"dnsbl": {"zones": ["new.example"], "meanings": meanings}}
        )

        zones = weights_of(settings).zones

        assert "new.example" in zones
        assert zones.keys() > shipped_weights().zones.keys()

    def test_no_list_is_asked_by_itself(self) -> None:
        """Block lists learn whom we look at: that is the operator's decision."""
        assert load_settings(None, {}, {}).dnsbl.zones == ()


class TestOpenProbes:
    async def test_a_missing_mmdb_file_is_a_wrong_setting(self, tmp_path: Path) -> None:
        """One line that names the setting, before anything is started."""
        settings = load_settings(None, {}, {"network": {"mmdb": [str(tmp_path / "none")]}})

        with pytest.raises(ConfigError, match=r"network\.mmdb: cannot read .*none: No such file"):
            async with open_probes(settings, Scope(), None):
                pass
