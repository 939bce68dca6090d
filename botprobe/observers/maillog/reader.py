"""Reads mail logs into a tally, with as many processes as are given."""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from botprobe.errors import BotprobeError, InputError
from botprobe.observers.maillog.dress import undress
from botprobe.observers.maillog.events import HourEvents
from botprobe.observers.maillog.files import (
    Piece,
    chunks,
    in_order,
    is_plain,
    pieces,
    reading,
    reference_day,
    split_long_lines,
)
from botprobe.observers.maillog.rejects import RejectKind
from botprobe.observers.maillog.scanner import LogScanner
from botprobe.observers.maillog.stamps import YearClock
from botprobe.observers.maillog.tally import LogTally
from botprobe.observers.reading import ReadNotes

PIECES_AHEAD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How logs are read."""

    first_year: int | None = None
    """Year of the first stamp of each file, for stamps without one."""
    instance: bytes | None = None
    """Only the lines of this syslog name."""
    own_kinds: tuple[RejectKind, ...] = ()
    zone: tzinfo | None = None
    """Where journald's UTC stamps are converted to."""
    jobs: int = 1


def read_logs(paths: Iterable[Path], options: ReadOptions, tally: LogTally) -> ReadNotes:
    """Count all lines of the files, oldest file first, and note what could not be read.

    Raises:
        BotprobeError: a process that reads has died.
    """
    notes = ReadNotes()
    with _without_collector(), _counting(options) as count:
        for path in in_order(paths, notes):
            with reading(path, notes, lambda: (tally.lines, tally.unread.count)):
                clock = YearClock(reference_day(path), options.first_year)
                parts = _Parts(pieces(path) if is_plain(path) else chunks(path))
                for events in count(parts):
                    tally.add(events, clock)
                parts.check()
    tally.settle()
    return notes


class _Parts:
    """Parts of a file to the damage, if there is any; those before it are counted first."""

    def __init__(self, parts: Iterable[Piece | bytes]) -> None:
        self._parts = parts
        self._broke: InputError | None = None

    def __iter__(self) -> Iterator[Piece | bytes]:
        try:
            yield from self._parts
        except InputError as error:
            self._broke = error

    def check(self) -> None:
        """Raise the error that ended the parts, if there was one."""
        if self._broke is not None:
            raise self._broke


def _serve(connection: Connection, options: ReadOptions) -> None:
    """Count what comes over the connection, until None comes."""
    gc.disable()
    scanner = LogScanner(options.own_kinds, options.instance)
    while (part := connection.recv()) is not None:
        try:
            connection.send(_count(part, scanner, options.zone))
        except InputError as error:
            connection.send(error)


def count_chunk(chunk: bytes, scanner: LogScanner, zone: tzinfo | None) -> list[HourEvents]:
    """Count the lines of a chunk, whatever their dress; what is too long is skipped."""
    lines, too_long = split_long_lines(chunk)
    counted = scanner.scan(undress(lines, zone)) if lines else []
    for head in too_long:
        skipped = HourEvents(b"", 1)
        skipped.unread.skip(head)
        counted.append(skipped)
    return counted


def _count(part: Piece | bytes, scanner: LogScanner, zone: tzinfo | None) -> list[HourEvents]:
    chunk = part.read() if isinstance(part, Piece) else part
    return count_chunk(chunk, scanner, zone)


class Workers:
    """Processes that count, each one part at a time; results come in the order of the parts."""

    def __init__(self, options: ReadOptions) -> None:
        # A fresh interpreter: a fork would copy whatever threads our caller runs.
        context = get_context("spawn")
        self._connections: list[Connection] = []
        self._processes = []
        for _ in range(options.jobs):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, options), daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)

    def count(self, parts: Iterable[Piece | bytes]) -> Iterator[list[HourEvents]]:
        """Yield the counts of each part."""
        busy: deque[Connection] = deque()
        try:
            for number, part in enumerate(parts):
                # A piece of a file is a few bytes: a worker has its next one waiting. Chunks would
                # fill the pipe, and whoever writes into a full pipe cannot read.
                ahead = PIECES_AHEAD if isinstance(part, Piece) else 1
                if len(busy) >= ahead * len(self._connections):
                    yield _result(busy.popleft())
                connection = self._connections[number % len(self._connections)]
                connection.send(part)
                busy.append(connection)
            while busy:
                yield _result(busy.popleft())
        finally:
            # Of a file that vanished: its counts must not be taken for those of the next one.
            for connection in busy:
                _result_or_error(connection)

    def close(self) -> None:
        """End the processes."""
        for connection, process in zip(self._connections, self._processes, strict=True):
            with suppress(OSError):
                connection.send(None)
            connection.close()
            process.join(timeout=5)
            if process.is_alive():
                process.kill()


def _result(connection: Connection) -> list[HourEvents]:
    result = _result_or_error(connection)
    if isinstance(result, InputError):
        raise result
    return result


def _result_or_error(connection: Connection) -> list[HourEvents] | InputError:
    try:
        result: list[HourEvents] | InputError = connection.recv()
    except (EOFError, OSError) as error:
        raise BotprobeError("a process that reads the log has died") from error
    return result


@contextmanager
def _without_collector() -> Iterator[None]:
    """Spare the cyclic garbage collector: matches are tuples by the million, and have no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _counting(
    options: ReadOptions,
) -> Iterator[Callable[[Iterable[Piece | bytes]], Iterable[list[HourEvents]]]]:
    if options.jobs <= 1:
        scanner = LogScanner(options.own_kinds, options.instance)
        yield lambda parts: (_count(part, scanner, options.zone) for part in parts)
        return
    with closing(Workers(options)) as workers:
        yield workers.count
