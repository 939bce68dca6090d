"""The end of every command that reads files: bad ones are named, the others are shown."""

from typing import Protocol

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.stderr import complain
from botprobe.errors import InputError
from botprobe.model.text import counted
from botprobe.observers.reading import ReadNotes


def tell_unread(notes: ReadNotes, what: str) -> ExitCode:
    """Name on standard error what could not be read, and say how the command ends.

    Args:
        notes: what was read.
        what: a file of this kind, as in "no capture could be read".

    Raises:
        InputError: nothing could be read at all, so there is no result.
    """
    for line in notes.damaged:
        complain(line)
    if notes.unreadable and notes.unreadable == notes.files:
        raise InputError(f"no {what} could be read")
    return ExitCode.PARTLY if notes.damaged else ExitCode.DONE


def files_read(notes: ReadNotes) -> str:
    """Say in a few words how many files there were, and how many were not read whole."""
    files = counted(notes.files, "file")
    return f"{files}, {len(notes.damaged):,} not read whole" if notes.damaged else files


class Lines(Protocol):
    """Lines of logs that were counted."""

    @property
    def lines(self) -> int:
        """All of them."""

    @property
    def unread(self) -> int:
        """Of these, lines that were not understood."""

    @property
    def too_long(self) -> int:
        """Of these again, lines that were skipped as too long."""


def lines_read(logs: Lines) -> str:
    """Say how many lines of logs there were, and how many say nothing."""
    skipped = f", {logs.too_long:,} of them skipped as too long" if logs.too_long else ""
    return f"{counted(logs.lines, 'line')} read, {logs.unread:,} not understood{skipped}"
