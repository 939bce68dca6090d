"""``botprobe queue``: what waits, who works, what is tried again, what was given up."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.cli.options import AsJson, ConfigFile, StorePath, settings_from
from botprobe.cli.render import print_json, stdout_console
from botprobe.contract.queue import queue_document
from botprobe.model.text import visible
from botprobe.model.work import QueueStatus, RankDepth, WorkerStatus
from botprobe.settings import Settings
from botprobe.storing import known_store


def queue(config: ConfigFile = None, as_json: AsJson = False, store: StorePath = None) -> None:
    """Show what waits, who works, and what was given up."""
    settings = settings_from(config, store=store)
    status = asyncio.run(_status(settings))
    if as_json:
        print_json(queue_document(status, datetime.now(UTC)))
    else:
        stdout_console().print(queue_screen(status))


async def _status(settings: Settings) -> QueueStatus:
    async with known_store(settings) as store:
        return await store.queue_status()


def queue_screen(status: QueueStatus) -> RenderableType:
    """Lay the work out in two tables and a line."""
    lines = Text(f"{status.retried} tried again, {status.given_up} given up")
    parts = [_ranks(status.ranks), lines] if status.ranks else [Text("nothing is planned"), lines]
    return Group(*parts, *([_workers(status.workers)] if status.workers else []))


def _ranks(ranks: Sequence[RankDepth]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("rank")
    for name in ("due", "oldest", "under way", "planned"):
        table.add_column(name, justify="right")
    for one in ranks:
        name = one.rank.name.lower().replace("_", " ")
        counts = (f"{count:,}" for count in (one.claimed, one.planned))
        table.add_row(name, f"{one.due:,}", _age(one.oldest), *counts)
    return table


def _workers(workers: Sequence[WorkerStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("vantage point", "worker", "since"):
        table.add_column(name)
    for name in ("under way", "concluded", "silent"):
        table.add_column(name, justify="right")
    for one in workers:
        said = one.presence
        table.add_row(
            *(visible(said.vantage), visible(said.owner), f"{one.started:%Y-%m-%d %H:%M}Z"),
            *(f"{said.under_way}/{said.concurrency}", f"{said.finished:,}", _age(one.silent)),
        )
    return table


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} s"
