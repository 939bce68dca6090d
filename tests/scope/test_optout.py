"""The opt-out file."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from botprobe.cli.app import app
from botprobe.errors import ConfigError, UsageError
from botprobe.model.origin import Origin
from botprobe.scope.optout import add_entry, parse_entries, parse_party, read_entries
from botprobe.scope.parties import AutonomousSystem, Domain
from tests.test_mmdb import mmdb

DAY = date(2026, 11, 26)


class TestParseEntries:
    def test_takes_the_first_word_of_each_line(self) -> None:
        """Date, contact and reason stand behind whoever opted out."""
        text = "# who asked\n\n8.8.4.0/24, 2026-11-01, noc@example.net, asked by mail\n2a00::1\n"

        first, second = parse_entries(text, "optout")

        assert (first.party, second.party) == (ip_network("8.8.4.0/24"), ip_network("2a00::1/128"))
        assert first.parts == (date(2026, 11, 1), "noc@example.net", "asked by mail")
        assert second.parts == (None, None, "")

    def test_a_mapped_network_is_the_one_that_it_holds(self) -> None:
        """Whoever opts out by the IPv6 form of an IPv4 network is heard."""
        (entry,) = parse_entries("::ffff:8.8.4.0/120\n", "optout")

        assert entry.party == ip_network("8.8.4.0/24")

    @pytest.mark.parametrize(
        ("word", "party"),
        [
            ("example.net", Domain("example.net")),
            ("*.Example.NET.", Domain("example.net")),
            (".example", Domain("example")),
            ("bücher.example", Domain("xn--bcher-kva.example")),
            ("AS64500", AutonomousSystem(64500)),
            ("as4294967295", AutonomousSystem(4294967295)),
        ],
    )
    def test_names_and_systems_can_opt_out(self, word: str, party: object) -> None:
        """However they are usually written, and again as the file shows them."""
        (entry,) = parse_entries(f"{word} 2026-11-26\n", "optout")

        assert entry.party == party
        assert parse_party(str(entry.party)) == party

    @pytest.mark.parametrize(
        "word",
        [
            "8.8.4.0/240",
            "8.8.4",
            "8.8.4.O",
            "8.8.4.1O",
            "2a00:1450",
            "AS",
            "AS0",
            "AS4294967296",
            "example",
            "example..net",
            "a/b.net",
            "\x1b[2J.net",
            "\u202e.net",
            "x" * 64 + ".net",
        ],
    )
    def test_a_wrong_line_is_fatal_and_named(self, word: str) -> None:
        """Whoever asked to be left alone must not be probed because of a typing error."""
        with pytest.raises(ConfigError, match="optout:2: neither network nor name nor AS: '"):
            parse_entries(f"8.8.8.0/24\n{word} 2026-11-01\n", "optout")

    def test_a_note_in_free_form_is_a_reason(self) -> None:
        """Nothing of what was written down is lost."""
        (entry,) = parse_entries("8.8.4.0/24 they phoned, on 2026-11-01\n", "optout")

        assert entry.parts == (None, None, "they phoned on 2026-11-01")


class TestOwners:
    @pytest.mark.parametrize(
        ("name", "owned"),
        [
            ("example.net", True),
            ("MX.Example.Net.", True),
            ("a.b.example.net", True),
            ("badexample.net", False),
            ("example.net.attacker.example", False),
        ],
    )
    def test_a_domain_speaks_for_itself_and_what_is_below(self, name: str, owned: bool) -> None:
        """By whole labels, and one of several names is enough."""
        domain = Domain("example.net")

        assert domain.owns(Origin(names=("other.example", name))) == owned
        assert not domain.owns(Origin())

    def test_a_system_speaks_for_what_it_announces(self) -> None:
        """An address whose system is not known is not thought to be in any."""
        system = AutonomousSystem(64500)

        assert system.owns(Origin(asn=64500))
        assert not system.owns(Origin(asn=64501))
        assert not system.owns(Origin())


class TestEntries:
    def test_a_file_that_cannot_be_read_is_fatal(self, tmp_path: Path) -> None:
        """A missing file is not an empty one."""
        with pytest.raises(ConfigError, match="cannot read the opt-out file"):
            read_entries(tmp_path / "gone")

    def test_why_it_cannot_be_read_is_said_once(self, tmp_path: Path) -> None:
        """One line names the file once, and in words of an operator."""
        gone, odd = tmp_path / "gone", tmp_path / "odd"
        odd.write_bytes(b"\xff\n")
        said = []
        for path in (gone, odd, tmp_path):
            with pytest.raises(ConfigError) as caught:
                read_entries(path)
            said.append(str(caught.value).removeprefix("cannot read the opt-out file "))

        assert said == [
            f"{gone}: No such file or directory (an empty one will do)",
            f"{odd}: not text in UTF-8",
            f"{tmp_path}: Is a directory",
        ]

    def test_what_was_added_is_found(self, tmp_path: Path) -> None:
        """A file is made, an open last line is closed, and nobody else reads it."""
        path = tmp_path / "optout"
        add_entry(path, ip_network("8.8.4.0/24"), DAY, "noc@example.net", "asked\nby mail")
        path.write_text(path.read_text().rstrip())
        add_entry(path, ip_network("8.8.8.8/32"), DAY, "noc@example.net", "")
        add_entry(path, AutonomousSystem(64500), DAY, "noc@example.net", "")

        first, second, third = read_entries(path)
        assert str(first.party) == "8.8.4.0/24"
        assert first.parts == (DAY, "noc@example.net", "asked\\x0aby mail")
        assert (str(second.party), str(third.party)) == ("8.8.8.8/32", "AS64500")
        assert first.covers(ip_address("::ffff:8.8.4.9"), Origin())
        assert not first.covers(ip_address("8.8.5.1"), Origin())
        assert third.covers(ip_address("8.8.5.1"), Origin(asn=64500))
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_wrong_file_is_not_made_longer(self, tmp_path: Path) -> None:
        """What stops all probing is mended by a person."""
        path = tmp_path / "optout"
        path.write_text("nonsense\n")

        with pytest.raises(ConfigError, match="neither network nor name nor AS"):
            add_entry(path, ip_network("8.8.4.0/24"), DAY, "noc@example.net", "")
        assert path.read_text() == "nonsense\n"


Run = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the opt-out file is to be."""
    return tmp_path / "optout"


