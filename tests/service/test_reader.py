"""From mailboxes into the store."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from botprobe.errors import StoreError
from botprobe.intake.mailfile import After, MailBytes, flag_seen
from botprobe.intake.trust import TrustSettings
from botprobe.intake.watching import Feed, MailFile, Scanner
from botprobe.model.work import Rank
from botprobe.queue.local import LocalBell
from botprobe.service.reader import Reader, Reading
from botprobe.store.sqlite import SqliteStore
from tests.intake.test_watching import maildir
from tests.service.fakes import FakeAudience

READING = Reading(
    trust=TrustSettings(),
    hops="all",
    max_targets_per_mail=4,
    fresh_for=timedelta(minutes=10),
)


def mail(number: int) -> str:
    """Return a mail that a host handed to us, and that claims another one."""
    return (
        f"Received: from bot (unknown [198.18.10.{number}]) by mx.trap.example (Postfix)\n"
        f"\twith ESMTP id {number}; Sun, 22 Nov 2026 12:00:00 +0000\n"
        f"Received: from x ([198.18.11.{number}]) by bot; Sun, 22 Nov 2026 11:00:00 +0000\n"
        f"Message-ID: <{number}@spam.example>\nSubject: x\n\n"
    )


def deliver(box: Path, number: int) -> None:
    """Deliver a mail as a mail server does."""
    path = box / "tmp" / f"{number}.trap"
    path.write_text(mail(number))
    os.utime(path, (time.time() - 1,) * 2)  # the rename comes later than the writing
    path.rename(box / "new" / path.name)


@dataclass
class Listener(FakeAudience):
    """An audience for whose mails one can wait."""

    async def wait_for(self, enough: Callable[[], bool]) -> None:
        """Wait until something holds, looking after each turn of the loop."""
        async with asyncio.timeout(15):
            while not enough():  # noqa: ASYNC110  # what is waited for are rows, files, lists
                await asyncio.sleep(0.005)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Return an empty store."""
    async with SqliteStore(tmp_path / "cases.sqlite") as opened:
        yield opened


@asynccontextmanager
async def reading(
    box: Path, store: SqliteStore, after: After | None = None
) -> AsyncIterator[Listener]:
    """Let a reader read the mailbox."""
    audience = Listener()
    reader = Reader(
        feed=Feed([box]),
        scanner=Scanner([box]),
        store=store,
        reading=READING,
        cooldown=timedelta(days=1),
        after=after,
        audience=audience,
        bell=LocalBell(),
        rescan_seconds=60,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reader.run())
        yield audience
        task.cancel()


class TestReading:
    def test_ranks_by_trust_and_age(self, tmp_path: Path) -> None:
        """The host that handed us a mail just now goes first, what it claims and old mail later."""
        now = datetime.now(UTC)
        file = MailFile(tmp_path, tmp_path / "1")
        fresh = READING.arrival(MailBytes(file, mail(1).encode(), now), now)
        old = READING.arrival(MailBytes(file, mail(1).encode(), now - timedelta(days=1)), now)

        assert [plan.rank for plan in fresh.plans] == [Rank.FRESH, Rank.CLAIMED]
        assert [plan.rank for plan in old.plans] == [Rank.BACKLOG, Rank.BACKLOG_CLAIMED]
        assert [str(plan.address) for plan in fresh.plans] == ["198.18.10.1", "198.18.11.1"]

    def test_no_mail_comes_from_the_future(self, tmp_path: Path) -> None:
        """A clock that was set back makes no mail arrive later than now."""
        now = datetime.now(UTC)
        written = now + timedelta(hours=1)
        file = MailFile(tmp_path, tmp_path / "1")

        assert READING.arrival(MailBytes(file, b"", written), now).arrived == now


class TestReader:
    async def test_takes_what_is_there_and_what_comes(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """Neither the backlog nor a new mail is missed, and each is taken once."""
        box = maildir(tmp_path / "box")
        deliver(box, 1)
        async with reading(box, store) as audience:
            await audience.wait_for(lambda: len(audience.mails) == 1)
            deliver(box, 2)
            await audience.wait_for(lambda: len(audience.mails) == 2)

        async with reading(box, store) as again:
            deliver(box, 3)
            await again.wait_for(lambda: len(again.mails) == 1)

        taken = [arrival.mail.message_id for arrival in (*audience.mails, *again.mails)]
        assert taken == [f"<{number}@spam.example>" for number in (1, 2, 3)]
        assert await store.waiting() == 6

    async def test_a_broken_store_costs_time_only(
        self, tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk is waited out: the mail is taken as soon as there is room."""
        monkeypatch.setattr("botprobe.service.patience.RETRY", 0.0)
        failures = [StoreError("store: database or disk is full")] * 3
        working = store.take

        async def take(*arguments: object) -> object:
            if failures:
                raise failures.pop()
            return await working(*arguments)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(store, "take", take)
        box = maildir(tmp_path / "box")
        deliver(box, 1)
        async with reading(box, store) as audience:
            await audience.wait_for(lambda: len(audience.mails) == 1)

        assert audience.troubles == ["store: database or disk is full; trying again"]

    async def test_flags_what_it_kept_also_from_before_a_crash(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """A mail that was kept but not flagged is flagged at the next start."""
        box = maildir(tmp_path / "box")
        deliver(box, 1)
        async with reading(box, store) as audience:
            await audience.wait_for(lambda: len(audience.mails) == 1)
        deliver(box, 2)

        async with reading(box, store, flag_seen) as audience:
            await audience.wait_for(lambda: len(list((box / "cur").iterdir())) == 2)

        assert sorted(path.name for path in (box / "cur").iterdir()) == [
            "1.trap:2,S",
            "2.trap:2,S",
        ]

    async def test_a_file_that_cannot_be_read_is_told(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """A link that leads elsewhere is not followed, and holds up no other mail."""
        box = maildir(tmp_path / "box")
        deliver(box, 1)
        (box / "tmp" / "2.link").symlink_to("/etc/passwd")
        async with reading(box, store) as audience:
            await audience.wait_for(lambda: len(audience.mails) == 1)
            (box / "tmp" / "2.link").rename(box / "new" / "2.link")
            deliver(box, 3)
            await audience.wait_for(lambda: len(audience.mails) == 2)

        assert len(audience.troubles) == 1
        assert "2.link" in audience.troubles[0]
