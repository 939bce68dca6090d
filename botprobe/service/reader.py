"""From mailboxes into the store: each mail once, with the hosts that it makes due."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from botprobe.errors import InputError
from botprobe.intake.mailfile import After, MailBytes, NotSettled, read_start
from botprobe.intake.message import read_mail
from botprobe.intake.trust import TrustSettings
from botprobe.intake.watching import MAX_NOTICES, SETTLE, Feed, MailFile, Scanner
from botprobe.model.mail import Trust
from botprobe.model.work import Arrival, Plan, Rank
from botprobe.pipeline import Candidate, candidates
from botprobe.queue.base import Bell
from botprobe.service.audience import Audience
from botprobe.service.patience import patiently
from botprobe.service.triage import Triage
from botprobe.store.base import MailTable

# Mails that share a transaction: more would make the fresh ones among them wait.
AT_ONCE = 100

# Mails that are glanced at together; so few are not worth a glance.
GLANCES, FEW = 500, 10

# Seconds between two scans where inotify is not to be had.
BLIND_RESCAN = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a mail is read and what it asks for."""

    trust: TrustSettings
    hops: str
    """A key of HOPS_CHOICES."""
    max_targets_per_mail: int
    fresh_for: timedelta
    """How long a mail counts as one that has just come."""

    def arrival(self, mail_bytes: MailBytes, now: datetime) -> Arrival:
        """Read a mail, and plan what is to be done about its hosts."""
        file = mail_bytes.file
        mail = read_mail(mail_bytes.data, str(file.path), self.trust)
        fresh = abs(now - mail_bytes.written) <= self.fresh_for
        named = candidates([mail], self.hops, self.max_targets_per_mail)
        return Arrival(
            key=file.key,
            mail=mail,
            arrived=min(mail_bytes.written, now),
            plans=tuple(_plan(candidate, fresh=fresh) for candidate in named),
        )


def _plan(candidate: Candidate, *, fresh: bool) -> Plan:
    target = candidate.target
    if any(sighting.trust is Trust.BOUNDARY for sighting in target.sightings):
        rank = Rank.FRESH if fresh else Rank.BACKLOG
    else:
        rank = Rank.CLAIMED if fresh else Rank.BACKLOG_CLAIMED
    return Plan(address=target.address, rank=rank, refused=candidate.refused)


@dataclass(slots=True, kw_only=True)
class Reader:
    """Takes mails for ever: those that are told of first, those that a scan finds in between."""

    feed: Feed
    scanner: Scanner
    store: MailTable
    reading: Reading
    cooldown: timedelta
    after: After | None
    audience: Audience
    bell: Bell
    rescan_seconds: float
    _triage: Triage = field(init=False)
    _postponed: deque[MailFile] = field(default_factory=deque)
    _scan: Iterator[list[MailFile]] | None = None
    _found: list[MailFile] = field(default_factory=list)
    _next_scan: float = 0.0

    def __post_init__(self) -> None:
        self._triage = Triage(self.reading.trust)

    async def run(self) -> None:
        """Take mails until cancelled.

        Raises:
            InputError: a mailbox cannot be read at the beginning.
        """
        self.feed.open()
        if self.feed.blind:
            self.audience.trouble(f"{self.feed.blind}: mails are found by scanning only")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.feed.listen())
                while True:
                    await self._step()
        finally:
            self.feed.close()

    async def _step(self) -> None:
        files = await self._told() or await self._scanned()
        if files:
            await self._take(files)
        elif self._scan is None:
            await self.feed.wait(self._next_scan - time.monotonic())

    async def _told(self) -> list[MailFile]:
        """Return mails that inotify told of; in a flood, those of new hosts before the others."""
        while notices := self.feed.take(GLANCES):
            if len(notices) <= FEW and not self._postponed:
                return notices
            urgent, others = await asyncio.to_thread(self._triage.sort, notices)
            self._postponed.extend(others)
            if urgent:
                return urgent
        if len(self._postponed) > MAX_NOTICES:
            self._postponed.clear()
            self.feed.missed = True  # the scan finds them
        return [self._postponed.popleft() for _ in range(min(AT_ONCE, len(self._postponed)))]

    async def _scanned(self) -> list[MailFile]:
        """Return some of what the scan finds; begin one if it is time."""
        if self._scan is None:
            if not self.feed.missed and time.monotonic() < self._next_scan:
                return []
            self.feed.missed = False
            pause = BLIND_RESCAN if self.feed.blind else self.rescan_seconds
            self._next_scan = time.monotonic() + pause
            self._scan = self._begin_scan()
        if not self._found:
            self._found = await self._more_of_scan(self._scan)
        files, self._found = self._found[:AT_ONCE], self._found[AT_ONCE:]
        return files

    def _begin_scan(self) -> Iterator[list[MailFile]]:
        with suppress(InputError):  # the scanner says the same
            self.feed.open()  # before the look: directories may have come
        yield from self.scanner.scan()

    async def _more_of_scan(self, scan: Iterator[list[MailFile]]) -> list[MailFile]:
        """Look further, and return what was not taken yet."""
        try:
            files = await asyncio.to_thread(next, scan, None)
        except InputError as error:
            self.audience.trouble(str(error))
            files = None
        if files is None:
            self._scan = None
            return []
        keys = {file.key: file for file in files}
        new = await patiently(lambda: self.store.untaken(keys), self.audience.trouble)
        if self.after is not None:
            await asyncio.to_thread(self._dispose, [f for key, f in keys.items() if key not in new])
        return [file for key, file in keys.items() if key in new]

    async def _take(self, files: Sequence[MailFile]) -> None:
        arrivals = await asyncio.to_thread(self._read, files)
        taken = await patiently(
            lambda: self.store.take(arrivals, self.cooldown), self.audience.trouble
        )
        if taken:
            self.bell.ring()
        for arrival in taken:
            self.audience.taken(arrival)
        if self.after is not None:
            read = {arrival.key for arrival in arrivals}
            await asyncio.to_thread(self._dispose, [file for file in files if file.key in read])

    def _read(self, files: Sequence[MailFile]) -> list[Arrival]:
        """Read what can be read; runs in a thread."""
        arrivals: list[Arrival] = []
        for file in files:
            now = datetime.now(UTC)
            try:
                start = read_start(file, now)
            except NotSettled:
                self._look_again(SETTLE)
            except InputError as error:
                self.audience.trouble(str(error))
                self._look_again(self.rescan_seconds)
            else:
                if start is not None:
                    arrivals.append(self.reading.arrival(start, now))
        return arrivals

    def _look_again(self, seconds: float) -> None:
        self.scanner.distrust()
        self._next_scan = min(self._next_scan, time.monotonic() + seconds)

    def _dispose(self, files: Sequence[MailFile]) -> None:
        """Do with kept mails what the operator wants; runs in a thread."""
        for file in files:
            try:
                if self.after is not None:
                    self.after(file)
            except InputError as error:
                self.audience.trouble(str(error))
