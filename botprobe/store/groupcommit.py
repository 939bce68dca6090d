"""Group commit: work that waits for the writer at the same time shares one transaction.

Waiting for the disk is most of a commit; 75 to 320 commits a second become thousands of mails.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

# A transaction in which everything is rolled back and done again should not be endless.
MOST_AT_ONCE = 200

T = TypeVar("T")
Piece = tuple[Callable[[Connection], Any], Future[Any]]


@dataclass(slots=True)
class GroupCommit:
    """Runs work in transactions, in the order of its coming, in one thread."""

    engine: Engine
    thread: Executor
    """With one thread."""
    begin: str | None = "BEGIN IMMEDIATE"
    """Statement that takes the write lock at once, None where rows are locked one by one."""
    _waiting: deque[Piece] = field(default_factory=deque)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction of the writer.

        It may be run again if other work of the same transaction fails, so it must change nothing
        but the database.
        """
        future: Future[T] = Future()
        self._waiting.append((work, future))
        self.thread.submit(self._commit_waiting)
        return await asyncio.wrap_future(future)

    def _commit_waiting(self) -> None:
        group: list[Piece] = []
        while self._waiting and len(group) < MOST_AT_ONCE:
            work, future = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                group.append((work, future))
        if group:
            self._commit(group)

    def _commit(self, group: list[Piece]) -> None:
        try:
            with self.engine.begin() as connection:
                if self.begin is not None:
                    connection.exec_driver_sql(self.begin)
                results = [work(connection) for work, _ in group]
        except Exception as error:  # noqa: BLE001  # handed to whoever waits for the work
            if len(group) == 1 or isinstance(
                error, OperationalError
            ):  # locked, or the disk is full
                for _, future in group:
                    future.set_exception(error)
            else:  # one of them is to blame: each for itself
                for item in group:
                    self._commit([item])
        else:
            for (_, future), result in zip(group, results, strict=True):
                future.set_result(result)
