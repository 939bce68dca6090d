"""The opt-out file."""

from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from typer.testing import CliRunner

from botprobe.cli.app import app
from botprobe.errors import ConfigError
from botprobe.scope.optout import add_entry, entry_of, parse_optout, read_entries, read_optout

DAY = date(2026, 11, 26)


class TestParseOptout:
    def test_takes_the_first_word_of_each_line(self) -> None:
        """Date, contact and reason behind a network are for people."""
        text = "# who asked\n\n8.8.4.0/24, 2026-11-01, noc@example.net, asked by mail\n2a00::1\n"

        assert parse_optout(text, "optout") == (ip_network("8.8.4.0/24"), ip_network("2a00::1/128"))

    def test_a_mapped_network_is_the_one_that_it_holds(self) -> None:
        """Whoever opts out by the IPv6 form of an IPv4 network is heard."""
        assert parse_optout("::ffff:8.8.4.0/120\n", "optout") == (ip_network("8.8.4.0/24"),)

    def test_a_wrong_line_is_fatal_and_named(self) -> None:
        """Whoever asked to be left alone must not be probed because of a typing error."""
        with pytest.raises(ConfigError, match=r"optout:2: not a network: '8\.8\.4\.0/240'"):
            parse_optout("8.8.8.0/24\n8.8.4.0/240 2026-11-01\n", "optout")


class TestReadOptout:
    def test_a_file_that_cannot_be_read_is_fatal(self, tmp_path: Path) -> None:
        """A missing file is not an empty one."""
        with pytest.raises(ConfigError, match="cannot read the opt-out file"):
            read_optout(tmp_path / "gone")


class TestEntries:
    def test_what_was_added_is_found(self, tmp_path: Path) -> None:
        """A file is made, an open last line is closed, and nobody else reads it."""
        path = tmp_path / "optout"
        add_entry(path, ip_network("8.8.4.0/24"), DAY, "noc@example.net", "asked\nby mail")
        path.write_text(path.read_text().rstrip())
        add_entry(path, ip_network("::ffff:8.8.8.8/128"), DAY, "noc@example.net", "")

        first, second = read_entries(path)
        assert (str(first.network), first.note) == (
            "8.8.4.0/24",
            "2026-11-26 noc@example.net asked\\x0aby mail",
        )
        assert str(second.network) == "8.8.8.8/32"
        assert entry_of(ip_address("::ffff:8.8.4.9"), (first, second)) == first
        assert entry_of(ip_address("8.8.5.1"), (first, second)) is None
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_wrong_file_is_not_made_longer(self, tmp_path: Path) -> None:
        """What stops all probing is mended by a person."""
        path = tmp_path / "optout"
        path.write_text("nonsense\n")

        with pytest.raises(ConfigError, match="not a network"):
            add_entry(path, ip_network("8.8.4.0/24"), DAY, "noc@example.net", "")
        assert path.read_text() == "nonsense\n"


class TestCommand:
    def test_adds_lists_and_checks(self, tmp_path: Path) -> None:
        """Who is added is refused, with who asked and why; exit code 5 says it to scripts."""
        config = tmp_path / "c.toml"
        config.write_text(f"[scope]\noptout = '{tmp_path / 'optout'}'\n")

        def run(*arguments: str) -> tuple[int, str]:
            done = CliRunner().invoke(app, ["optout", *arguments, "-c", str(config)])
            return done.exit_code, done.output

        added = run("add", "8.8.4.0/24", "--contact", "noc@example.net", "--reason", "by phone")
        refused, listed = run("check", "8.8.4.7"), run("list")

        assert added == (0, f"8.8.4.0/24 is left alone from now on ({tmp_path / 'optout'})\n")
        assert refused[0] == 5
        assert "opted out: 8.8.4.0/24 20" in refused[1]
        assert "noc@example.net by phone" in listed[1]
        assert run("check", "8.8.8.8") == (0, "8.8.8.8: may be probed\n")
        assert run("check", "10.0.0.1") == (5, "10.0.0.1: private use, RFC 1918\n")
        assert run("add", "nobody", "--contact", "x")[0] == 2
