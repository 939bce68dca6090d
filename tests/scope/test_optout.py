"""The opt-out file."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from botprobe.errors import ConfigError
from botprobe.scope.optout import parse_optout, read_optout


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
