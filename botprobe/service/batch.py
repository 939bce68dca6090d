"""Work through many targets at once, and let no single one stop the rest."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botprobe.classify.classifier import not_probed
from botprobe.errors import BotprobeError
from botprobe.hostlog import HostLog
from botprobe.model.facts import Facts
from botprobe.model.mail import Mail
from botprobe.model.verdict import Case
from botprobe.pipeline import Candidate, Pipeline

# Seconds between two looks at the stop file; it is to halt all probing within a second.
TICK = 0.25

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Investigates a set of candidates, many at the same time, and keeps what came of it."""

    pipeline: Pipeline
    hostlog: HostLog
    concurrency: int
    trouble: Callable[[str], None]
    """Told in one line about each case that could not be made or kept."""
    stop_file: Path | None = None
    """While this file exists, nobody is probed."""

    async def keep_mail(self, mail: Mail) -> None:
        """Store a mail with its hops."""
        try:
            await self.pipeline.store.add_mail(mail)
        except BotprobeError as error:
            self.trouble(f"{mail.file}: not stored: {error}")

    async def run(self, candidates: Iterable[Candidate]) -> list[Case]:
        """Return the cases in the order of the candidates; one that failed is left out."""
        places = asyncio.Semaphore(self.concurrency)
        tasks: list[asyncio.Task[Case | None]] = []
        async with asyncio.TaskGroup() as group:
            # Before the others: its first look comes before the first packet.
            switch = group.create_task(self._heed_stop_file(tasks))
            tasks += [group.create_task(self._one(item, places)) for item in candidates]
            if tasks:
                await asyncio.wait(tasks)
            switch.cancel()
        done = (task.result() for task in tasks if not task.cancelled())
        return [case for case in done if case is not None]

    async def _heed_stop_file(self, tasks: Iterable[asyncio.Task[Case | None]]) -> None:
        """Break off whatever is under way as soon as the operator wants it."""
        while not self._halted():  # noqa: ASYNC110  # what is waited for is a file
            await asyncio.sleep(TICK)
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        self.trouble(f"stop file {self.stop_file}: {len(unfinished)} hosts were not investigated")

    def _halted(self) -> bool:
        return self.stop_file is not None and self.stop_file.exists()

    async def _one(self, candidate: Candidate, places: asyncio.Semaphore) -> Case | None:
        async with places:
            try:
                case = await self.pipeline.investigate(candidate)
            except BotprobeError as error:
                self.trouble(f"{candidate.target}: {error}")
                return None
            except Exception as error:
                # One host must not stop the others, whatever it did to us.
                logger.exception("case of %s failed", candidate.target)
                self.trouble(f"{candidate.target}: {_cause(error)!r}")
                return None
            await unbroken(self._keep(case))
            return case

    async def _keep(self, case: Case) -> None:
        try:
            await self.pipeline.store.add_case(kept_form(case))
        except BotprobeError as error:
            self.trouble(f"{case.target}: not stored: {error}")
        if case.refused is not None:
            return
        try:
            await asyncio.to_thread(self.hostlog.write, case)
        except BotprobeError as error:
            self.trouble(f"{case.target}: {error}")


def _cause(error: Exception) -> Exception:
    """Return the first error inside of a group of errors."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


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


def kept_form(case: Case) -> Case:
    """Return a case as it is stored: what an earlier one found is in the store already."""
    if case.refused is None:
        return case
    return replace(case, facts=Facts(), verdict=not_probed(case.refused))
