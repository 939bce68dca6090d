"""``botprobe maillog --follow``: a log that goes on, and its alarms as they come."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from botprobe.observers.maillog.alarms import AlarmKind
from botprobe.observers.maillog.analysis import Analysis, Incident
from botprobe.observers.maillog.dress import undress
from botprobe.observers.maillog.files import reference_day
from botprobe.observers.maillog.follow import LogFollower
from botprobe.observers.maillog.reader import ReadOptions, read_logs
from botprobe.observers.maillog.scanner import LogScanner
from botprobe.observers.maillog.stamps import YearClock
from botprobe.observers.maillog.tally import LogTally

# Baselines of two months take a moment; alarms need not be told sooner.
JUDGE_EVERY_SECONDS = 60.0


@dataclass(slots=True)
class Watch:
    """Judges a growing tally now and then, and tells each alarm once."""

    judge: Callable[[], Analysis]
    show: Callable[[Analysis], None]
    tell: Callable[[Incident], None]
    clock: Callable[[], float] = time.monotonic
    _told: set[tuple[AlarmKind, date]] = field(default_factory=set)
    _judged: float | None = None
    _grown: bool = False

    def run(self, chunks: Iterable[bytes], add: Callable[[bytes], None]) -> None:
        """Take chunk after chunk; an empty one says that nothing came."""
        for chunk in chunks:
            if chunk:
                add(chunk)
                self._grown = True
            due = self._judged is None or self.clock() - self._judged >= JUDGE_EVERY_SECONDS
            # At the start the log is read to its end first.
            if due and self._grown and not (chunk and self._judged is None):
                self._judge_now()

    def _judge_now(self) -> None:
        analysis = self.judge()
        self._judged, self._grown = self.clock(), False
        self.show(analysis)
        for incident in analysis.incidents:
            key = (incident.alarm.kind, incident.alarm.day)
            if key not in self._told:
                self._told.add(key)
                self.tell(incident)


def follow_log(files: list[Path], options: ReadOptions, tally: LogTally, watch: Watch) -> None:
    """Read all files but the last, then follow that one until interrupted.

    Raises:
        InputError: a file cannot be read.
    """
    *earlier, followed = files
    read_logs(earlier, options, tally)
    scanner = LogScanner(options.own_kinds, options.instance)
    year = YearClock(reference_day(followed), options.first_year)

    def add(chunk: bytes) -> None:
        tally.add(scanner.scan(undress(chunk, options.zone)), year)

    watch.run(LogFollower(followed).chunks(), add)
