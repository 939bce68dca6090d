"""The timestamped log of each address."""

import json
import stat
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.errors import StoreError
from botprobe.hostlog import HostLog, log_text
from botprobe.model.target import Target
from tests.cases import bot_case, sighting


class TestLogText:
    def test_keeps_the_order_of_the_study(self) -> None:
        """From, To, received address, run, ping, nmap, SMTP, verdict: as it was done by hand."""
        heads = [line.split(":")[0] for line in log_text(bot_case()).splitlines()]
        order = ["From", "To", "Address", "Run", "Ping", "nmap", "SMTP", "Verdict"]

        assert [head for head in heads if head in order] == order

    def test_shows_all_that_adds_up(self) -> None:
        """Evidence, and what the table says before there is any."""
        lines = [line.split() for line in log_text(bot_case()).splitlines()]

        assert ["+2.00", "os", "Windows", "XP", "is", "a", "client"] in lines
        assert ["-1.05", "prior", "before", "anything", "is", "known"] in lines

    def test_is_harmless_to_show(self) -> None:
        """What a header or a host says cannot steer the terminal of whoever reads the log."""
        hostile = replace(sighting(), sender="\x1b]0;owned\x07", message_id="<a\nVerdict: bot>")
        text = log_text(replace(bot_case(), target=Target(ip_address("198.18.0.1"), (hostile,))))

        assert all(line.isprintable() for line in text.splitlines())
        assert text.count("\nVerdict:") == 1


class TestHostLog:
    def test_writes_text_and_json_side_by_side(self, tmp_path: Path) -> None:
        """Both are named by address and time, in a folder of the address."""
        path = HostLog(tmp_path).write(bot_case())

        assert path == tmp_path / "198.18.10.1" / "198.18.10.1_20261122T120000Z.log"
        document = json.loads(path.with_suffix(".json").read_text())
        assert document["verdict"]["label"] == "bot"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    def test_never_replaces_a_log(self, tmp_path: Path) -> None:
        """Two looks within a second both stay."""
        log = HostLog(tmp_path)
        first, second = log.write(bot_case()), log.write(bot_case())

        assert second.name == "198.18.10.1_20261122T120000Z-2.log"
        assert first.read_text() == second.read_text()

    def test_leaves_nothing_half_written(self, tmp_path: Path) -> None:
        """Only finished files are in the folder."""
        HostLog(tmp_path).write(bot_case())

        assert {path.suffix for path in (tmp_path / "198.18.10.1").iterdir()} == {".log", ".json"}

    def test_writes_the_colons_of_ipv6_as_hyphens(self, tmp_path: Path) -> None:
        """A file name holds no colon, for the sake of other systems."""
        case = replace(bot_case(), target=Target(ip_address("2001:db8::1")))

        assert HostLog(tmp_path).write(case).parent.name == "2001-db8--1"

    def test_a_directory_that_cannot_be_made_is_one_clear_error(self, tmp_path: Path) -> None:
        """A full disk or a file in the way does not end in a traceback."""
        (tmp_path / "logs").write_text("in the way")

        with pytest.raises(StoreError, match=r"host log .*: Not a directory"):
            HostLog(tmp_path / "logs").write(bot_case())
