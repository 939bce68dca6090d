"""The SQLite store."""

import sqlite3
import stat
import threading
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.errors import StoreError
from botprobe.model.mail import Trust
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST, bot_case
from tests.test_pipeline import mail_with

OTHER = ip_address("2001:db8::1")


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Ask the file behind the store's back."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


class TestSqliteStore:
    async def test_keeps_cases_in_its_file(self, tmp_path: Path) -> None:
        """A case comes back whole, after the file was closed and opened again."""
        async with SqliteStore(tmp_path / "cases.sqlite") as store:
            await store.add_case(bot_case())

        async with SqliteStore(tmp_path / "cases.sqlite") as store:
            assert await store.cases(HOST) == [bot_case()]

    async def test_takes_a_mail_once(self, tmp_path: Path) -> None:
        """The same mail, read again from wherever it lies now, is not a second one."""
        path = tmp_path / "cases.sqlite"
        mail = mail_with((Trust.BOUNDARY, str(HOST)))
        async with SqliteStore(path) as store:
            await store.add_mail(mail)
            await store.add_mail(replace(mail, file="cur/1.mail:2,S"))

        assert rows(path, "select file from mail") == [("new/1.mail",)]
        assert rows(path, "select ip from hop") == [(str(HOST),)]

    async def test_is_readable_by_its_owner_and_group_only(self, tmp_path: Path) -> None:
        """Cases name people's machines."""
        path = tmp_path / "state" / "cases.sqlite"
        async with SqliteStore(path):
            pass

        assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0
        assert stat.S_IMODE(path.parent.stat().st_mode) & 0o027 == 0

    async def test_a_file_that_is_no_store_is_one_clear_error(self, tmp_path: Path) -> None:
        """Whatever the path names, there is no traceback and nothing is overwritten."""
        path = tmp_path / "letter.txt"
        path.write_text("Dear Sir or Madam, " * 100)

        with pytest.raises(StoreError, match=r"letter\.txt: file is not a database"):
            async with SqliteStore(path):
                pass

        assert path.read_text().startswith("Dear Sir")

    async def test_a_directory_that_cannot_be_made_is_one_clear_error(self, tmp_path: Path) -> None:
        """A store below a file cannot be opened."""
        (tmp_path / "file").write_text("")

        with pytest.raises(StoreError, match="store "):
            async with SqliteStore(tmp_path / "file" / "cases.sqlite"):
                pass

    async def test_a_store_of_a_newer_botprobe_is_left_alone(self, tmp_path: Path) -> None:
        """An older program does not write into tables that it does not know."""
        path = tmp_path / "cases.sqlite"
        connection = sqlite3.connect(path)
        connection.execute("pragma user_version = 99")
        connection.close()

        with pytest.raises(
            StoreError, match=r"is of a newer botprobe \(schema 99, .*\): update botprobe"
        ):
            async with SqliteStore(path):
                pass


async def test_a_new_store_waits_for_who_is_just_making_it(tmp_path: Path) -> None:
    """Two may begin at the same moment, and SQLite itself gives up at once here."""
    path = tmp_path / "cases.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE unrelated (one)")

    def let_go() -> None:
        other.execute("COMMIT")
        other.close()

    waiting = threading.Timer(0.3, let_go)
    waiting.start()
    async with SqliteStore(path) as store:
        assert await store.cases(HOST) == []
    waiting.join()
