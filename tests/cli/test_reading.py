"""One rule for all commands that read files: a bad one is named, the others are shown, and exit 4.

Each command is run as it is called, on files that are there or not, damaged, or of another kind.
"""

import gzip
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from botprobe.cli.app import main
from botprobe.cli.exitcodes import ExitCode
from tests.observers.proxytrace.talk import Abuse, both
from tests.observers.wire import Segment, write_pcap

MAIL_LOG = "Oct 22 02:13:41 mx postfix/smtpd[7]: connect from x[192.0.2.1]\n"
PROXY_LOG = "1795710682.322 89 198.51.100.7 TCP_TUNNEL/200 41 CONNECT mx.example:25 - X/- -\n"
QUERY_LOG = "22-Oct-2026 02:13:41.000 client 192.0.2.25#53 (x.example): query: x.example IN MX +\n"
MAIL = "From: a@example.org\nSubject: hello\n\nhello\n"


def _capture(path: Path) -> None:
    write_pcap(path, [(one.at, one.frame()) for one in both(Abuse())])


def _text(text: str) -> Callable[[Path], None]:
    return lambda path: _write(path, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that reads files, and how to make one that it can read."""

    words: tuple[str, ...]
    option: str
    """What stands before each file."""
    make: Callable[[Path], None]
    seen: Callable[[dict[str, Any]], int]
    """How many times the good file shows in the document."""
    told: Callable[[dict[str, Any]], Sequence[str]]
    """What the document says of bad files."""
    noun: str

    def line(self, *files: Path) -> list[str]:
        """Return the command line."""
        options = ((self.option, str(file)) if self.option else (str(file),) for file in files)
        return [*self.words, *(word for words in options for word in words)]


COMMANDS = {
    "headers": Command(
        ("headers",), "", _text(MAIL), lambda found: sum(
            mail["subject"] == "hello" for mail in found["mails"]
        ), lambda found: found["skipped"], "mail",
    ),
    "maillog": Command(
        ("maillog",), "", _text(MAIL_LOG), lambda found: sum(d["n_c"] for d in found["days"]),
        lambda found: found["read"]["damaged"], "log",
    ),
    "proxytrace": Command(
        ("proxytrace",), "", _capture, lambda found: len(found["traces"]),
        lambda found: found["read"]["damaged"], "capture",
    ),
    "proxytrace --log": Command(
        ("proxytrace",), "--log", _text(PROXY_LOG),
        lambda found: sum(one["orders"] for one in found["origins"]),
        lambda found: found["read"]["damaged"], "log",
    ),
    "router": Command(
        ("router",), "--pcap", _capture, lambda found: sum(
            one["ip"] == "203.0.113.5" for one in found["addresses"]
        ), lambda found: found["captures"]["damaged"], "capture",
    ),
}  # fmt: skip


def _missing(_: Path) -> None:
    pass


def _folder(path: Path) -> None:
    """No file, and no capture in it; an empty mailbox it may be."""
    path.mkdir()


def _other_kind(path: Path) -> None:
    path.write_bytes(b"\x7fELF\x02\x01\x01\0 no such file\n\0\0\n" * 9)


BAD = [
    pytest.param(command, make_bad, id=f"{name}, {make_bad.__name__}")
    for name, command in COMMANDS.items()
    for make_bad in (_missing, _other_kind, _folder)
    if (name, make_bad) != ("headers", _folder)
]


@dataclass(slots=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Return a function that runs a command line to its end."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))

    def run_(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["botprobe", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return Ended(code if isinstance(code, int) else 0, *capfd.readouterr())

    return run_


@pytest.mark.parametrize(("command", "make_bad"), BAD)
class TestBadFiles:
    def test_one_is_named_and_the_others_are_shown(
        self, command: Command, make_bad: Callable[[Path], None], run: Run, tmp_path: Path
    ) -> None:
        """One line on standard error, the whole result, and the code of what is partly done."""
        make_bad(tmp_path / "bad")
        command.make(tmp_path / "good")

        done = run(*command.line(tmp_path / "bad", tmp_path / "good"), "--json")

        document = json.loads(done.stdout)
        assert done.code == ExitCode.PARTLY
        assert command.seen(document) == 1
        (line,) = done.stderr.splitlines()
        (told,) = command.told(document)
        assert line == f"botprobe: {told}"
        assert str(tmp_path / "bad") in line

    def test_nothing_at_all_is_a_failure(
        self, command: Command, make_bad: Callable[[Path], None], run: Run, tmp_path: Path
    ) -> None:
        """Then there is no result, and a line that says so."""
        make_bad(tmp_path / "bad")

        done = run(*command.line(tmp_path / "bad"), "--json")

        assert done.code == ExitCode.FAILURE
        assert done.stdout == ""
        first, last = done.stderr.splitlines()
        assert str(tmp_path / "bad") in first
        assert last == f"botprobe: no {command.noun} could be read"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
class TestEachCommand:
    def test_a_screen_has_no_complaint_on_it(
        self, command: Command, run: Run, tmp_path: Path
    ) -> None:
        """Complaints are for standard error; the result has their number."""
        command.make(tmp_path / "good")

        done = run(*command.line(tmp_path / "missing", tmp_path / "good"))

        assert done.code == ExitCode.PARTLY
        assert "No such file" in done.stderr
        assert "No such file" not in done.stdout
        assert command.noun == "mail" or "2 files, 1 not read whole" in done.stdout

    def test_good_files_are_done(self, command: Command, run: Run, tmp_path: Path) -> None:
        """Nothing was left out, and nobody complains."""
        command.make(tmp_path / "good")

        done = run(*command.line(tmp_path / "good"))

        assert (done.code, done.stderr) == (ExitCode.DONE, "")


@pytest.mark.parametrize("name", ["proxytrace", "router"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
class TestCaptures:
    def test_one_that_breaks_off_is_read_as_far_as_it_goes(
        self, name: str, suffix: str, run: Run, tmp_path: Path
    ) -> None:
        """Nothing of interest in it is a result, too: it was read, and says so."""
        web = Segment(source="192.0.2.1", target="192.0.2.2", from_port=4001, to_port=80)
        file = write_pcap(tmp_path / "web.pcap", [(1.0, web.frame())] * 9)
        cut = file.read_bytes()[:-10]
        file = file.with_name(f"cut.pcap{suffix}")
        file.write_bytes(gzip.compress(cut) if suffix else cut)

        done = run(*COMMANDS[name].line(file), "--json")

        assert done.code == ExitCode.PARTLY
        assert done.stderr.startswith(f"botprobe: {file}: truncated")
        assert COMMANDS[name].told(json.loads(done.stdout)) == [
            done.stderr.strip().removeprefix("botprobe: ")
        ]


LONG = "long-" + "x" * 5_000_000 + "\n"
LOGS = {
    "maillog": (("maillog",), MAIL_LOG, "unread"),
    "maillog --dns": (
        ("maillog", "MAIL", "--mail-host", "192.0.2.25", "--dns"), QUERY_LOG, "unread",
    ),
    "proxytrace --log": (("proxytrace", "--log"), PROXY_LOG, "read"),
}  # fmt: skip


@pytest.fixture(params=list(LOGS))
def log_command(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str], str, str]:
    """Return a command that reads a log, a line of such a log, and where lines are told."""
    words, line, where = LOGS[request.param]
    (tmp_path / "mail.log").write_text(MAIL_LOG)
    place = str(tmp_path / "mail.log")
    return [place if word == "MAIL" else word for word in words], line, where


class TestLogs:
    def test_what_stands_before_the_damage_counts(
        self, log_command: tuple[list[str], str, str], run: Run, tmp_path: Path
    ) -> None:
        """A packed log that was cut off is read to the cut."""
        words, line, where = log_command
        cut = tmp_path / "cut.gz"
        lines = "".join(line.replace("13:41", f"13:{n % 60:02}") for n in range(2_000))
        cut.write_bytes(gzip.compress(lines.encode())[:-200])

        done = run(*words, str(cut), "--json")

        document = json.loads(done.stdout)
        assert done.code == ExitCode.PARTLY
        assert "cut.gz" in done.stderr
        assert document["read"]["damaged"] == [done.stderr.strip().removeprefix("botprobe: ")]
        assert (document if where == "unread" else document["read"])["lines"] > 1_000

    @pytest.mark.parametrize("suffix", ["", ".gz"])
    @pytest.mark.parametrize("before", [0, 1, 20_000])
    def test_a_line_without_end_is_one_line(
        self,
        log_command: tuple[list[str], str, str],
        before: int,
        suffix: str,
        run: Run,
        tmp_path: Path,
    ) -> None:
        """Wherever it stands, it is skipped, counted once and shown; the others count."""
        words, line, where = log_command
        log, text = tmp_path / f"x.log{suffix}", (line * before + LONG + line * 3).encode()
        log.write_bytes(gzip.compress(text, 1) if suffix else text)

        done = run(*words, str(log), "--json")

        document = json.loads(done.stdout)
        read = document if where == "unread" else document["read"]
        said = document[where]
        assert done.code == ExitCode.DONE
        assert read["lines"] - (words[0] == "maillog" and len(words) > 1) == before + 4
        assert said["too_long"] == 1
        assert (said["count"] if where == "unread" else said["unread"]) == 1
        assert said["samples"][0].startswith("long-xxx")

    def test_the_screen_tells_of_it(
        self, log_command: tuple[list[str], str, str], run: Run, tmp_path: Path
    ) -> None:
        """Without asking for a document, too."""
        words, line, _ = log_command
        (tmp_path / "x.log").write_text(LONG + line)

        done = run(*words, str(tmp_path / "x.log"))

        assert "1 not understood, 1 of them skipped as too long" in done.stdout
