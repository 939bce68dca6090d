"""How a store talks to its database: in one thread of its own, behind ``await``.

The event loop never waits for a disk or a server. Work that waits at the same time shares one
transaction, because a commit costs more than all that is in it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from botprobe.errors import StoreError
from botprobe.store.groupcommit import GroupCommit

I = TypeVar("I")  # noqa: E741  # an item
T = TypeVar("T")


class Transactions:
    """Opens a database and runs work in it; what differs between databases is left open."""

    begin: str | None = None
    """Statement that begins a transaction which writes, None where the driver does it."""
    begin_read: str | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        """How messages call it; without secrets."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._engine: Engine | None = None
        self._writer: GroupCommit | None = None

    async def __aenter__(self) -> Self:
        try:
            engine = await self._in_thread(self._connect)
            self._engine, self._writer = engine, GroupCommit(engine, self._thread, self.begin)
            await self._write(self._prepare_tables)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    def _connect(self) -> Engine:
        """Make the engine; runs in the store's thread."""
        raise NotImplementedError

    def _prepare_tables(self, connection: Connection) -> None:
        """Make or check the tables, in a transaction."""
        raise NotImplementedError

    def _now(self, connection: Connection) -> datetime:
        """Return the time by the clock that all who share the store go by, aware UTC."""
        raise NotImplementedError

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StoreError(f"store {self.name}: {reason}") from error

    async def _in_thread(self, work: Callable[[], T]) -> T:
        async with self._translated():
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        if self._writer is None:
            raise StoreError(f"store {self.name} is closed")
        async with self._translated():
            return await self._writer.run(work)

    async def _write_claims(self, work: Callable[[Connection], T]) -> T:
        """Run work that claims hosts; a store of several writers lets it pass all else."""
        return await self._write(work)

    async def _read_claims(self, work: Callable[[Connection], T]) -> T:
        """Read what a claim depends on, and pass all else where claims do."""
        return await self._read(work)

    async def _write_with_others(
        self, do: Callable[[Connection, Sequence[I]], Sequence[T]], item: I
    ) -> T:
        if self._writer is None:
            raise StoreError(f"store {self.name} is closed")
        async with self._translated():
            return await self._writer.run_with_others(do, item)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        engine, begin = self._engine, self.begin_read
        if engine is None:
            raise StoreError(f"store {self.name} is closed")

        def run() -> T:
            with engine.begin() as connection:
                if begin is not None:
                    connection.exec_driver_sql(begin)
                return work(connection)

        return await self._in_thread(run)

    async def _close(self) -> None:
        engine, self._engine, self._writer = self._engine, None, None
        if engine is not None:
            await self._in_thread(engine.dispose)
        self._thread.shutdown()
