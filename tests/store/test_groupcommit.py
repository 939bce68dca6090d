"""Group commit: many pieces of work, one transaction, and none harms another."""

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from botprobe.store.groupcommit import GroupCommit


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return a database with an empty table of unique numbers."""
    engine = create_engine(f"sqlite:///{tmp_path / 'x.sqlite'}", connect_args={"timeout": 0})

    @event.listens_for(engine, "connect")
    def explicit(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER UNIQUE)")
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[GroupCommit]:
    """Return a writer with a thread of its own."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        yield GroupCommit(engine, thread)


class Put:
    """Work that inserts a number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, connection: Connection) -> int:
        """Insert the number."""
        connection.exec_driver_sql("INSERT INTO t VALUES (?)", (self.number,))
        return self.number


def numbers(engine: Engine) -> list[int]:
    """Return what the table holds."""
    with engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT n FROM t ORDER BY n").scalars())


class TestGroupCommit:
    async def test_work_that_waits_shares_a_transaction(
        self, engine: Engine, writer: GroupCommit
    ) -> None:
        """A thousand pieces of work need few commits, and each gets its own result."""
        commits: list[object] = []
        event.listen(engine, "commit", commits.append)

        results = await asyncio.gather(*(writer.run(Put(n)) for n in range(1000)))

        assert results == list(range(1000))
        assert numbers(engine) == results
        assert len(commits) < 200

    async def test_work_that_fails_takes_no_other_down(
        self, engine: Engine, writer: GroupCommit
    ) -> None:
        """Whoever is to blame gets the error; the others are done all the same."""
        results = await asyncio.gather(
            *(writer.run(Put(n)) for n in (1, 2, 2, 3)), return_exceptions=True
        )

        assert [isinstance(result, Exception) for result in results] == [False, False, True, False]
        assert numbers(engine) == [1, 2, 3]

    async def test_a_locked_database_fails_all_at_once(
        self, engine: Engine, writer: GroupCommit
    ) -> None:
        """Nobody waits for the lock as often as there is work."""
        with engine.connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            results = await asyncio.gather(
                *(writer.run(Put(n)) for n in range(3)), return_exceptions=True
            )

        assert all(isinstance(result, OperationalError) for result in results)
        assert await writer.run(Put(7)) == 7

    async def test_work_that_nobody_waits_for_is_not_begun(
        self, engine: Engine, writer: GroupCommit
    ) -> None:
        """Cancelling whoever waits takes the work back while it has not begun."""
        async with asyncio.timeout(5):
            tasks = [asyncio.ensure_future(writer.run(Put(n))) for n in range(2)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await writer.run(Put(9))

        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        assert numbers(engine)[-1] == 9
