"""``botprobe config``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from botprobe.cli.app import app
from botprobe.errors import ConfigError


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """A runner far from the user's own configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("BOTPROBE_CONFIG", raising=False)
    return CliRunner()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration file with one setting."""
    path = tmp_path / "botprobe.toml"
    path.write_text('[scope]\nhops = "boundary"\n')
    return path


class TestShow:
    def test_says_who_set_each_setting(
        self, runner: CliRunner, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """File, environment and default are told apart."""
        monkeypatch.setenv("BOTPROBE_WATCH_AFTER", "flag")

        shown = runner.invoke(app, ["config", "show", "--origin", "-c", str(file)]).stdout

        assert f'hops = "boundary"  # {file}' in shown
        assert 'after = "flag"  # environment' in shown
        assert "rescan_seconds = 30  # default" in shown

    def test_what_it_shows_is_a_configuration(
        self, runner: CliRunner, file: Path, tmp_path: Path
    ) -> None:
        """The output, read again, gives the same settings."""
        once = runner.invoke(app, ["config", "show", "-c", str(file)]).stdout
        copy = tmp_path / "copy.toml"
        copy.write_text(once)
        again = runner.invoke(app, ["config", "show", "-c", str(copy)]).stdout

        assert "hops" in once
        assert again == once

    def test_json_holds_values_and_origins(self, runner: CliRunner, file: Path) -> None:
        """Another program reads the same."""
        shown = json.loads(runner.invoke(app, ["config", "show", "--json", "-c", str(file)]).stdout)

        assert shown["settings"]["scope"]["hops"] == {"value": "boundary", "origin": str(file)}
        assert shown["settings"]["watch"]["after"]["origin"] == "default"


class TestCheck:
    def test_good_settings_are_told_in_one_line(self, runner: CliRunner, file: Path) -> None:
        """The line names the file that was read."""
        result = runner.invoke(app, ["config", "check", "-c", str(file)])

        assert result.exit_code == 0
        assert result.stdout == f"{file}: good, 0 opted out\n"

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [
            ('[scope]\nhosp = "all"\n', "hosp"),
            ('[watch]\nafter = "delete"\n', "none, flag, move:FOLDER"),
            ('[watch]\nagain = ["1y"]\n', "1y"),
            ('[scope]\noptout = "/nowhere/optout"\n', "opt-out"),
            ('[trust]\ntrusted_networks = ["x"]\n', "not a network"),
            ("[watch]\ndrain_seconds = -1\n", "must be a number"),
        ],
    )
    def test_what_is_wrong_is_told(
        self, runner: CliRunner, file: Path, text: str, wrong: str
    ) -> None:
        """Also what only a later part of the program would stumble over."""
        file.write_text(text)

        result = runner.invoke(app, ["config", "check", "-c", str(file)])

        assert isinstance(result.exception, ConfigError)
        assert wrong in str(result.exception)
