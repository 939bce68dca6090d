"""Log files as chunks of whole lines: plain, compressed, from standard input, or growing.

A chunk is a mebibyte, and goes on to the next line feed. Of a line that is longer itself no more
than its beginning is in a chunk, at its end, so memory is bounded whatever a file holds.
"""

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from botprobe.errors import InputError
from botprobe.observers.reading import ReadNotes

CHUNK_BYTES = 1 << 20
# No program logs such a line; the whole of it may be far longer.
MAX_LINE_BYTES = CHUNK_BYTES
STANDARD_INPUT = Path("-")
# So much of a line that is too long is shown, at most; and in such steps damage is approached.
_HEAD_BYTES, _STEP_BYTES = 1024, 512


def _fastest_gzip() -> tuple[Callable[[Path], object], type[Exception]]:
    """Return how to open a gzip file, and what is raised if it is damaged."""
    try:
        from isal import igzip, isal_zlib  # noqa: PLC0415  # optional, three times as fast
    except ImportError:
        return gzip.open, zlib.error
    return igzip.open, cast("type[Exception]", isal_zlib.error)


_open_gzip, _gzip_error = _fastest_gzip()
_OPENERS: dict[str, Callable[[Path], object]] = {
    ".gz": _open_gzip,
    ".xz": lzma.open,
    ".bz2": bz2.open,
}
_BROKEN = (OSError, EOFError, lzma.LZMAError, _gzip_error, ValueError)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a plain file: whole lines, to be read by whoever counts them."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Read the part.

        Raises:
            InputError: the file cannot be read any more.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise InputError(f"cannot read {self.path}: {error.strerror}") from error


def in_order(paths: Iterable[Path], notes: ReadNotes) -> list[Path]:
    """Sort rotated files by their time of modification; standard input comes last.

    Args:
        paths: the files.
        notes: where all of them are counted; one that is not there is noted and left out.
    """
    found: list[tuple[bool, float, Path]] = []
    for path in paths:
        notes.files += 1
        try:
            found.append((path == STANDARD_INPUT, _modified(path), path))
        except InputError as error:
            notes.miss(str(error))
    return [path for _, _, path in sorted(found, key=lambda one: one[:2])]


@contextmanager
def reading(path: Path, notes: ReadNotes, counted: Callable[[], tuple[int, int]]) -> Iterator[None]:
    """Read one log inside: what breaks it off is noted, and so is a file that is no log.

    Args:
        path: the log.
        notes: where it is noted.
        counted: says how many lines were read by now, and how many of them not understood.
    """
    lines_before, unread_before = counted()
    broke = ""
    try:
        yield
    except InputError as error:
        broke = str(error)
    lines, unread = counted()
    if broke and lines > lines_before:
        notes.damaged.append(broke)
    elif broke:
        notes.miss(broke)
    elif unread - unread_before >= lines - lines_before > 0:
        notes.miss(f"{path} is no log: no line of it can be understood")


def reference_day(path: Path) -> date:
    """Return the day by which a year is guessed: that of the last modification, or today."""
    return date.today() if path == STANDARD_INPUT else date.fromtimestamp(_modified(path))  # noqa: DTZ011, DTZ012  # the log's clock is local


def is_plain(path: Path) -> bool:
    """Say whether a file can be read in pieces, at any place."""
    return path != STANDARD_INPUT and path.suffix not in {*_OPENERS, ".zst"} and path.is_file()


def pieces(path: Path) -> Iterator[Piece]:
    """Cut a plain file into pieces of whole lines, without reading more than the cuts.

    Raises:
        InputError: the file cannot be read.
    """
    with _opened(path) as file:
        size = path.stat().st_size
        start = 0
        while start < size:
            file.seek(min(start + CHUNK_BYTES, size))
            last = file.readline(CHUNK_BYTES)
            yield Piece(path, start, min(file.tell(), size) - start)
            _skip_line(file, last)
            start = file.tell()


def chunks(path: Path) -> Iterator[bytes]:
    """Read a file, decompressed if need be, as chunks of whole lines.

    Raises:
        InputError: the file cannot be read, or is damaged; what stands before the damage came.
    """
    read = 0
    with _opened(path) as file:
        while True:
            try:
                chunk, size = _next_lines(file)
            except _BROKEN as error:
                if rest := _before_damage(path, read):
                    yield rest
                raise InputError(f"cannot read {path}: {error}") from error
            if not chunk:
                return
            read += size
            yield chunk


def split_long_lines(chunk: bytes) -> tuple[bytes, list[bytes]]:
    """Take the lines out of a chunk that are too long; return the others, and how those begin."""
    kept: list[bytes] = []
    heads: list[bytes] = []
    start = position = 0
    while len(chunk) - position > MAX_LINE_BYTES:
        limit = position + MAX_LINE_BYTES
        if end := chunk.rfind(b"\n", position, limit) + 1:
            position = end
            continue
        kept.append(chunk[start:position])
        heads.append(chunk[position : position + _HEAD_BYTES])
        start = position = (chunk.find(b"\n", limit) + 1) or len(chunk)
    return (b"".join([*kept, chunk[start:]]) if heads else chunk), heads


def _next_lines(file: BinaryIO) -> tuple[bytes, int]:
    """Read a chunk, and behind it the rest of a line that is too long; say how much was read."""
    chunk = file.read(CHUNK_BYTES)
    if not chunk or chunk.endswith(b"\n"):
        return chunk, len(chunk)
    last = file.readline(CHUNK_BYTES)
    chunk += last
    return chunk, len(chunk) + _skip_line(file, last)


def _skip_line(file: BinaryIO, part: bytes) -> int:
    """Read on to the end of a line of which a part was read; return how many bytes that took."""
    skipped = 0
    while part and not part.endswith(b"\n"):
        part = file.readline(CHUNK_BYTES)
        skipped += len(part)
    return skipped


def _before_damage(path: Path, position: int) -> bytes:
    """Read a packed file once more, step by step, and return what stands just before the damage.

    A reader that finds damage keeps back all that it was asked for with it.
    """
    parts: list[bytes] = []
    with suppress(InputError, *_BROKEN), _opened(path) as file:
        while position > 0:
            position -= len(file.read(min(position, CHUNK_BYTES)))
        while part := file.read(_STEP_BYTES):
            parts.append(part)
    return b"".join(parts)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    try:
        file = cast("BinaryIO", _opener(path)(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        yield file


def _opener(path: Path) -> Callable[[Path], object]:
    if path.suffix != ".zst":
        return _OPENERS.get(path.suffix, lambda plain: plain.open("rb"))
    try:
        from botprobe.observers.maillog.zstd import ZstFile  # noqa: PLC0415  # optional
    except ImportError as error:
        raise InputError(f"{path}: .zst needs the package zstandard (botprobe[maillog])") from error
    return lambda packed: BufferedReader(ZstFile(packed))


def _modified(path: Path) -> float:
    if path == STANDARD_INPUT:
        return 0.0
    try:
        return path.stat().st_mtime
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
