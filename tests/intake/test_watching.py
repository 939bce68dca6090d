"""Noticing mails in mailboxes."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from botprobe.errors import InputError
from botprobe.intake.watching import CHUNK, Feed, MailFile, Scanner, mail_directories

LONG_AGO = 1_000_000_000


def maildir(path: Path) -> Path:
    """Make an empty Maildir."""
    for name in ("tmp", "new", "cur"):
        (path / name).mkdir(parents=True)
    return path


@asynccontextmanager
async def listening(feed: Feed) -> AsyncIterator[Feed]:
    """Let a feed listen."""
    feed.open()
    async with asyncio.TaskGroup() as group:
        ears = group.create_task(feed.listen())
        yield feed
        ears.cancel()
    feed.close()


async def first(feed: Feed) -> list[MailFile]:
    """Wait for notices."""
    await feed.wait(5)
    return feed.take(100)


def deliver_by_rename(box: Path, name: str) -> None:
    """Deliver as the Maildir specification says."""
    (box / "tmp" / name).write_text("Subject: x\n\n")
    (box / "tmp" / name).rename(box / "new" / name)


def deliver_by_link(box: Path, name: str) -> None:
    """Deliver as qmail does."""
    (box / "tmp" / name).write_text("Subject: x\n\n")
    (box / "new" / name).hardlink_to(box / "tmp" / name)
    (box / "tmp" / name).unlink()


def deliver_into_cur(box: Path, name: str) -> None:
    """Deliver as servers do that mark mails as they come."""
    (box / "tmp" / name).write_text("Subject: x\n\n")
    (box / "tmp" / name).rename(box / "cur" / f"{name}:2,S")


class TestMailDirectories:
    def test_a_maildir_has_new_and_cur_and_folders(self, tmp_path: Path) -> None:
        """Maildir++ folders are read too, except those that are left out."""
        maildir(tmp_path)
        maildir(tmp_path / ".Spam")
        maildir(tmp_path / ".Done")

        found = mail_directories(tmp_path, {".Done"})

        assert [str(path.relative_to(tmp_path)) for path in found] == [
            "new",
            "cur",
            ".Spam/new",
            ".Spam/cur",
        ]

    def test_any_other_directory_is_one_itself(self, tmp_path: Path) -> None:
        """A trap that only writes files needs no Maildir."""
        assert mail_directories(tmp_path) == [tmp_path]

    def test_no_directory_is_one_clear_error(self, tmp_path: Path) -> None:
        """A typing error in the command line is told with the path."""
        with pytest.raises(InputError, match="nowhere: No such file or directory"):
            mail_directories(tmp_path / "nowhere")


class TestMailFile:
    def test_the_same_mail_keeps_its_key(self, tmp_path: Path) -> None:
        """Flags and a move to cur or to another folder do not make it a new mail."""
        names = ("new/1.a.host", "cur/1.a.host:2,FS", ".Spam/cur/1.a.host:2,")
        keys = {MailFile(tmp_path, tmp_path / name).key for name in names}

        assert len(keys) == 1
        assert MailFile(tmp_path, tmp_path / "new/2.a.host").key not in keys
        assert MailFile(tmp_path / "other", tmp_path / names[0]).key not in keys

    def test_any_name_has_a_key(self, tmp_path: Path) -> None:
        """Bytes that are no UTF-8 are a name like any other."""
        assert len(MailFile(tmp_path, tmp_path / os.fsdecode(b"\xff\xfe")).key) == 32


class TestFeed:
    @pytest.mark.parametrize("deliver", [deliver_by_rename, deliver_by_link, deliver_into_cur])
    async def test_tells_of_a_delivery(
        self, tmp_path: Path, deliver: Callable[[Path, str], None]
    ) -> None:
        """However a server delivers, the file is noticed at once."""
        async with listening(Feed([maildir(tmp_path)])) as feed:
            deliver(tmp_path, "1.mail")
            notices = await first(feed)

        assert [notice.path.name.partition(":")[0] for notice in notices] == ["1.mail"]
        assert notices[0].root == tmp_path

    async def test_a_written_file_is_whole_when_it_is_closed(self, tmp_path: Path) -> None:
        """Of a directory without delivery rules, the last notice says that the file is whole."""
        async with listening(Feed([tmp_path])) as feed:
            (tmp_path / "1.eml").write_text("Subject: x\n\n")
            notices = await first(feed)

        assert [notice.whole for notice in notices] == [False, True]

    async def test_hidden_files_and_directories_are_no_mails(self, tmp_path: Path) -> None:
        """What begins with a dot is the business of others."""
        async with listening(Feed([maildir(tmp_path)])) as feed:
            (tmp_path / "new" / ".nfs0001").write_text("")
            (tmp_path / "new" / "folder").mkdir()
            deliver_by_rename(tmp_path, "1.mail")
            notices: list[MailFile] = []
            while not notices:
                notices = await first(feed)

        assert [notice.path.name for notice in notices] == ["1.mail"]

    async def test_says_when_a_mailbox_went_away(self, tmp_path: Path) -> None:
        """Somebody who replaces the directory is followed by the next scan."""
        box = maildir(tmp_path / "box")
        async with listening(Feed([box])) as feed:
            feed.missed = False
            (box / "new").rmdir()
            await feed.wait(5)

        assert feed.missed

    async def test_more_than_it_keeps_is_said_to_be_missed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A flood costs no memory: the scan finds the rest."""
        monkeypatch.setattr("botprobe.intake.watching.MAX_NOTICES", 3)
        async with listening(Feed([maildir(tmp_path)])) as feed:
            feed.missed = False
            for number in range(9):
                deliver_by_rename(tmp_path, f"{number}.mail")
            while not feed.missed:
                await feed.wait(5)
                await asyncio.sleep(0)

        assert len(feed.take(100)) == 3

    async def test_waiting_ends(self, tmp_path: Path) -> None:
        """A quiet mailbox does not keep anybody from looking again."""
        async with listening(Feed([maildir(tmp_path)])) as feed:
            await feed.wait(0.01)
            assert feed.take(1) == []


