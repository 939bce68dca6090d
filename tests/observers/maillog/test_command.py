"""The command ``botprobe maillog`` from end to end, in a process of its own."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from botprobe.cli.maillog_follow import Watch
from botprobe.observers.maillog.alarms import Alarm, AlarmKind
from botprobe.observers.maillog.analysis import Analysis, Choices, Incident, analyse
from botprobe.observers.maillog.scanner import LogScanner
from botprobe.observers.maillog.stamps import YearClock
from botprobe.observers.maillog.tally import LogTally
from tests.observers.maillog.synthetic import Day, Visit, bind_lines, postfix_lines

MONDAY = date(2026, 9, 7)
DRIVER = "198.51.100.7"
LAST = MONDAY + timedelta(days=28)


def _days() -> list[Day]:
    """Return four weeks of a usual server, and a Monday with a driver."""
    days = []
    for offset in range(29):
        visits = [
            Visit(client=f"203.0.113.{number}", accepted=5 + offset % 2, idle=2)
            for number in range(1, 21)
        ]
        if offset == 28:
            visits.append(Visit(client=DRIVER, refused=500))
        days.append(Day(MONDAY + timedelta(days=offset), tuple(visits), logins=3))
    return days


@pytest.fixture
def logs(tmp_path: Path) -> tuple[Path, Path]:
    """Return a mail log and the query log that belongs to it."""
    days = _days()
    mail, queries = tmp_path / "mail.log", tmp_path / "query.log"
    mail.write_text("".join(postfix_lines(days)), encoding="ascii")
    asked = [round(8.8 * day.connects) + day.logins for day in days]
    queries.write_text("".join(bind_lines(days, asked, "192.0.2.25")), encoding="ascii")
    return mail, queries


def _botprobe(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return _run("maillog", *arguments)


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "botprobe", *map(str, arguments)],
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.mark.timeout(120)
class TestCommand:
    def test_writes_all_that_is_asked_for(self, logs: tuple[Path, Path], tmp_path: Path) -> None:
        """One run gives JSON, a page, metrics and an access map that agree."""
        mail, queries = logs
        page, metrics, table = (tmp_path / name for name in ("page.html", "m.prom", "map.cidr"))

        done = _botprobe(
            mail, "--dns", queries, "--mail-host", "192.0.2.25", "--year", "2026", "--json",
            "--html", page, "--textfile", metrics, "--access-map", table, "--action", "HOLD",
        )  # fmt: skip

        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        (alarm,) = [one for one in document["alarms"] if one["kind"] != "level-shift"]
        assert (alarm["day"], alarm["kind"]) == (LAST.isoformat(), "alpha-falls-queries-rise")
        assert [driver["client"] for driver in alarm["drivers"]] == [DRIVER]
        assert document["model"]["m_smtp"]["value"] == pytest.approx(8.8, abs=0.05)
        assert table.read_text().splitlines()[1].startswith(f"{DRIVER}\tHOLD ")
        assert "botprobe_maillog_connects 640.0" in metrics.read_text()
        text = page.read_text()
        assert DRIVER in text
        assert text.count("<svg") == 4
        assert "<script" not in text

    def test_the_page_says_what_to_do_and_what_it_did(
        self, logs: tuple[Path, Path], tmp_path: Path
    ) -> None:
        """A page with level shifts, an effect foretold and measured, and the access map."""
        mail, _ = logs
        later = [replace(day, day=day.day + timedelta(days=29)) for day in _days()[:-1]]
        quiet = [replace(day, visits=day.visits[:5]) for day in later]
        with mail.open("a") as file:
            file.writelines(postfix_lines(quiet))
        since = LAST + timedelta(days=1)

        done = _botprobe(
            mail, "--year", "2026", "--acted", since.isoformat(), "--html", tmp_path / "page.html"
        )

        assert done.returncode == 0, done.stderr
        page = (tmp_path / "page.html").read_text()
        assert "level-shift" in page
        assert "28 days after" in page
        assert "1 abnormal ones" in page
        assert f"{DRIVER}    REJECT drives" in page
        assert "N_c 140, alpha 0.71" in page
        assert "\\x" not in page
        assert f"Since {since}" in done.stdout

    def test_the_screen_begins_with_a_verdict(self, logs: tuple[Path, Path]) -> None:
        """Without options a paragraph in plain words stands on top."""
        done = _botprobe(logs[0], "--year", "2026")

        assert done.returncode == 0, done.stderr
        head = " ".join(done.stdout.replace("│", " ").split())[:800]
        assert f"On {LAST} alpha fell" in head
        assert DRIVER in head
        assert "not measured" in head

    def test_suspects_flow_into_the_dossier(self, logs: tuple[Path, Path], tmp_path: Path) -> None:
        """What the log knows of a driver is shown with its history, and it is due for a watch."""
        config, store = tmp_path / "botprobe.toml", tmp_path / "cases.sqlite"
        config.write_text('[scope]\nallow = ["198.51.100.0/24"]\n')
        said = ("--config", config, "--store", store)

        kept = _botprobe(logs[0], "--year", "2026", "--keep", *said)
        before = json.loads(_run("host", DRIVER, "--json", *said).stdout)
        asked = _botprobe(logs[0], "--year", "2026", "--investigate", *said)
        after = json.loads(_run("host", DRIVER, "--json", *said).stdout)
        screen = _run("host", DRIVER, *said).stdout
        _run("host", DRIVER, "--html", tmp_path / "page.html", *said)

        assert "drove the abnormal load of" in (tmp_path / "page.html").read_text()
        assert "21 observations kept" in kept.stderr
        assert "1 of 1 suspect due" in asked.stderr
        (observation,) = after["observations"]
        assert observation["saw"]["driver_days"] == [LAST.isoformat()]
        assert (before["due"], [event["kind"] for event in before["timeline"]]) == (
            None,
            ["observed"],
        )
        assert [event["kind"] for event in after["timeline"]] == [
            "observed",
            "suspected",
            "planned",
        ]
        assert f"drove the abnormal load of {LAST}" in " ".join(screen.split())

    def test_the_scope_refuses_a_suspect(self, logs: tuple[Path, Path], tmp_path: Path) -> None:
        """A log cannot make us probe whom nobody may probe; the refusal is told."""
        store = tmp_path / "cases.sqlite"

        done = _botprobe(logs[0], "--year", "2026", "--investigate", "--store", store)

        assert done.returncode == 0
        assert "0 of 1 suspect due" in done.stderr
        assert f"{DRIVER}: " in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("/nonexistent.log",), 1, "cannot read"),
            (("LOG", "--holidays", "/nonexistent"), 1, "cannot read"),
            (("LOG", "--country", "xx"), 2, "no calendar"),
            (("LOG", "--exclude", "300.0.0.0/8"), 2, "--exclude"),
            (("LOG", "--reject-kind", "nonsense"), 2, "KIND=WORDS"),
        ],
    )
    def test_bad_input_is_told_in_one_line(
        self, logs: tuple[Path, Path], arguments: tuple[str, ...], code: int, said: str
    ) -> None:
        """No wrong file or option ends in a traceback."""
        done = _botprobe(*(str(logs[0]) if word == "LOG" else word for word in arguments))

        assert done.returncode == code
        assert said in done.stderr
        assert "Traceback" not in done.stderr

    def test_text_of_a_client_cannot_draw_on_the_screen(self, tmp_path: Path) -> None:
        """Escape sequences and markup in a log stay letters, on every output."""
        evil = "\x1b[31m<script>"
        log = tmp_path / "mail.log"
        log.write_text(f"Oct 22 02:13:41 mx postfix/smtpd[7]: connect from x[{evil}]\n")

        done = _botprobe(log, "--html", tmp_path / "page.html")

        assert done.returncode == 0
        assert "\x1b" not in done.stdout
        page = (tmp_path / "page.html").read_text()
        assert "<script>" not in page
        assert "\x1b" not in page


@dataclass(slots=True)
class _Live:
    """A watch over a tally that grows chunk by chunk; its clock makes every look due."""

    told: list[Incident] = field(default_factory=list)
    tally: LogTally = field(default_factory=LogTally)

    def run(self, *chunks: str) -> None:
        scanner, year, clock = LogScanner(), YearClock(LAST, 2026), count(0, 61)
        watch = Watch(
            judge=lambda: analyse(self.tally, None, Choices()),
            show=lambda _: None,
            tell=self.told.append,
            clock=lambda: float(next(clock)),
        )

        def rounds() -> Iterator[bool]:
            for chunk in chunks:
                self.tally.add(scanner.scan(chunk.encode()), year)
                yield bool(chunk)

        watch.run(rounds(), lambda _: False)


class TestWatch:
    def test_tells_each_alarm_once(self) -> None:
        """A live alarm comes when its lines come, and not again at each look."""
        *usual, abnormal = _days()
        live = _Live()

        live.run("".join(postfix_lines(usual)), "", "".join(postfix_lines([abnormal])), "", "", "")

        assert [incident.alarm.day for incident in live.told] == [LAST]
        assert live.told[0].drivers == (DRIVER,)

    def test_history_is_not_told_at_the_start(self) -> None:
        """Only the newest day is news when the watch begins."""
        *usual, abnormal = _days()
        tomorrow = replace(usual[0], day=LAST + timedelta(days=1))
        past, today = _Live(), _Live()

        past.run("".join(postfix_lines([*usual, abnormal, tomorrow])), "")
        today.run("".join(postfix_lines([*usual, abnormal])), "")

        assert past.told == []
        assert [incident.alarm.day for incident in today.told] == [LAST]

    def test_a_level_that_moves_by_a_day_is_told_once(self) -> None:
        """With more days behind it the first day of a new level is found more exactly."""
        told: list[Incident] = []
        moments = [LAST, LAST + timedelta(days=1), LAST + timedelta(days=9)]
        found = [
            SimpleNamespace(
                days=[SimpleNamespace(day=LAST)],
                incidents=[Incident(alarm=Alarm(kind=AlarmKind.LEVEL_SHIFT, day=day, because=""))],
            )
            for day in moments
        ]
        clock = count(0, 61)
        watch = Watch(
            judge=lambda: cast("Analysis", found.pop(0)),
            show=lambda _: None,
            tell=told.append,
            clock=lambda: float(next(clock)),
        )

        watch.run([True, False, True, True], lambda _: False)

        assert [incident.alarm.day for incident in told] == [moments[0], moments[2]]


@pytest.mark.timeout(120)
class TestFollow:
    """The command with ``--follow``, in a process of its own."""

    @pytest.fixture
    def history(self, tmp_path: Path) -> tuple[Path, Path]:
        """Return the logs as they are before the abnormal day."""
        mail, queries = tmp_path / "mail.log", tmp_path / "query.log"
        self._append(mail, queries, _days()[:-1])
        return mail, queries

    def _append(self, mail: Path, queries: Path, days: list[Day]) -> None:
        asked = [round(8.8 * day.connects) + day.logins for day in days]
        with mail.open("a") as file:
            file.writelines(postfix_lines(days))
        with queries.open("a") as file:
            file.writelines(bind_lines(days, asked, "192.0.2.25"))

    @contextmanager
    def _following(self, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "botprobe", "maillog", "--follow", "--year", "2026"]
        with subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _wait_for(self, path: Path) -> None:
        deadline = time.monotonic() + 60
        while not path.exists():
            assert time.monotonic() < deadline, f"{path} was not written"
            time.sleep(0.05)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_alpha_falls_while_queries_rise(
        self, history: tuple[Path, Path], tmp_path: Path, number: signal.Signals
    ) -> None:
        """Both logs are followed across their rotation, and the last look has all lines."""
        mail, queries = history
        metrics, page = tmp_path / "m.prom", tmp_path / "page.html"
        said = (mail, "--dns", queries, "--mail-host", "192.0.2.25", "--json")
        with self._following(*said, "--textfile", metrics, "--html", page) as process:
            self._wait_for(metrics)
            queries.rename(tmp_path / "query.log.1")
            shutil.copy(mail, tmp_path / "mail.log.1")
            os.truncate(mail, 0)
            self._append(mail, queries, _days()[-1:])
            process.send_signal(number)
            output, errors = process.communicate(timeout=60)

        alarm, _, document = output.partition("\n")
        assert process.returncode == 0, errors
        assert json.loads(alarm)["schema"] == "botprobe/maillog-alarm/1"
        assert json.loads(alarm)["kind"] == "alpha-falls-queries-rise"
        assert [one["client"] for one in json.loads(alarm)["drivers"]] == [DRIVER]
        assert json.loads(document)["days"][-1]["d_q"] == round(8.8 * 640) + 3
        assert "botprobe_maillog_connects 640.0" in metrics.read_text()
        assert f"following {mail}, {queries}" in errors

    def test_a_new_suspect_is_handed_over_at_once(
        self, history: tuple[Path, Path], tmp_path: Path
    ) -> None:
        """``--investigate`` does not wait for the end."""
        mail, queries = history
        self._append(mail, queries, _days()[-1:])
        config, store = tmp_path / "botprobe.toml", tmp_path / "cases.sqlite"
        config.write_text('[scope]\nallow = ["198.51.100.0/24"]\n')

        with self._following(
            mail, "--investigate", "--config", config, "--store", store
        ) as process:
            assert process.stderr is not None
            told = [process.stderr.readline() for _ in range(3)]

        assert told[1] == "botprobe: 21 observations kept\n"
        assert told[2].startswith("botprobe: 1 of 1 suspect due for botprobe watch")

    def test_what_cannot_be_written_is_tried_again(
        self, history: tuple[Path, Path], tmp_path: Path
    ) -> None:
        """A folder that is away, like a full disk, ends no watch before its end."""
        metrics = tmp_path / "away" / "m.prom"
        with self._following(history[0], "--textfile", metrics) as process:
            assert process.stderr is not None
            told = [process.stderr.readline() for _ in range(2)]
            metrics.parent.mkdir()
            process.terminate()
            process.communicate(timeout=60)

        assert "m.prom" in told[1]
        assert "tried again in a minute" in told[1]
        assert process.returncode == 0
        assert "botprobe_maillog_connects 160.0" in metrics.read_text()

    def test_the_newest_of_rotated_files_is_followed(
        self, history: tuple[Path, Path], tmp_path: Path
    ) -> None:
        """``mail.log*`` names the current file first and packed ones too."""
        mail, _ = history
        old = tmp_path / "mail.log.2.gz"
        old.write_bytes(gzip.compress(b""))
        os.utime(old, (0, 0))

        with self._following(mail, old, "--textfile", tmp_path / "m.prom") as process:
            self._wait_for(tmp_path / "m.prom")
            process.terminate()
            _, errors = process.communicate(timeout=60)

        assert f"following {mail};" in errors

    def test_a_pipe_is_followed_to_its_end(self, history: tuple[Path, Path]) -> None:
        """What ``journalctl -f`` writes can be piped in."""
        with self._following("-", "--json") as process:
            output, errors = process.communicate(history[0].read_text(), timeout=60)

        assert process.returncode == 0, errors
        assert len(json.loads(output)["days"]) == 28

    def test_a_packed_file_cannot_be_followed(self, tmp_path: Path) -> None:
        """That is told as a wrong use."""
        packed = tmp_path / "mail.log.gz"
        packed.write_bytes(gzip.compress(b""))

        done = _botprobe(packed, "--follow")

        assert done.returncode == 2
        assert "only a plain file or - can be followed" in done.stderr
