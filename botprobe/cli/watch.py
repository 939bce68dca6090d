"""``botprobe watch``: follow mailboxes, and investigate the hosts of each mail at once."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.options import (
    AsJsonLines,
    Canaries,
    ConfigFile,
    HeloName,
    HopsChoice,
    LogDirectory,
    StorePath,
    checked,
    each,
    settings_from,
)
from botprobe.cli.watchboard import WatchBoard
from botprobe.cli.watchlines import LineWriter, WatchLines
from botprobe.intake.mailfile import after_action
from botprobe.service.again import parse_again
from botprobe.service.audience import Audience
from botprobe.service.metrics import read_place
from botprobe.settings import Settings
from botprobe.wiring import Role, open_watch

Mailboxes = Annotated[
    list[str] | None,
    typer.Argument(metavar="MAILDIR", help="Maildirs, or directories with mails."),
]
AfterAction = Annotated[
    str | None,
    typer.Option(
        help="Do with a mail that was kept: none, flag or move:FOLDER.",
        metavar="DO",
        callback=checked(after_action),
    ),
]
AgainTimes = Annotated[
    str | None,
    typer.Option(
        help="Look again after, say, 1h,24h,60d.",
        metavar="TIMES",
        callback=checked(each(parse_again)),
    ),
]
MetricsPlace = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        help="Serve counters for Prometheus here.",
        metavar="IP:PORT",
        callback=checked(read_place),
    ),
]


def watch(
    mailboxes: Mailboxes = None,
    config: ConfigFile = None,
    after: AfterAction = None,
    again: AgainTimes = None,
    hops: HopsChoice = None,
    jsonl: AsJsonLines = False,
    stop_file: Annotated[
        str | None, typer.Option(help="Probe nobody while this file exists.", metavar="FILE")
    ] = None,
    metrics: MetricsPlace = None,
    store: StorePath = None,
    log_dir: LogDirectory = None,
    helo_name: HeloName = None,
    canary: Canaries = None,
) -> None:
    """Follow mailboxes, and ask the hosts of each mail as it comes."""

    def load() -> Settings:
        return settings_from(
            config,
            store=store,
            log_dir=log_dir,
            helo_name=helo_name,
            canary=canary,
            hops=hops,
            watch={
                "mailboxes": mailboxes or None,
                "after": after,
                "again": None if again is None else [again],
                "stop_file": stop_file,
                "metrics": metrics,
            },
        )

    follow(load, jsonl=jsonl)


def follow(load: Callable[[], Settings], *, jsonl: bool, role: Role = Role.BOTH) -> None:
    """Do a watch's work, or a part of it, until told to stop.

    Raises:
        Exit: a second signal cut it short.
    """

    async def run(screen: Audience) -> bool:
        async with open_watch(load, screen, role) as opened:
            return await opened.run()

    with open_screen(jsonl=jsonl) as screen:
        in_peace = asyncio.run(run(screen))
    if not in_peace:
        raise typer.Exit(ExitCode.INTERRUPTED)


@contextmanager
def open_screen(*, jsonl: bool) -> Iterator[Audience]:
    """Draw on a terminal, write lines anywhere else."""
    if sys.stdout.isatty() and not jsonl:
        board = WatchBoard()
        with Live(
            board, console=Console(markup=False, emoji=False), refresh_per_second=4, transient=False
        ):
            yield board
        return
    out = LineWriter(sys.stdout)
    try:
        yield WatchLines(as_json=jsonl, out=out)
    finally:
        out.close()
