"""The watch: takes mails, asks hosts, and minds what the operator says, for a year.

A reader and a worker do the work; this module starts them, replaces them when settings change,
halts them while the stop file is there, and ends them within a bound.
"""

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from botprobe.errors import BotprobeError, StoreError
from botprobe.model.work import WorkerStatus
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Budget
from botprobe.service.audience import Audience, Status
from botprobe.service.reader import Reader
from botprobe.service.systemd import Supervisor
from botprobe.service.worker import Worker
from botprobe.service.workers import Workers
from botprobe.store.base import HostTable

# Seconds between two looks at stop file and opt-out file: both are to hold within a second.
TICK = 0.25
STATUS = 1.0
FORGET = 3600.0


class Command(Enum):
    """What a signal asks for."""

    STOP = auto()
    RELOAD = auto()


class Parts(Protocol):
    """What a watch is made of; wiring makes each from the current settings."""

    stop_file: Path | None
    drain_seconds: float
    scope: Scope
    budget: Budget
    problem: str | None
    """Why nobody may be probed, None if all is well."""
    reads: bool
    """Whether this process takes mails."""
    probes: bool
    """Whether this process asks hosts; where a store is shared, other processes do."""

    @property
    def store(self) -> HostTable:
        """The store that reader and worker share."""
        ...

    def reader(self) -> Reader:
        """Make a reader of the mailboxes."""
        ...

    def worker(self) -> AbstractAsyncContextManager[Worker]:
        """Make a worker, with processes that end with it."""
        ...

    def reload(self) -> None:
        """Read settings and opt-out file again.

        Raises:
            BotprobeError: a setting is wrong, and the former ones stay.
        """
        ...

    def reload_optout(self) -> None:
        """Read the opt-out file again, and nothing else.

        Raises:
            BotprobeError: it cannot be read, and ``problem`` says so.
        """
        ...

    def optout_changed(self) -> bool:
        """Say whether the opt-out file is another than the one that was read."""
        ...


@dataclass(slots=True, kw_only=True)
class Watch:
    """Runs until it is told to stop."""

    parts: Parts
    audience: Audience
    supervisor: Supervisor
    commands: asyncio.Queue[Command] = field(default_factory=asyncio.Queue)
    _stopping: bool = False

    async def run(self) -> bool:
        """Watch until a signal or a command ends it; say whether no second one cut it short.

        Raises:
            BotprobeError: a mailbox cannot be read, or a setting is wrong.
        """
        try:
            with _signals(self.commands):
                return await self._run()
        except ExceptionGroup as group:
            known, _ = group.split(BotprobeError)
            while known is not None and isinstance(known.exceptions[0], ExceptionGroup):
                known = known.exceptions[0]
            if known is None:
                raise
            raise known.exceptions[0] from group

    async def _run(self) -> bool:
        async with asyncio.TaskGroup() as group:
            workers = Workers(group, self.parts.worker)
            reading = self._read(group)
            reporting = group.create_task(self._report(workers))
            self.supervisor.ready()
            while (command := await self._next(workers)) is not Command.STOP:
                if command is Command.RELOAD and await self._reload(workers):
                    reading.cancel()
                    reading = self._read(group)
            reading.cancel()
            self._stopping = True
            self.supervisor.stopping()
            in_peace = await self._drain(workers)
            reporting.cancel()
        return in_peace

    def _read(self, group: asyncio.TaskGroup) -> asyncio.Task[None]:
        """Begin to take mails, if that is asked for."""
        work = self.parts.reader().run() if self.parts.reads else _nothing()
        return group.create_task(work)

    async def _next(self, workers: Workers) -> Command | None:
        """Mind halts, the opt-out file and the watchdog; return what is asked for, if anything."""
        self.supervisor.alive()
        if self._halted() is not None:
            await workers.abort()
        elif workers.current is None and self.parts.probes:
            workers.start()
        if self.parts.optout_changed():
            await self._heed_optout(workers)
        try:
            async with asyncio.timeout(TICK):
                return await self.commands.get()
        except TimeoutError:
            return None

    def _halted(self) -> str | None:
        stop = self.parts.stop_file
        if stop is not None and stop.exists():
            return f"stop file {stop}"
        return self.parts.problem

    async def _reload(self, workers: Workers) -> bool:
        """Read the settings again; former workers finish with the former ones."""
        self.supervisor.reloading()
        try:
            self.parts.reload()
        except BotprobeError as error:
            self.audience.trouble(f"settings are as before: {error}")
            return False
        finally:
            self.supervisor.ready()
        workers.close()
        await workers.drop(self.parts.scope)
        return True

    async def _heed_optout(self, workers: Workers) -> None:
        """Ask nobody any more who has opted out."""
        try:
            self.parts.reload_optout()
        except BotprobeError as error:
            self.audience.trouble(f"nobody is probed: {error}")
            return
        workers.close()
        await workers.drop(self.parts.scope)

    async def _drain(self, workers: Workers) -> bool:
        """Let hosts that are being asked come to their end; a second signal ends it at once.

        Returns:
            False if there was one; to run out of time is no fault of the operator's.
        """
        workers.close()
        deadline = time.monotonic() + self.parts.drain_seconds
        while not (hurry := self._stopped_again()) and time.monotonic() < deadline:
            self.supervisor.alive()
            if await workers.wait(TICK):
                return True
        await workers.abort()
        return not hurry

    def _stopped_again(self) -> bool:
        """Say whether a second signal to stop came; another command comes too late."""
        while not self.commands.empty():
            if self.commands.get_nowait() is Command.STOP:
                return True
        return False

    async def _report(self, workers: Workers) -> None:
        """Tell how the watch stands; forget now and then what no cap looks at."""
        forget_at = time.monotonic() + FORGET
        while True:
            waiting: int | None = None
            staff: Sequence[WorkerStatus] = ()
            with suppress(StoreError):
                staff = await self.parts.store.workers()
                waiting = await self.parts.store.waiting()
            now = datetime.now(UTC)
            status = Status(
                waiting=waiting,
                under_way=workers.under_way,
                budget_left=self.parts.budget.left(now),
                halted=self._halted(),
                workers=staff,
                stopping=self._stopping,
            )
            self.audience.status(status)
            self.supervisor.status(_one_line(status))
            if time.monotonic() > forget_at:
                self.parts.budget.forget(now)
                forget_at += FORGET
            await asyncio.sleep(STATUS)


async def _nothing() -> None:
    """Do nothing."""


def _one_line(status: Status) -> str:
    waiting = "store does not answer" if status.waiting is None else f"{status.waiting} waiting"
    line = f"{waiting}, {status.under_way} under way, budget {status.budget_left}"
    if status.stopping:
        return f"stopping: {line}"
    return line if status.halted is None else f"halted ({status.halted}): {line}"


@contextmanager
def _signals(commands: asyncio.Queue[Command]) -> Iterator[None]:
    """Turn SIGTERM, SIGINT and SIGHUP into commands."""
    loop = asyncio.get_running_loop()
    meanings = {
        signal.SIGTERM: Command.STOP,
        signal.SIGINT: Command.STOP,
        signal.SIGHUP: Command.RELOAD,
    }
    for number, command in meanings.items():
        loop.add_signal_handler(number, commands.put_nowait, command)
    try:
        yield
    finally:
        for number in meanings:
            loop.remove_signal_handler(number)
