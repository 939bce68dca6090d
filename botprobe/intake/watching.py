"""Noticing mails: inotify tells of most within milliseconds, a scan finds what it missed.

A mail is delivered into ``new`` of a Maildir by a rename or a link, some servers deliver into
``cur``, and some traps only write files into a directory. inotify sees none of that on NFS, tells
nothing of what was there before, and loses events when its queue overflows (inotify(7)); so it
only accelerates: the truth is what lies in the directories, and what of it the store has taken.
"""

import asyncio
import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asyncinotify import Event, Inotify, Mask

from botprobe.errors import InputError

# Notices in memory; beyond, the scan finds the rest.
MAX_NOTICES = 20_000
# Files that are handed over together.
CHUNK = 500
# Seconds after which a file that nobody writes to is taken for whole.
SETTLE = 2.0

_ARRIVALS = Mask.MOVED_TO | Mask.CLOSE_WRITE | Mask.CREATE | Mask.ONLYDIR
_GONE = Mask.IGNORED | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.UNMOUNT

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file that may hold a mail."""

    root: Path
    """The mailbox that the operator named."""
    path: Path
    whole: bool = False
    """Surely written to its end."""

    @property
    def key(self) -> str:
        """Digest of the mailbox and the part of the name that flags and folders do not change."""
        unique = self.path.name.partition(":2,")[0]
        text = f"{self.root}\0{unique}".encode("utf-8", "surrogateescape")
        return hashlib.blake2b(text, digest_size=16).hexdigest()


def mail_directories(root: Path, excluded: Collection[str] = ()) -> list[Path]:
    """List the directories of a mailbox in which mails lie.

    These are ``new`` and ``cur`` of a Maildir and of its Maildir++ folders (``.Name``), or the
    directory itself if it is no Maildir.

    Args:
        root: the mailbox.
        excluded: names of Maildir++ folders, dot included, that are left out.

    Raises:
        InputError: it is no directory, or cannot be read.
    """
    try:
        with os.scandir(root) as entries:
            names = sorted(e.name for e in entries if e.name.startswith(".") and e.is_dir())
    except OSError as error:
        raise InputError(f"mailbox {root}: {error.strerror}") from error
    folders = [root, *(root / name for name in names if name not in excluded)]
    found = [folder / name for folder in folders for name in ("new", "cur")]
    return [directory for directory in found if directory.is_dir()] or [root]


@dataclass(slots=True)
class Scanner:
    """Looks through mailboxes; a directory that did not change since it was clean is left out."""

    roots: Sequence[Path]
    excluded: Collection[str] = ()
    _clean: dict[Path, int] = field(default_factory=dict)
    _doubts: int = 0

    def scan(self) -> Iterator[list[MailFile]]:
        """Yield the files of all mailboxes, some at a time.

        Raises:
            InputError: a mailbox cannot be read; those after it are looked through all the same.
        """
        problem: InputError | None = None
        for root in self.roots:
            try:
                directories = mail_directories(root, self.excluded)
            except InputError as error:
                problem = error
                continue
            for directory in directories:
                yield from self._scan(root, directory)
        if problem is not None:
            raise problem

    def distrust(self) -> None:
        """Look through everything next time: something was seen and not taken."""
        self._doubts += 1
        self._clean.clear()

    def _scan(self, root: Path, directory: Path) -> Iterator[list[MailFile]]:
        doubts = self._doubts
        try:
            changed = directory.stat().st_mtime_ns
            if self._clean.get(directory) == changed:
                return
            files: list[MailFile] = []
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
                        continue
                    files.append(MailFile(root, directory / entry.name))
                    if len(files) == CHUNK:
                        yield files
                        files = []
            yield files
        except OSError as error:
            logger.warning("mailbox %s: %s", directory, error.strerror)
        else:
            # A file of the same tick of the clock leaves the time of the directory as it is.
            if doubts == self._doubts and abs(time.time() - changed / 1e9) > SETTLE:
                self._clean[directory] = changed


class Feed:
    """What inotify tells; ``async with`` begins and ends the watch.

    Where inotify is not to be had, ``blind`` says why, and only the scan finds mails.
    """

    def __init__(self, roots: Sequence[Path], excluded: Collection[str] = ()) -> None:
        self._roots = tuple(roots)
        self._excluded = excluded
        self._inotify: Inotify | None = None
        self._notices: deque[MailFile] = deque()
        self._news = asyncio.Event()
        self._places: dict[Path, Path] = {}
        self.blind: str | None = None
        self.missed = True
        """Something may lie in the mailboxes that was not told of."""

    def open(self) -> None:
        """Begin to watch; call it again to watch directories that are new.

        Raises:
            InputError: a mailbox cannot be read; the others are watched all the same.
        """
        places: dict[Path, Path] = {}
        problem: InputError | None = None
        for root in self._roots:
            try:
                places |= dict.fromkeys(mail_directories(root, self._excluded), root)
            except InputError as error:
                problem = error
        self._watch(places)
        if problem is not None:
            raise problem

    def _watch(self, places: dict[Path, Path]) -> None:
        try:
            self._inotify = self._inotify or Inotify(cache_size=CHUNK)
            for directory in places:
                self._inotify.add_watch(directory, _ARRIVALS)
            self.blind = None
        except OSError as error:
            self.blind = f"inotify: {error.strerror}"
        self._places = places

    def close(self) -> None:
        """End the watch."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    async def listen(self) -> None:
        """Collect what is told, for ever; runs beside whoever takes it."""
        while (inotify := self._inotify) is not None:
            self._hear(await inotify.get())

    def take(self, most: int) -> list[MailFile]:
        """Return the oldest notices."""
        return [self._notices.popleft() for _ in range(min(most, len(self._notices)))]

    async def wait(self, seconds: float) -> None:
        """Wait for a notice, or for a reason to scan, no longer than so many seconds."""
        if self._notices:
            return
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    def _hear(self, event: Event) -> None:
        watch = event.watch
        root = self._places.get(watch.path) if watch is not None else None
        if Mask.Q_OVERFLOW in event.mask or event.mask & _GONE:
            self.missed = True
        elif watch is None or event.name is None or root is None or Mask.ISDIR in event.mask:
            return
        elif len(self._notices) >= MAX_NOTICES:
            self.missed = True
        elif not event.name.name.startswith("."):
            # A file that was only created may still be written to; a link to a whole one may not.
            whole = Mask.CREATE not in event.mask
            self._notices.append(MailFile(root, watch.path / event.name, whole))
        self._news.set()
