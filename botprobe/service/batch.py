"""Work through many targets at once, and let no single one stop the rest."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from botprobe.errors import BotprobeError, first_cause
from botprobe.hostlog import HostLog
from botprobe.model.audit import IpNetwork
from botprobe.model.facts import Facts
from botprobe.model.mail import IpAddress, Mail
from botprobe.model.text import counted
from botprobe.model.verdict import Case
from botprobe.pipeline import Candidate, Judge, Pipeline
from botprobe.scope.budget import surrounding
from botprobe.scope.live import LiveScope
from botprobe.scope.origins import find_out

# Seconds between two looks at stop file and opt-out file: both are to hold within a second.
TICK = 0.25

logger = logging.getLogger(__name__)


class Places:
    """Room for so many hosts at the same time, and for so many of one network."""

    def __init__(self, all_in_all: int, per_network: int) -> None:
        self._all = asyncio.Semaphore(all_in_all)
        self._networks = defaultdict[IpNetwork, asyncio.Semaphore](
            lambda: asyncio.Semaphore(per_network)
        )

    @asynccontextmanager
    async def of(self, address: IpAddress) -> AsyncIterator[None]:
        """Hold a place for a host; who waits for its network takes none of the others'."""
        async with self._networks[surrounding(address)], self._all:
            yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Investigates a set of candidates, many at the same time, and keeps what came of it."""

    pipeline: Pipeline
    hostlog: HostLog
    concurrency: int
    per_network: int
    """How many of one /24 or /48 may be asked at the same time."""
    trouble: Callable[[str], None]
    """Told in one line about each case that could not be made or kept."""
    stop_file: Path | None = None
    """While this file exists, nobody is probed."""
    scope: LiveScope | None = None
    """Of the pipeline and its probes; who opts out meanwhile is broken off."""
    _asking: dict[IpAddress, asyncio.Timeout] = field(default_factory=dict)

    async def keep_mail(self, mail: Mail) -> None:
        """Store a mail with its hops."""
        try:
            await self.pipeline.store.add_mail(mail)
        except BotprobeError as error:
            self.trouble(f"{mail.file}: not stored: {error}")

    async def run(self, candidates: Iterable[Candidate]) -> list[Case]:
        """Return the cases in the order of the candidates; one that failed is left out."""
        places = Places(self.concurrency, self.per_network)
        tasks: list[asyncio.Task[Case | None]] = []
        async with asyncio.TaskGroup() as group:
            # Before the others: its first look comes before the first packet.
            switch = group.create_task(self._heed_operator(tasks))
            tasks += [group.create_task(self._one(item, places)) for item in candidates]
            if tasks:
                await asyncio.wait(tasks)
            switch.cancel()
        done = (task.result() for task in tasks if not task.cancelled())
        return [case for case in done if case is not None]

    async def _heed_operator(self, tasks: Iterable[asyncio.Task[Case | None]]) -> None:
        """Break off whatever is under way as soon as the operator wants it."""
        seen = 0
        while not self._halted():
            seen = await self._heed_optout(seen)
            await asyncio.sleep(TICK)
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        self.trouble(
            f"stop file {self.stop_file}: {counted(len(unfinished), 'host')} not investigated"
        )

    async def _heed_optout(self, seen: int) -> int:
        """Break off whom a newer opt-out file names; return which state of it was seen."""
        if self.scope is None:
            return seen
        self.scope.follow()
        changes = self.scope.changes
        if changes == seen:
            return seen
        await find_out(self.scope, self._asking, self.pipeline.origin_of)
        if self.scope.problem is not None:
            self.trouble(f"nobody is probed: {self.scope.problem}")
        for address, patience in self._asking.items():
            if self.scope.refusal(address) is not None or self.scope.unknown(address):
                patience.reschedule(0)
        return changes

    def _halted(self) -> bool:
        return self.stop_file is not None and self.stop_file.exists()

    async def _one(self, candidate: Candidate, places: Places) -> Case | None:
        async with places.of(candidate.target.address):
            try:
                case = await self._investigate(candidate)
            except BotprobeError as error:
                self.trouble(f"{candidate.target}: {error}")
                return None
            except Exception as error:
                # One host must not stop the others, whatever it did to us.
                logger.exception("case of %s failed", candidate.target)
                self.trouble(f"{candidate.target}: {first_cause(error)!r}")
                return None
            await unbroken(self._keep(case))
            return case

    async def _investigate(self, candidate: Candidate) -> Case:
        """Investigate a candidate; one that was broken off begins anew, and may be refused."""
        address = candidate.target.address
        while True:
            try:
                async with asyncio.timeout(None) as patience:
                    self._asking[address] = patience
                    return await self.pipeline.investigate(candidate)
            except TimeoutError:
                if not patience.expired():
                    raise
                self.pipeline.budget.forgive(address)
            finally:
                del self._asking[address]

    async def _keep(self, case: Case) -> None:
        try:
            await self.pipeline.store.add_case(kept_form(case, self.pipeline.judge))
        except BotprobeError as error:
            self.trouble(f"{case.target}: not stored: {error}")
        if case.refused is not None:
            return
        try:
            await asyncio.to_thread(self.hostlog.write, case)
        except BotprobeError as error:
            self.trouble(f"{case.target}: {error}")


async def unbroken(work: Coroutine[Any, Any, None]) -> None:
    """Do a work to its end, even if told to stop meanwhile; then stop.

    A host that was asked must not be forgotten because somebody pressed Ctrl-C just then.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def kept_form(case: Case, judge: Judge) -> Case:
    """Return a case as it is stored: what an earlier one found is in the store already."""
    if case.refused is None:
        return case
    return replace(case, facts=Facts(), verdict=judge.not_probed(case.refused))
