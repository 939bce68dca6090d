"""Where mails are read from: files, directories, Maildirs, mboxes and standard input.

Of each message only the first 64 KiB are read, however long it is. What cannot be read is given
back as a failure of that one item; the rest is read all the same. Everything is read-only.
"""

import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from botprobe.intake.header import MAX_HEADER_BYTES

STDIN = "-"

# One byte more than is looked at tells that a header was cut.
_READ = MAX_HEADER_BYTES + 1
_CHUNK = 1024 * 1024

# RFC 4155: an empty line, "From ", an address and a date; only the time of day is asked for.
_SEPARATOR = re.compile(rb"\n\r?\nFrom [^\r\n]{1,320}[0-9]:[0-9]{2}[^\r\n]{0,80}\r?\n")
_MAX_SEPARATOR = 512


@dataclass(frozen=True, slots=True)
class Source:
    """One message."""

    file: str
    """A path, ``-``, or ``mbox:N`` with N from 1."""
    data: bytes
    """Its first 64 KiB."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item that could not be read."""

    file: str
    reason: str


def read_sources(
    paths: Sequence[str], stdin: BinaryIO | None = None
) -> Iterator[Source | Unreadable]:
    """Read all messages, in the order of the paths and, in directories, of the files' names.

    Args:
        paths: files, mboxes, Maildirs, other directories, or ``-``.
        stdin: what ``-`` stands for; None is the process's standard input.
    """
    for name in paths:
        if name == STDIN:
            yield from _read_stream(stdin or sys.stdin.buffer, STDIN)
        elif (path := Path(name)).is_dir():
            yield from _read_directory(path)
        else:
            yield from _read_file(path)


def _read_directory(path: Path) -> Iterator[Source | Unreadable]:
    """Read ``new`` and ``cur`` of a Maildir, or the plain files of any other directory."""
    folders = [folder for name in ("new", "cur") if (folder := path / name).is_dir()]
    for folder in folders or [path]:
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            yield Unreadable(str(folder), _why(error))
            continue
        for name in names:
            if not name.startswith(".") and not (folder / name).is_dir():
                yield from _read_file(folder / name)


def _read_file(path: Path) -> Iterator[Source | Unreadable]:
    try:
        if _may_block(path.stat().st_mode):
            yield Unreadable(str(path), "neither a file nor a directory")
            return
        with path.open("rb") as stream:
            yield from _read_stream(stream, str(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        yield Unreadable(str(path), _why(error))


def _may_block(mode: int) -> bool:
    """Whether reading may wait for ever or never end; a named pipe is allowed: the shell's <()."""
    return not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode))


def _read_stream(stream: BinaryIO, name: str) -> Iterator[Source]:
    """Read one message, or those of an mbox."""
    start = stream.read(_READ)
    if not start.startswith(b"From "):
        yield Source(name, start)
        return
    messages = _split_mbox(stream, start)
    first = next(messages)
    second = next(messages, None)
    if second is None:
        yield Source(name, first)
        return
    yield Source(f"{name}:1", first)
    yield Source(f"{name}:2", second)
    for number, message in enumerate(messages, 3):
        yield Source(f"{name}:{number}", message)


def _split_mbox(stream: BinaryIO, buffer: bytes) -> Iterator[bytes]:
    """Cut an mbox, of which one chunk at a time is in memory, into the starts of its messages."""
    message = b""
    while True:
        start = 0
        for separator in _SEPARATOR.finditer(buffer):
            yield (message + buffer[start : separator.start() + 1])[:_READ]
            message, start = b"", separator.end()
        # The beginning of a separator may stand at the end of the buffer.
        end = max(start, len(buffer) - _MAX_SEPARATOR)
        message = (message + buffer[start : min(end, start + _READ)])[:_READ]
        buffer = buffer[end:]
        chunk = stream.read(_CHUNK)
        if not chunk:
            yield (message + buffer)[:_READ]
            return
        buffer += chunk


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
