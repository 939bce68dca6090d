"""``botprobe maillog --follow``: logs that go on, and their alarms as they come."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from threading import Event

from botprobe.cli.stderr import complain
from botprobe.errors import UsageError
from botprobe.observers.maillog.alarms import Alarm, AlarmKind
from botprobe.observers.maillog.analysis import Analysis, Incident
from botprobe.observers.maillog.changes import MIN_LENGTH
from botprobe.observers.maillog.files import STANDARD_INPUT, in_order, is_plain
from botprobe.observers.reading import ReadNotes

POLL_SECONDS = 1.0
# Baselines of two months take a moment; alarms need not be told sooner.
JUDGE_EVERY_SECONDS = 60.0

Pause = Callable[[float], bool]


@dataclass(slots=True)
class Watch:
    """Judges growing logs now and then, and tells each alarm once."""

    judge: Callable[[], Analysis]
    show: Callable[[Analysis], None]
    tell: Callable[[Incident], None]
    clock: Callable[[], float] = time.monotonic
    _told: set[tuple[AlarmKind, date]] = field(default_factory=set)
    _judged: float | None = None
    _grown: bool = False

    def run(self, rounds: Iterable[bool], stopped: Pause) -> None:
        """Go on until the rounds end, or a stop is asked for and all that came is taken.

        Args:
            rounds: each says whether anything came.
            stopped: waits for so many seconds, and says whether to stop.
        """
        stopping = False
        for came in rounds:
            self._grown |= came
            due = self._judged is None or self.clock() - self._judged >= JUDGE_EVERY_SECONDS
            # At the start the logs are read to their end first.
            if due and self._grown and not (came and self._judged is None):
                self._judge_now()
            if stopping and not came:
                break
            stopping = stopped(0.0 if came or stopping else POLL_SECONDS)
        if self._grown:
            self._judge_now()

    def _judge_now(self) -> None:
        analysis = self.judge()
        first, self._judged, self._grown = self._judged is None, self.clock(), False
        self.show(analysis)
        newest = analysis.days[-1].day if analysis.days else None
        for incident in analysis.incidents:
            if self._was_told(incident.alarm):
                continue
            self._told.add((incident.alarm.kind, incident.alarm.day))
            # What was abnormal before today is history, and not told at every start.
            if not first or incident.alarm.day == newest:
                self.tell(incident)

    def _was_told(self, alarm: Alarm) -> bool:
        # With each day that comes the first day of a new level may move a little.
        near = timedelta(days=MIN_LENGTH if alarm.kind is AlarmKind.LEVEL_SHIFT else 1)
        return any(kind is alarm.kind and abs(day - alarm.day) < near for kind, day in self._told)


@dataclass(frozen=True, slots=True)
class Split:
    """Logs that are read once, and the one that goes on."""

    earlier: list[Path]
    growing: Path | None


def split(
    paths: Sequence[Path], notes: ReadNotes, grows: Callable[[Path], bool] = is_plain
) -> Split:
    """Tell the newest log that can go on from those before it; one that is not there is noted."""
    ordered = in_order(paths, notes)
    growing = [path for path in ordered if path == STANDARD_INPUT or grows(path)][-1:]
    earlier = [path for path in ordered if path not in growing]
    return Split(earlier, growing[0] if growing else None)


def must_grow(found: Split) -> Path:
    """Return the log that goes on.

    Raises:
        UsageError: there is none.
    """
    if found.growing is None:
        raise UsageError("--follow: only a plain file or - can be followed, and there is none")
    return found.growing


@contextmanager
def stop_on_signals() -> Iterator[Pause]:
    """Let Ctrl-C and SIGTERM end the waiting in good order; the second one ends the process."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(*_: object) -> None:
        restore()
        stop.set()

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop.wait
    finally:
        restore()


def tell_start(paths: Sequence[Path]) -> None:
    """Say on standard error what is followed."""
    complain(f"following {', '.join(map(str, paths))}; Ctrl-C ends it with a last look")
