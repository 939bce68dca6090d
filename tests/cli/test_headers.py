"""``botprobe headers``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from botprobe.cli.app import app
from botprobe.cli.exitcodes import ExitCode
from botprobe.errors import InputError, UsageError
from tests.intake.writerlines import DATE

STUDY = """\
Received: from 61.48.71.52 (HELO 203.216.247.181) (61.48.71.52)
  by mta144.mail.tnz.yahoo.co.jp with SMTP; Tue, 17 Feb 2009 10:00:00 +0900
Received: from 144.185.57.214 by 203.216.247.181; Wed, 18 Feb 2009 00:06:05 -0100
From: s@example.net
Subject: a study

body
"""
HOSTILE = f"""\
Received: from \x1bc\x9b2J (unknown [192.0.2.1]) by mx.example.org (Postfix); {DATE}
From: "\u202egro.elpmaxe" <s@example.net>
Subject: \x1b]0;owned\x07

body
"""


@pytest.fixture
def headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """A runner far from the user's own configuration."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("BOTPROBE_CONFIG", raising=False)
    return CliRunner()


def run(runner: CliRunner, *arguments: str | Path, data: str | None = None) -> Result:
    """Run the command."""
    return runner.invoke(app, ["headers", *map(str, arguments)], input=data)


def write(path: Path, text: str = STUDY) -> Path:
    """Write a mail."""
    path.write_text(text, encoding="utf-8")
    return path


class TestScreen:
    def test_the_source_in_one_plain_sentence(self, headers: CliRunner, tmp_path: Path) -> None:
        """The address that delivered the mail, and what its HELO only claimed."""
        result = run(headers, write(tmp_path / "a.eml"))

        text = " ".join(result.stdout.split())
        assert result.exit_code == ExitCode.DONE
        assert "61.48.71.52 delivered the mail to mta144.mail.tnz.yahoo.co.jp" in text
        assert "203.216.247.181 is only the HELO that 61.48.71.52 gave" in text
        assert "dated 24 h 06 m 05 s after the line above it" in text
        assert "forged" in text

    def test_an_unknown_boundary_says_what_to_configure(
        self, headers: CliRunner, tmp_path: Path
    ) -> None:
        """Honest, and helpful."""
        result = run(headers, write(tmp_path / "a.eml"), "--own-host", "mx.example.org")

        text = " ".join(result.stdout.split())
        assert "Boundary unknown: line 1 was written by mta144.mail.tnz.yahoo.co.jp" in text
        assert "--own-host" in text
        assert "--trusted-network" in text

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("garbage", "no mail: no header field found"),
            (
                "From: s@example.net\nSubject: x\n\n",
                "Boundary unknown: there is no Received field.",
            ),
        ],
    )
    def test_advice_that_would_not_help_is_not_given(
        self, headers: CliRunner, tmp_path: Path, text: str, said: str
    ) -> None:
        """Where no line names anybody, no name of an own host mends it."""
        result = run(headers, write(tmp_path / "a.eml", text))

        assert said in result.stdout
        assert "--own-host" not in result.output

    def test_hostile_text_cannot_steer_the_terminal(
        self, headers: CliRunner, tmp_path: Path
    ) -> None:
        """Escape sequences and overrides are shown as what they are."""
        result = run(headers, write(tmp_path / "a.eml", HOSTILE))

        assert "\\x1bc\\x9b2J" in result.stdout
        assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(result.stdout)


class TestJson:
    def test_one_object_per_line(self, headers: CliRunner, tmp_path: Path) -> None:
        """In the order of the files' names, by the contract botprobe/mail/1."""
        write(tmp_path / "b.eml")
        write(tmp_path / "a.eml", HOSTILE)

        result = run(headers, tmp_path, "--jsonl")

        first, second = map(json.loads, result.stdout.splitlines())
        assert [Path(mail["file"]).name for mail in (first, second)] == ["a.eml", "b.eml"]
        assert second["schema"] == "botprobe/mail/1"
        assert second["source_ip"] == "61.48.71.52"
        assert second["boundary"]["basis"] == "first-hop"
        assert [hop["trust"] for hop in second["hops"]] == ["boundary", "forged"]
        assert second["hops"][0]["helo"] == "203.216.247.181"

    def test_one_document(self, headers: CliRunner) -> None:
        """Standard input is a mail too."""
        result = run(headers, "-", "--json", data=STUDY)

        document = json.loads(result.stdout)
        assert [mail["file"] for mail in document["mails"]] == ["-"]
        assert document["skipped"] == []

    def test_options_name_the_own_side(self, headers: CliRunner, tmp_path: Path) -> None:
        """What they say goes over the configuration."""
        config = tmp_path / "botprobe.toml"
        config.write_text('[trust]\ntrusted_networks = ["192.0.2.0/24"]\n')
        mail = write(tmp_path / "a.eml")

        configured = run(headers, mail, "--jsonl", "--config", config)
        said = run(headers, mail, "--jsonl", "--config", config, "--trusted-network", "61.48/16")

        assert json.loads(configured.stdout)["boundary"]["basis"] == "config"
        assert json.loads(configured.stdout)["source_ip"] == "61.48.71.52"
        assert json.loads(said.stdout)["source_ip"] == "144.185.57.214"


class TestFailures:
    def test_a_bad_item_stops_nothing(self, headers: CliRunner, tmp_path: Path) -> None:
        """Each is named in one line, and the exit code says that it was not all."""
        write(tmp_path / "a.eml", "garbage")
        write(tmp_path / "b.eml")

        result = run(headers, tmp_path, tmp_path / "missing.eml", "--jsonl")

        assert result.exit_code == ExitCode.PARTLY
        assert len(result.stdout.splitlines()) == 2
        assert json.loads(result.stdout.splitlines()[0])["errors"] == ["no header field found"]
        assert result.stderr.splitlines() == [
            f"botprobe: {tmp_path / 'a.eml'} is no mail: no header field found",
            f"botprobe: cannot read {tmp_path / 'missing.eml'}: No such file or directory",
        ]

    def test_nothing_at_all_is_a_failure(self, headers: CliRunner, tmp_path: Path) -> None:
        """The error reaches the place where all errors end."""
        result = run(headers, tmp_path / "missing.eml")

        assert isinstance(result.exception, InputError)
        assert "missing.eml" in result.stderr

    def test_a_wrong_network_is_named(self, headers: CliRunner, tmp_path: Path) -> None:
        """A typing error must not open or close anything in silence."""
        result = run(headers, write(tmp_path / "a.eml"), "--trusted-network", "10.0.0.0/99")

        assert isinstance(result.exception, UsageError)
        assert "'10.0.0.0/99' is not a network" in str(result.exception)


def test_a_mailbox_shows_its_own_server(headers: CliRunner, tmp_path: Path) -> None:
    """Twenty mails that one server took are enough to know it by."""
    for number in range(20):
        line = f"from h (r [192.0.2.{number}]) by mx.example.org (Postfix) with ESMTP; {DATE}"
        write(tmp_path / f"{number:02}.eml", f"Received: {line}\n\n")

    result = run(headers, tmp_path, "--jsonl")

    bases = {json.loads(line)["boundary"]["basis"] for line in result.stdout.splitlines()}
    assert bases == {"mailbox"}
