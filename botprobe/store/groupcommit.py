"""Group commit: work that waits for the writer at the same time shares one transaction.

Waiting for the disk is most of a commit; 75 to 320 commits a second become thousands of mails.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

# A transaction in which everything is rolled back and done again should not be endless.
MOST_AT_ONCE = 200

I = TypeVar("I")  # noqa: E741  # an item
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work, and who waits for it."""

    do: Callable[[Connection, Sequence[Any]], Sequence[Any]]
    """Does pieces of one kind, all those that follow each other at once."""
    item: Any
    future: asyncio.Future[Any]


@dataclass(slots=True)
class GroupCommit:
    """Runs work in transactions, in the order of its coming, in one thread."""

    engine: Engine
    thread: Executor
    """With one thread."""
    begin: str | None = "BEGIN IMMEDIATE"
    """Statement that takes the write lock at once, None where rows are locked one by one."""
    _waiting: deque[Piece] = field(default_factory=deque)
    _called: bool = False
    """Whether the thread will look at what waits."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction of the writer.

        It may be run again if other work of the same transaction fails, so it must change nothing
        but the database.
        """
        return await self.run_with_others(_one_by_one, work)

    async def run_with_others(
        self, do: Callable[[Connection, Sequence[I]], Sequence[T]], item: I
    ) -> T:
        """Run ``do`` for an item, with the items of others that wait for the same at the time.

        It returns a result for each item; what is said of ``run`` holds.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Piece(do, item, future))
        self._call()
        return await future

    def _call(self) -> None:
        if not self._called:
            self._called = True
            self.thread.submit(self._commit_waiting)

    def _commit_waiting(self) -> None:
        self._called = False  # from here on, whoever comes calls again
        group: list[Piece] = []
        while self._waiting and len(group) < MOST_AT_ONCE:
            piece = self._waiting.popleft()
            if not piece.future.cancelled():
                group.append(piece)
        if self._waiting:
            self._call()
        if group:
            self._commit(group)

    def _commit(self, group: list[Piece]) -> None:
        results: list[Any] = []
        try:
            with self.engine.begin() as connection:
                if self.begin is not None:
                    connection.exec_driver_sql(self.begin)
                for do, pieces in groupby(group, key=attrgetter("do")):
                    results += do(connection, [piece.item for piece in pieces])
        except Exception as error:  # noqa: BLE001  # handed to whoever waits for the work
            if len(group) == 1 or isinstance(
                error, OperationalError
            ):  # locked, or the disk is full
                _tell(group, [error] * len(group))
            else:  # one of them is to blame: each for itself
                for piece in group:
                    self._commit([piece])
        else:
            _tell(group, results)


def _tell(group: Sequence[Piece], results: Sequence[Any]) -> None:
    """Give all results to the event loop at once: to wake it costs more than a small commit."""
    futures = [piece.future for piece in group]
    with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
        futures[0].get_loop().call_soon_threadsafe(_settle, futures, results)


def _settle(futures: Sequence[asyncio.Future[Any]], results: Sequence[Any]) -> None:
    for future, result in zip(futures, results, strict=True):
        if future.cancelled():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


def _one_by_one(connection: Connection, works: Sequence[Callable[[Connection], T]]) -> Sequence[T]:
    return [work(connection) for work in works]
