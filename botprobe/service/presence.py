"""Workers that share a store tell each other that they live, and take over from who does not.

Only who has been heard without a break for as long as others may be silent strikes anybody off:
after a restart of the database everybody has been silent, and nobody is dead.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from botprobe.errors import StoreError
from botprobe.model.text import counted
from botprobe.model.work import Presence
from botprobe.service.patience import Trouble, patiently
from botprobe.store.base import Workforce

# Seconds between two signs of life.
BEAT = 3.0
# How long a worker may be silent. With a beat of the one that finds out, and the second until it
# claims what the dead one left, its work goes on within 24 seconds.
SILENCE = timedelta(seconds=20)


class Busy(Protocol):
    """Somebody who works."""

    @property
    def under_way(self) -> int:
        """How many hosts are being investigated."""
        ...

    @property
    def finished(self) -> int:
        """How many hosts were concluded."""
        ...


@dataclass(slots=True, kw_only=True)
class Heart:
    """Beats for one worker."""

    store: Workforce
    presence: Presence
    trouble: Trouble
    _steady_since: float | None = None

    @asynccontextmanager
    async def beating(self, worker: Busy) -> AsyncIterator[None]:
        """Tell that the worker lives for as long as the context lasts, and that it ends."""
        await patiently(lambda: self._beat(worker), self.trouble)
        try:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(self._run(worker))
                try:
                    yield
                finally:
                    task.cancel()
        finally:
            with suppress(StoreError):  # then the others find out
                await self.store.leave(self.presence.owner)

    async def _run(self, worker: Busy) -> None:
        while True:
            await asyncio.sleep(BEAT)
            try:
                await self._beat(worker)
                await self._look_around()
            except StoreError:
                self._steady_since = None  # the worker tells of it

    async def _beat(self, worker: Busy) -> None:
        await self.store.beat(
            replace(self.presence, under_way=worker.under_way, finished=worker.finished)
        )

    async def _look_around(self) -> None:
        now = time.monotonic()
        if self._steady_since is None:
            self._steady_since = now
        if now - self._steady_since < SILENCE.total_seconds():
            return
        buried = await self.store.bury(SILENCE)
        if buried:
            self.trouble(
                f"a worker is silent; due again of what it claimed: {counted(buried, 'host')}"
            )
