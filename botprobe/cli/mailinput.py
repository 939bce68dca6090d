"""The mails that the operator named on the command line, and what could not be read of them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from botprobe.errors import InputError
from botprobe.intake.header import NO_FIELD
from botprobe.intake.message import read_mail
from botprobe.intake.ownhosts import MAX_MAILS, infer_hosts
from botprobe.intake.sources import STDIN, Unreadable, read_sources
from botprobe.intake.trust import TrustSettings
from botprobe.model.mail import Mail
from botprobe.model.text import visible


class Taken(NamedTuple):
    """The mails that were read, in order, and one line on each item that was not."""

    mails: tuple[Mail, ...]
    skipped: tuple[str, ...]


def read_mails(paths: Sequence[str], settings: TrustSettings) -> Taken:
    """Read all mails, and report on standard error what is damaged or cannot be read.

    Args:
        paths: files, mboxes, Maildirs, other directories, or ``-``.
        settings: what is known about the own side.

    Raises:
        InputError: nothing could be read at all.
    """
    reader = MailReader(paths, settings)
    return Taken(tuple(reader), tuple(reader.skipped))


@dataclass(slots=True)
class MailReader:
    """Reads mails one at a time; what could not be read is known when they are through."""

    paths: Sequence[str]
    settings: TrustSettings
    skipped: list[str] = field(default_factory=list)
    """One line on each item that could not be read or is no mail."""

    def __iter__(self) -> Iterator[Mail]:
        """Yield the mails in the order of the paths and names.

        Raises:
            InputError: nothing could be read at all; raised at the end.
        """
        settings = _inferred(self.paths, self.settings)
        good = 0
        for source in read_sources(self.paths):
            if isinstance(source, Unreadable):
                self._skip(f"cannot read {source.file}: {source.reason}")
                continue
            mail = read_mail(source.data, source.file, settings)
            if NO_FIELD in mail.errors:
                self._skip(f"{mail.file} is no mail: {NO_FIELD}")
            else:
                good += 1
            yield mail
        if not good:
            raise InputError("no mail could be read")

    def _skip(self, line: str) -> None:
        self.skipped.append(line)
        print(f"botprobe: {visible(line)}", file=sys.stderr)


def _can_be_read_twice(path: str) -> bool:
    """Say no to standard input and to pipes: the first look would leave nothing for the second."""
    return path != STDIN and (Path(path).is_file() or Path(path).is_dir())


def _inferred(paths: Sequence[str], settings: TrustSettings) -> TrustSettings:
    """Look at the mailbox as a whole where the operator said nothing about the own side."""
    if settings != TrustSettings() or not all(map(_can_be_read_twice, paths)):
        return settings
    sources = (source for source in read_sources(paths) if not isinstance(source, Unreadable))
    mails = (read_mail(source.data, source.file) for source in islice(sources, MAX_MAILS))
    return replace(settings, mailbox_hosts=infer_hosts(mails))
