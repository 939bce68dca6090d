"""The command ``botprobe maillog`` from end to end, in a process of its own."""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from botprobe.cli.maillog_follow import Watch
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

        assert "21 observations kept" in kept.stderr
        assert "1 of 1 suspects are due" in asked.stderr
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
        assert "0 of 1 suspects are due" in done.stderr
        assert f"{DRIVER}: " in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("/nonexistent.log",), 1, "cannot read"),
            (("LOG", "--holidays", "/nonexistent"), 1, "cannot read"),
            (("LOG", "--country", "xx"), 3, "no calendar"),
            (("LOG", "--exclude", "300.0.0.0/8"), 3, "--exclude"),
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


class TestWatch:
    def test_tells_each_alarm_once(self) -> None:
        """A live alarm comes when its lines come, and not again at each look."""
        *usual, abnormal = _days()
        tally, told = LogTally(), list[Incident]()
        scanner, year = LogScanner(), YearClock(LAST, 2026)
        clock = iter(range(0, 10_000, 61))

        def judge() -> Analysis:
            return analyse(tally, None, Choices())

        watch = Watch(judge, lambda _: None, told.append, clock=lambda: float(next(clock)))
        chunks = ["".join(postfix_lines(usual)).encode(), b""]
        chunks += ["".join(postfix_lines([abnormal])).encode(), b"", b"", b""]

        watch.run(chunks, lambda chunk: tally.add(scanner.scan(chunk), year))

        assert [incident.alarm.day for incident in told] == [LAST]
        assert told[0].drivers == (DRIVER,)