class TestScanner:
    def names(self, scanner: Scanner) -> list[str]:
        """Scan once."""
        return sorted(file.path.name for files in scanner.scan() for file in files)

    def test_finds_all_mails_some_at_a_time(self, tmp_path: Path) -> None:
        """A backlog is handed over in bounded portions."""
        maildir(tmp_path)
        for number in range(CHUNK + 1):
            (tmp_path / "new" / f"{number:04}").touch()
        (tmp_path / "cur" / "seen:2,S").touch()
        portions = list(Scanner([tmp_path]).scan())

        assert max(map(len, portions)) == CHUNK
        assert sum(map(len, portions)) == CHUNK + 2

    def test_leaves_out_what_did_not_change(self, tmp_path: Path) -> None:
        """An idle mailbox of any size costs next to nothing; a change is seen."""
        maildir(tmp_path)
        (tmp_path / "new" / "1").touch()
        for name in ("new", "cur"):
            os.utime(tmp_path / name, (LONG_AGO, LONG_AGO))
        scanner = Scanner([tmp_path])

        first, second = self.names(scanner), self.names(scanner)
        (tmp_path / "new" / "2").touch()
        third = self.names(scanner)

        assert (first, second, third) == (["1"], [], ["1", "2"])

    def test_looks_again_at_what_was_not_taken(self, tmp_path: Path) -> None:
        """What failed once is found again."""
        (tmp_path / "1").touch()
        os.utime(tmp_path, (LONG_AGO, LONG_AGO))
        scanner = Scanner([tmp_path])
        self.names(scanner)

        scanner.distrust()

        assert self.names(scanner) == ["1"]

    def test_a_doubt_while_it_looks_counts_too(self, tmp_path: Path) -> None:
        """A file that was found and could not be taken is found again, however soon that is."""
        (tmp_path / "1").touch()
        os.utime(tmp_path, (LONG_AGO, LONG_AGO))
        scanner = Scanner([tmp_path])

        for _ in scanner.scan():
            scanner.distrust()

        assert self.names(scanner) == ["1"]

    def test_does_not_trust_a_directory_that_has_just_changed(self, tmp_path: Path) -> None:
        """Two files of one tick of the clock are both found."""
        (tmp_path / "1").touch()
        scanner = Scanner([tmp_path])

        assert self.names(scanner) == self.names(scanner) == ["1"]

    def test_one_missing_mailbox_hides_no_other(self, tmp_path: Path) -> None:
        """The others are looked through, and then the missing one is told."""
        (tmp_path / "1").touch()
        scan = Scanner([tmp_path / "nowhere", tmp_path]).scan()

        found = next(scan)

        assert [file.path.name for file in found] == ["1"]
        with pytest.raises(InputError, match="nowhere"):
            next(scan)

    def test_passes_over_links_and_pipes(self, tmp_path: Path) -> None:
        """Only plain files are mails; a link could lead anywhere."""
        (tmp_path / "link").symlink_to("/etc/passwd")
        os.mkfifo(tmp_path / "pipe")

        assert self.names(Scanner([tmp_path])) == []
