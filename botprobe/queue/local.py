"""A bell inside one process."""

import asyncio


class LocalBell:
    """Rings for the one task that waits for it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Say that somebody may be due."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Wait until it rings, no longer than so many seconds; a ring before the wait counts."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()
