"""``botprobe router`` on the router itself: the kernel counts, this looks and acts."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.live import Live

from botprobe.cli.investigation import complain
from botprobe.cli.live import LiveBoard
from botprobe.cli.render import stdout_console
from botprobe.cli.router_document import router_metrics
from botprobe.cli.router_screen import SortBy, router_screen, sort_table
from botprobe.confirming import open_confirmer
from botprobe.model.mail import IpAddress
from botprobe.observers.router.credit import Action, CreditRule
from botprobe.observers.router.kernel import Kernel
from botprobe.observers.router.ledger import Ledger
from botprobe.observers.router.live import LiveRouter
from botprobe.observers.router.rules import RouterRules
from botprobe.observers.router.table import Judgement
from botprobe.report.files import write_whole
from botprobe.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChoices:
    """What the operator asked for."""

    rules: RouterRules
    rule: CreditRule
    confirm: bool
    every: float
    block_seconds: int
    seconds: float | None
    sort: SortBy
    textfile: Path | None


class RouterBoard:
    """Shows the table as it grows, and tells on standard error what is done."""

    def __init__(self, choices: LiveChoices, live: Live | None) -> None:
        self.choices, self._live = choices, live
        self.judged: list[Judgement] = []

    def table(self, judged: list[Judgement]) -> None:
        """Draw the table, and write the metrics."""
        self.judged = sort_table(judged, self.choices.sort)
        if self._live is not None:
            self._live.update(router_screen(self.judged, self.choices.rule))
        if self.choices.textfile is not None:
            write_whole(self.choices.textfile, router_metrics(self.judged))

    def acted(self, judged: Judgement, action: Action) -> None:
        """Tell of a block in one line."""
        entry, seconds = judged.entry, self.choices.block_seconds
        what = {Action.DROP: "dropped", Action.REDIRECT: "redirected"}[action]
        complain(f"{entry.address}: credit {entry.credit}, its mail is {what} for {seconds} s")

    def unconfirmed(self, address: IpAddress) -> None:
        """Tell of a suspect that is spared."""
        complain(f"{address}: could not be asked on port 25, so nothing is done (botprobe doctor)")


def run_live(settings: Settings, choices: LiveChoices) -> list[Judgement]:
    """Load the ruleset, look until the time is over, Ctrl-C or SIGTERM, take the ruleset away.

    Raises:
        BotprobeError: nft is missing or refuses, or a setting is wrong.
    """
    console = stdout_console()
    live = Live(console=console, transient=True) if console.is_terminal else None
    board = RouterBoard(choices, live)
    try:
        asyncio.run(_run(settings, choices, board, live))
    except (KeyboardInterrupt, asyncio.CancelledError):
        complain("interrupted; the ruleset is taken away")
    return board.judged


async def _run(
    settings: Settings, choices: LiveChoices, board: RouterBoard, live: Live | None
) -> None:
    kernel, task = Kernel(), asyncio.current_task()
    assert task is not None  # noqa: S101  # we run in one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with _confirmer(settings, wanted=choices.confirm) as confirm:
        await kernel.load(choices.rules)
        try:
            if live is not None:
                live.start()
            router = LiveRouter(
                kernel=kernel,
                ledger=Ledger(rule=choices.rule, unnoticed=choices.rules.unnoticed),
                confirm=confirm,
                screen=board,
                clock=time.time,
                action=choices.rules.enforce,
                every=choices.every,
                block_seconds=choices.block_seconds,
                period=choices.rules.cleanup,
            )
            await router.run(choices.seconds)
        finally:
            if live is not None:
                live.stop()
            await kernel.remove()


@asynccontextmanager
async def _confirmer(
    settings: Settings, *, wanted: bool
) -> AsyncIterator[Callable[[IpAddress], Awaitable[bool | None]] | None]:
    if not wanted:
        yield None
        return
    async with open_confirmer(settings, LiveBoard(0)) as confirm:
        yield confirm
