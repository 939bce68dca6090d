"""What a watch tells in a pipe, and on a screen."""

import io
import json
import threading
from dataclasses import replace

import pytest
from rich.console import Console

from botprobe.cli.watchboard import WatchBoard
from botprobe.cli.watchlines import MAX_LINES, LineWriter, WatchLines
from botprobe.model.target import Target
from botprobe.model.work import Arrival, Claim, Plan, Rank
from botprobe.service.audience import Audience, Status
from tests.cases import HOST, NOON, bot_case
from tests.test_pipeline import mail_with

CLAIM = Claim(target=Target(HOST), rank=Rank.FRESH, due=NOON, attempt=1, tries=1)
STATUS = Status(waiting=5, under_way=1, budget_left=99, halted="stop file \x1b[2J")


def tell_all(audience: Audience) -> None:
    """Tell all that can happen."""
    plan = Plan(address=HOST, rank=Rank.FRESH)
    mail = replace(mail_with(), file="new/\x1b]0;owned\x07")
    audience.taken(Arrival(key="1", mail=mail, arrived=NOON, plans=(plan,)))
    audience.claimed(CLAIM)
    audience.started(CLAIM.target)
    audience.measured(CLAIM.target, "ping", bot_case().facts.ping)
    audience.finished(bot_case())
    audience.concluded(CLAIM, bot_case())
    audience.status(STATUS)
    audience.trouble("store: disk is full \x1b[2J")


def lines_of(*, as_json: bool) -> list[str]:
    """Return what is written."""
    stream = io.StringIO()
    out = LineWriter(stream)
    tell_all(WatchLines(as_json=as_json, out=out))
    out.close()
    return stream.getvalue().splitlines()


class TestWatchLines:
    def test_text_is_one_harmless_line_per_event(self) -> None:
        """A file name that moves the cursor does not move it."""
        lines = lines_of(as_json=False)

        assert [line.split()[1] for line in lines] == ["mail", "case", "status"]
        assert "bot (0.97, 4.2 s, 3.0 s after delivery)" in lines[1]
        assert "\x1b" not in "".join(lines)

    def test_a_long_delay_is_told_as_people_say_it(self) -> None:
        """Nobody reads 739335591 seconds as 23 years."""
        stream = io.StringIO()
        out = LineWriter(stream)
        late = replace(bot_case(), lag_seconds=739335591.4)
        WatchLines(as_json=False, out=out).concluded(CLAIM, late)
        out.close()

        assert "23.4 years after delivery" in stream.getvalue()

    def test_json_is_one_object_per_event(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Programs read the same, the trouble included; people read it on standard error."""
        events = [json.loads(line) for line in lines_of(as_json=True)]

        assert [event["event"] for event in events] == ["mail", "case", "status", "trouble"]
        assert events[0]["due"] == [str(HOST)]
        assert events[1]["case"]["verdict"]["label"] == "bot"
        assert capsys.readouterr().err == "botprobe: store: disk is full \\x1b[2J\n"

    def test_a_reader_that_stops_reading_holds_nobody_up(self) -> None:
        """Lines that nobody takes are dropped; the watch goes on."""
        release = threading.Event()

        class Stuck(io.StringIO):
            def write(self, text: str) -> int:
                release.wait(10)
                return super().write(text)

        stream = Stuck()
        out = LineWriter(stream)
        for number in range(MAX_LINES + 10):
            out.put(str(number))
        release.set()
        out.close()

        assert len(stream.getvalue().split()) <= MAX_LINES + 2

    def test_tells_once_how_many_lines_were_dropped(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Who reads too slowly learns that something is missing, as soon as it reads again."""
        release, taken = threading.Event(), threading.Event()

        class Slow(io.StringIO):
            def write(self, text: str) -> int:
                taken.set()
                release.wait(10)
                return super().write(text)

        out = LineWriter(Slow())
        lines = WatchLines(as_json=False, out=out)
        out.put("the one that is being written")
        taken.wait(10)
        for number in range(MAX_LINES + 3):
            out.put(str(number))
        lines.status(replace(STATUS, halted=None))
        assert capsys.readouterr().err == ""
        release.set()
        out.close()
        for _ in range(2):
            lines.status(replace(STATUS, halted=None))

        said = "botprobe: lines that were dropped, as their reader is too slow: 3\n"
        assert capsys.readouterr().err == said


class TestWatchBoard:
    def test_shows_rates_probes_and_verdicts(self) -> None:
        """One screen says how the watch stands, and nothing on it can move the cursor."""
        board = WatchBoard()
        board.started(Target(HOST))
        tell_all(board)
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(board)
        text = console.export_text()

        for words in (
            "1 mail (1/min)",
            "5 waiting",
            "1 under way",
            "budget 99",
            "HALTED",
            "1 bot",
        ):
            assert words in text
        assert "Windows XP is a client" in text
        assert "\x1b" not in text

    def test_says_how_to_stop_at_once(self) -> None:
        """Whoever pressed Ctrl-C sees that it was heard, and what a second one does."""
        board = WatchBoard()
        board.status(replace(STATUS, halted=None, stopping=True))
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(board)

        assert "STOPPING, a second Ctrl-C stops at once" in console.export_text()

    def test_who_was_stopped_disappears(self) -> None:
        """After a halt the screen does not show hosts that nobody asks."""
        board = WatchBoard()
        board.started(Target(HOST))
        board.status(replace(STATUS, under_way=0))
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(board)

        assert str(HOST) not in console.export_text()