@pytest.fixture
def config(tmp_path: Path, file: Path) -> Path:
    """A configuration that names it, and knows systems."""
    known = mmdb(tmp_path / "asn.mmdb", {"8.8.4.0/24": {"asn": "AS64500"}})
    path = tmp_path / "c.toml"
    path.write_text(f"[scope]\noptout = '{file}'\n[network]\nmmdb = ['{known}']\n")
    return path


@pytest.fixture
def optout(config: Path) -> Run:
    """What runs the command."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["optout", *arguments, "-c", str(config)])

    return run


class TestCommand:
    def test_adds_lists_and_checks(self, tmp_path: Path) -> None:
        """Who is added is refused, with who asked and why; exit code 5 says it to scripts."""
        config = tmp_path / "c.toml"
        config.write_text(f"[scope]\noptout = '{tmp_path / 'optout'}'\n")

        def run(*arguments: str) -> tuple[int, str]:
            done = CliRunner().invoke(app, ["optout", *arguments, "-c", str(config)])
            return done.exit_code, done.stdout

        added = run("add", "8.8.4.0/24", "--contact", "noc@example.net", "--reason", "by phone")
        refused, listed = run("check", "8.8.4.7"), run("list")

        assert added == (0, f"8.8.4.0/24 is left alone from now on ({tmp_path / 'optout'})\n")
        assert refused[0] == 5
        assert "opted out: 8.8.4.0/24 20" in refused[1]
        assert "noc@example.net by phone" in listed[1]
        assert run("check", "8.8.8.8") == (0, "8.8.8.8: may be probed\n")
        assert run("check", "10.0.0.1") == (5, "10.0.0.1: private use, RFC 1918\n")
        assert run("add", "nobody", "--contact", "x")[0] == 2
        assert run("add", "mail.example.net", "--contact", "x")[0] == 0
        assert run("list", "--json")[1].count("mail.example.net") == 1

    def test_nobody_is_written_down_twice(self, optout: Run, file: Path) -> None:
        """The second time says so, and is no failure: whoever asks twice is left alone, too."""
        first = optout("add", "8.8.4.0/24", "--contact", "noc@example.net")
        written = file.read_text()

        again = optout("add", "::ffff:8.8.4.9/120", "--contact", "other@example.net")

        assert first.exit_code == again.exit_code == 0
        assert "8.8.4.0/24 is left alone already" in again.stdout
        assert "noc@example.net" in again.stdout
        assert file.read_text() == written

    @pytest.mark.parametrize("who", ["0.0.0.0/0", "::/0", "2000::/3", "8.0.0.0/7", "::ffff:0:0/96"])
    def test_what_stops_probing_at_large_is_asked_back(
        self, optout: Run, file: Path, who: str
    ) -> None:
        """A script says --yes; without it nothing is written, and the line says what to do."""
        contact = ("--contact", "noc@example.net")
        refused = optout("add", who, *contact)

        assert isinstance(refused.exception, UsageError)
        assert "nobody in it would be probed any more; --yes if that is meant" in str(
            refused.exception
        )
        assert not file.exists()
        assert optout("add", who, *contact, "--yes").exit_code == 0
        assert len(read_entries(file)) == 1
        assert "is left alone already" in optout("add", who, *contact).stdout

    @pytest.mark.parametrize("who", ["8.0.0.0/8", "2001:db8::/32", "example.net", "AS64500"])
    def test_what_somebody_may_have_is_taken_at_once(self, optout: Run, who: str) -> None:
        """To be left alone costs one line."""
        assert "is left alone from now on" in optout("add", who, "--contact", "a@b").stdout

    @pytest.mark.parametrize(("answer", "code", "written"), [("y", 0, 1), ("n", 1, 0)])
    def test_on_a_terminal_a_person_answers(
        self, file: Path, config: Path, answer: str, code: int, written: int
    ) -> None:
        """The question is on the screen; results stay on standard output."""
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "botprobe", "optout", "add", "0.0.0.0/0"]
        with subprocess.Popen(
            [*command, "--contact", "a@b", "-c", str(config)],
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
        ) as running:
            os.close(theirs)
            os.write(ours, f"{answer}\n".encode())
            out, _ = running.communicate(timeout=15)
        asked = os.read(ours, 4096).decode()
        os.close(ours)

        assert "Go on? [y/N]" in asked
        assert running.returncode == code
        assert (b"from now on" in out) is bool(written)
        assert file.exists() is bool(written)

    def test_a_file_out_of_reach_is_no_missing_one(self, tmp_path: Path, optout: Run) -> None:
        """Where nothing can be known, nobody has to opt out again."""
        (tmp_path / "optout").mkdir()

        for arguments in (["list"], ["add", "8.8.8.8", "--contact", "a@b"]):
            done = optout(*arguments)
            assert isinstance(done.exception, ConfigError)
            assert str(done.exception).endswith("optout: Is a directory")

    def test_a_missing_file_lists_nobody_and_is_made(self, optout: Run, file: Path) -> None:
        """Both commands take it for a beginning, and say that there was none."""
        listed, as_json = optout("list"), optout("list", "--json")
        added = optout("add", "8.8.4.0/24", "--contact", "noc@example.net")

        assert (listed.exit_code, listed.stdout) == (0, "")
        assert json.loads(as_json.stdout)["entries"] == []
        assert f"{file} is not there, and until it is, nobody is probed" in listed.stderr
        assert added.exit_code == 0
        assert f"{file} was not there, and is made" in added.stderr
        assert optout("add", "8.8.8.8", "--contact", "noc@example.net").stderr == ""

    def test_a_system_is_heeded_by_files_that_know_it(self, tmp_path: Path) -> None:
        """The answer says what is known; without such a file, nobody may be probed by mistake."""
        record = {"8.8.4.0/24": {"asn": "AS64500"}}
        file, config = mmdb(tmp_path / "asn.mmdb", record), tmp_path / "c.toml"
        plain = f"[scope]\noptout = '{tmp_path / 'optout'}'\n[dns]\nnameservers = ['127.0.0.1']\n"

        def run(*arguments: str) -> tuple[int, str]:
            done = CliRunner().invoke(app, ["optout", *arguments, "-c", str(config)])
            return done.exit_code, done.output or str(done.exception)

        config.write_text(plain)
        unheeded = run("add", "AS64500", "--contact", "noc@example.net")
        config.write_text(f"{plain}timeout = 0.1\n[network]\nmmdb = ['{file}']\n")
        run("add", "AS64500", "--contact", "noc@example.net")
        refused, other = run("check", "8.8.4.7", "--json"), run("check", "8.8.8.8")
        config.write_text(plain)
        stopped = run("check", "8.8.4.7")

        assert "AS64500: no file of [network] mmdb tells which addresses it has" in unheeded[1]
        assert refused[0] == 5
        answer = json.loads(refused[1])
        assert (answer["refused"], answer["asn"], answer["entry"]["who"]) == (
            "opted out",
            64500,
            "AS64500",
        )
        assert other == (
            0,
            "8.8.8.8: may be probed (its name is not known, its AS is not known)\n",
        )
        assert "AS64500: no file" in stopped[1]
