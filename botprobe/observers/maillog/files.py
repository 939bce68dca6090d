"""Log files as chunks of whole lines: plain, compressed, from standard input, or growing.

A chunk is a mebibyte, cut behind a line feed; a longer line is cut too, so memory is bounded
whatever a file holds.
"""

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

from botprobe.errors import InputError

CHUNK_BYTES = 1 << 20
STANDARD_INPUT = Path("-")


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


def in_order(paths: list[Path]) -> list[Path]:
    """Sort rotated files by their time of modification; standard input comes last.

    Raises:
        InputError: a file does not exist or may not be read.
    """
    return sorted(paths, key=lambda path: (path == STANDARD_INPUT, _modified(path)))


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
            file.readline(CHUNK_BYTES)
            end = min(file.tell(), size)
            yield Piece(path, start, end - start)
            start = end


def chunks(path: Path) -> Iterator[bytes]:
    """Read a file, decompressed if need be, as chunks of whole lines.

    Raises:
        InputError: the file cannot be read, or is damaged.
    """
    with _opened(path) as file:
        while True:
            try:
                chunk = file.read(CHUNK_BYTES)
                if chunk and not chunk.endswith(b"\n"):
                    chunk += file.readline(CHUNK_BYTES)
            except _BROKEN as error:
                raise InputError(f"cannot read {path}: {error}") from error
            if not chunk:
                return
            yield chunk


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
        import zstandard  # noqa: PLC0415  # optional
    except ImportError as error:
        raise InputError(f"{path}: .zst needs the package zstandard (botprobe[maillog])") from error
    return lambda packed: BufferedReader(cast("RawIOBase", zstandard.open(packed, "rb")))


def _modified(path: Path) -> float:
    if path == STANDARD_INPUT:
        return 0.0
    try:
        return path.stat().st_mtime
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
