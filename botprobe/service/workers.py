"""The workers of a watch: how they begin, are replaced, and end."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from botprobe.scope.addresses import Scope
from botprobe.service.worker import Worker


@dataclass(slots=True)
class Workers:
    """The current worker, and former ones that finish what they began."""

    group: asyncio.TaskGroup
    open: Callable[[], AbstractAsyncContextManager[Worker]]
    current: asyncio.Task[None] | None = None
    _running: dict[asyncio.Task[None], Worker] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def under_way(self) -> int:
        """How many hosts are being investigated."""
        return sum(worker.under_way for worker in self._running.values())

    def start(self) -> None:
        """Let a new worker work."""
        self.current = self.group.create_task(self._run())
        self._tasks.add(self.current)
        self.current.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Let all workers finish what they began."""
        self.current = None
        for task in self._tasks - self._running.keys():
            task.cancel()  # it has not begun
        for worker in self._running.values():
            worker.close()

    async def drop(self, scope: Scope) -> None:
        """Let them break off with whom a newer scope refuses."""
        await asyncio.gather(*(worker.drop(scope) for worker in self._running.values()))

    async def wait(self, seconds: float) -> bool:
        """Wait until all workers are done, no longer than so many seconds; say if they are."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return not self._tasks

    async def abort(self) -> None:
        """Stop all workers at once; their hosts stay due."""
        self.current = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        async with self.open() as worker:
            self._running[task] = worker
            try:
                await worker.run()
            finally:
                del self._running[task]
