"""A bell between machines: PostgreSQL's NOTIFY, which the store sends with its own transactions.

A notice that is lost costs a second: whoever waits looks at the host table that often anyway.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from botprobe.queue.local import LocalBell

# Name of the channel; the store's statement says the same.
CHANNEL = "botprobe"

# Seconds until a connection that broke is made anew.
RETRY = 1.0


class PostgresBell(LocalBell):
    """Rings for the one task of this process that waits, whoever on whatever machine rang."""

    def __init__(self, conninfo: str) -> None:
        super().__init__()
        self._conninfo = conninfo

    async def listen(self) -> None:
        """Hear the others until cancelled, through restarts of the server too."""
        while True:
            try:
                await self._listen_once()
            except (psycopg.Error, OSError):
                await asyncio.sleep(RETRY)

    async def _listen_once(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self.ring()  # somebody may have rung before
            async for _ in connection.notifies():
                self.ring()


@asynccontextmanager
async def open_bell(conninfo: str) -> AsyncIterator[PostgresBell]:
    """Listen for as long as the context lasts."""
    bell = PostgresBell(conninfo)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(bell.listen())
        try:
            yield bell
        finally:
            listening.cancel()
