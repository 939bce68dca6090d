"""Growing logs: a file across its rotation, as ``tail -F`` follows it, and standard input."""

import os
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from botprobe.errors import InputError
from botprobe.observers.maillog.files import CHUNK_BYTES, MAX_LINE_BYTES, STANDARD_INPUT


class Follower(Protocol):
    """A log that grows."""

    def take(self) -> bytes | None:
        """Return whole lines that came, bounded; ``b""`` if none did, None if none will come."""


class LogFollower:
    """Takes what is appended to a file, whole lines only; opens it anew when it was rotated.

    Renaming and re-creating (logrotate's ``create``) shows as another inode, ``copytruncate``
    as a file shorter than what was read of it.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            InputError: that cannot be done.
        """
        file = _opened(path)
        if file is None:
            raise InputError(f"cannot read {path}")
        self._path, self._file, self._lines = path, file, _WholeLines()

    def take(self) -> bytes | None:
        """Return whole lines that came, ``b""`` if none did."""
        while True:
            # Asked before the read: the last lines of a file that was rotated away count too.
            replaced = self._was_replaced()
            chunk = self._file.read(CHUNK_BYTES)
            if chunk:
                if lines := self._lines.add(chunk):
                    return lines
            elif not (self._reopen() if replaced else self._rewind()):
                return b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _was_replaced(self) -> bool:
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except OSError:
            return False  # between the renaming and the new file

    def _reopen(self) -> bool:
        file = _opened(self._path)
        if file is None:
            return False
        self._file.close()
        self._file, self._lines = file, _WholeLines()
        return True

    def _rewind(self) -> bool:
        if os.fstat(self._file.fileno()).st_size >= self._file.tell():
            return False
        self._file.seek(0)
        self._lines = _WholeLines()
        return True


class PipeFollower:
    """Takes what comes through a pipe, such as the output of ``journalctl -f -o json``."""

    def __init__(self, pipe: BinaryIO | None = None) -> None:
        self._number = (sys.stdin.buffer if pipe is None else pipe).fileno()
        self._lines = _WholeLines()

    def take(self) -> bytes | None:
        """Return whole lines that came, ``b""`` if none did, None once the writer has left."""
        while select.select([self._number], [], [], 0)[0]:
            chunk = os.read(self._number, CHUNK_BYTES)
            if not chunk:
                return self._lines.rest() or None
            if lines := self._lines.add(chunk):
                return lines
        return b""


class _WholeLines:
    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def add(self, chunk: bytes) -> bytes:
        """Return what is whole by now; of a line that is too long its beginning, and no more."""
        if self._skipping:
            _, end, chunk = chunk.partition(b"\n")
            self._skipping = not end
        chunk = self._rest + chunk
        end_of_lines = chunk.rfind(b"\n") + 1
        if not end_of_lines and len(chunk) > MAX_LINE_BYTES:
            self._skipping, end_of_lines = True, len(chunk)
        self._rest = chunk[end_of_lines:]
        return chunk[:end_of_lines]

    def rest(self) -> bytes:
        """Return the line that nobody will end."""
        rest, self._rest = self._rest, b""
        return rest


@dataclass(frozen=True, slots=True)
class Growing:
    """A growing log, and who counts its chunks."""

    log: Follower
    add: Callable[[bytes], None]


def rounds(logs: Sequence[Growing]) -> Iterator[bool]:
    """Take from each log in turn; yield after each round whether anything came.

    Once one of them has ended, the others are taken as far as they go, and that is the end: who
    goes on without it would see half. A file never ends.
    """
    ended = False
    while True:
        came = False
        for one in logs:
            chunk = one.log.take()
            ended = ended or chunk is None
            if chunk:
                one.add(chunk)
                came = True
        yield came
        if ended and not came:
            return


def follower(path: Path) -> Follower:
    """Return who follows a file, or standard input.

    Raises:
        InputError: the file cannot be read.
    """
    return PipeFollower() if path == STANDARD_INPUT else LogFollower(path)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except OSError:
        return None
