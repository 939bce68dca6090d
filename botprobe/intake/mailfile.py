"""One file of a mailbox: its header block, and what is done with it once the mail is kept."""

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from botprobe.errors import ConfigError, InputError
from botprobe.intake.header import MAX_HEADER_BYTES
from botprobe.intake.watching import SETTLE, MailFile

_FOLDER = re.compile(r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64})*")

After = Callable[[MailFile], None]


@dataclass(frozen=True, slots=True)
class MailBytes:
    """The beginning of a mail, as it lay in the mailbox."""

    file: MailFile
    data: bytes
    """Its first 64 KiB."""
    written: datetime
    """When it was written, by the clock of the file system."""


class NotSettled(InputError):  # noqa: N818  # not wrong, only early
    """Somebody may still be writing the file."""


def read_start(file: MailFile, now: datetime) -> MailBytes | None:
    """Read the beginning of a mail; None if it is gone, or no mail at all.

    Raises:
        NotSettled: it may not be whole yet.
        InputError: it cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file.path, flags)
    except FileNotFoundError:
        return None  # moved on: it is told of, or found, at its new place
    except OSError as error:
        raise InputError(f"{file.path}: {error.strerror}") from error
    with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123  # a descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or (status.st_size == 0 and not file.whole):
            return None
        if not (file.whole or _is_settled(status, now)):
            raise NotSettled(f"{file.path}: may not be whole yet")
        try:
            data = stream.read(MAX_HEADER_BYTES + 1)
        except OSError as error:
            raise InputError(f"{file.path}: {error.strerror}") from error
    return MailBytes(file, data or b"", datetime.fromtimestamp(status.st_mtime, UTC))


def _is_settled(status: os.stat_result, now: datetime) -> bool:
    """Whether the file was linked or renamed since it was written, or rests for a while.

    Writing sets both times of a file to the same moment; linking and renaming set its ctime only.
    A time that lies ahead is that of a clock which was set back since.
    """
    moved = status.st_nlink > 1 or status.st_ctime_ns > status.st_mtime_ns
    return moved or abs(now.timestamp() - status.st_ctime) >= SETTLE


def after_action(text: str, key: str = "watch.after") -> After | None:
    """Read what is to be done with a mail that was kept: ``none``, ``flag``, or ``move:FOLDER``.

    Args:
        text: the choice.
        key: the setting or option that it is of.

    Raises:
        ConfigError: it is none of these.
    """
    match text.partition(":"):
        case "none", "", "":
            return None
        case "flag", "", "":
            return flag_seen
        case "move", ":", folder if _FOLDER.fullmatch(folder):
            return lambda file: move_to(file, folder)
        case _:
            raise ConfigError(f"{key}: {text!r} is not one of none, flag, move:FOLDER")


def moved_folder(text: str) -> frozenset[str]:
    """Return the Maildir++ folder into which mails are moved: nobody looks for mails there."""
    kind, _, folder = text.partition(":")
    return frozenset((f".{folder}",)) if kind == "move" else frozenset()


def flag_seen(file: MailFile) -> None:
    """Move a mail from ``new`` to ``cur`` with the flag S, as a mail reader would.

    Raises:
        InputError: it cannot be moved.
    """
    directory = file.path.parent
    if directory.name == "new":
        name = file.path.name.partition(":2,")[0] + ":2,S"
        _rename(file.path, directory.parent / "cur" / name)


def move_to(file: MailFile, folder: str) -> None:
    """Move a mail into a Maildir++ folder of its mailbox, which is made if it is not there.

    Raises:
        InputError: it cannot be moved, or the mailbox is no Maildir.
    """
    if file.path.parent.name not in {"new", "cur"}:
        raise InputError(f"{file.path}: not in a Maildir, so it cannot be moved to a folder")
    target = file.root / f".{folder}"
    try:
        for name in ("tmp", "new", "cur"):
            (target / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        (target / "maildirfolder").touch(mode=0o600)
    except OSError as error:
        raise InputError(f"{target}: {error.strerror}") from error
    name = file.path.name
    _rename(file.path, target / "cur" / (name if ":2," in name else f"{name}:2,"))


def _rename(old: Path, new: Path) -> None:
    try:
        with suppress(FileNotFoundError):  # somebody else moved it
            old.rename(new)
    except OSError as error:
        raise InputError(f"{old}: {error.strerror}") from error
