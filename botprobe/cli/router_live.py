"""``botprobe router`` on the router itself: the kernel counts, this looks and acts."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from rich.console import Group
from rich.live import Live

from botprobe.cli.keys import pressed
from botprobe.cli.render import stdout_console
from botprobe.cli.router_options import Pace
from botprobe.cli.router_screen import KEYS, keys_line, router_screen, sort_table
from botprobe.cli.router_view import Books, View
from botprobe.cli.scanboard import LiveBoard
from botprobe.cli.stderr import complain
from botprobe.confirming import open_confirmer
from botprobe.errors import BotprobeError, InputError, first_cause
from botprobe.model.mail import IpAddress
from botprobe.observers.router.credit import Action
from botprobe.observers.router.kernel import Kernel
from botprobe.observers.router.ledger import Ledger
from botprobe.observers.router.live import LiveRouter
from botprobe.observers.router.rules import RouterRules
from botprobe.observers.router.table import Deed, Judgement, Standing
from botprobe.settings import Settings

# Seconds between two times that suspects are written down; all others are in the end.
KEEP_EVERY = 3600.0


class RouterBoard:
    """Shows the table as it grows, and tells on standard error what is done."""

    def __init__(self, view: View, pace: Pace, live: Live | None) -> None:
        self._view, self._pace, self._live = view, pace, live
        self.sort, self._has_keys = view.sort, False
        self.judged: list[Judgement] = []
        self._trouble = ""
        self.deeds: dict[IpAddress, Deed] = {}

    def table(self, judged: list[Judgement]) -> None:
        """Draw the table, and write the metrics."""
        self.judged = sort_table(judged, self.sort)
        self._draw()
        self._write_metrics()

    def _write_metrics(self) -> None:
        """Write them; a full disk is told of once, and must not end the router."""
        trouble = ""
        try:
            self._view.write_metrics(self.judged)
        except InputError as error:
            trouble = str(error)
        if trouble and trouble != self._trouble:
            complain(trouble)
        self._trouble = trouble

    def press(self, key: str) -> None:
        """Sort by the column of a key; any other key does nothing."""
        if key in KEYS:
            self.sort = KEYS[key]
            self.judged = sort_table(self.judged, self.sort)
            self._draw()

    def _draw(self) -> None:
        if self._live is not None:
            table = router_screen(self.judged, self._view.rule)
            self._live.update(Group(table, keys_line(self.sort)) if self._has_keys else table)

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Draw on the terminal until the block is left."""
        if self._live is None:
            yield
            return
        with self._live, pressed(0, self.press) as self._has_keys:
            yield

    def acted(self, judged: Judgement, action: Action) -> None:
        """Tell of a block in one line."""
        entry, seconds = judged.entry, self._pace.block_seconds
        self.deeds.setdefault(entry.address, Deed(action, entry.sends))
        what = {Action.DROP: "dropped", Action.REDIRECT: "redirected"}[action]
        complain(f"{entry.address}: credit {entry.credit}, its mail is {what} for {seconds} s")

    def unconfirmed(self, address: IpAddress) -> None:
        """Tell of a suspect that is spared."""
        complain(f"{address}: could not be asked on port 25, so nothing is done (botprobe doctor)")


def run_live(rules: RouterRules, pace: Pace, view: View, books: Books) -> None:
    """Look until the time is over, Ctrl-C or SIGTERM; then show and keep the table.

    Raises:
        BotprobeError: nft is missing or refuses, or a setting is wrong.
    """
    console, settings = stdout_console(), books.settings
    live = Live(console=console, transient=True) if console.is_terminal else None
    board = RouterBoard(view, pace, live)
    ledger = Ledger(rule=view.rule)
    try:
        asyncio.run(_run(settings, rules, pace, board, books, ledger))
    except (KeyboardInterrupt, asyncio.CancelledError):
        complain("interrupted; the ruleset is taken away")
    except BaseExceptionGroup as group:
        raise first_cause(group) from group
    view.show(board.judged, taken=rules.enforce)
    books.enter(board.judged, board.deeds)


async def _run(
    settings: Settings,
    rules: RouterRules,
    pace: Pace,
    board: RouterBoard,
    books: Books,
    ledger: Ledger,
) -> None:
    kernel, task = Kernel(), asyncio.current_task()
    assert task is not None  # noqa: S101  # we run in one
    for end in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(end) is not signal.SIG_IGN:  # nohup
            asyncio.get_running_loop().add_signal_handler(end, task.cancel)
    async with _confirmer(settings, wanted=pace.confirm) as confirm:
        await kernel.load(rules)
        try:
            with board.drawn():
                router = LiveRouter(
                    kernel=kernel,
                    ledger=ledger,
                    confirm=confirm,
                    screen=board,
                    clock=time.time,
                    action=rules.enforce,
                    every=pace.every,
                    block_seconds=pace.block_seconds,
                    period=rules.cleanup,
                )
                async with asyncio.TaskGroup() as group:
                    keeping = group.create_task(keep_hourly(board, books))
                    await router.run(pace.seconds)
                    keeping.cancel()
        finally:
            await kernel.remove()


async def keep_hourly(board: RouterBoard, books: Books) -> None:
    """Write down the suspects while it runs; a store that fails is told of, and tried again."""
    while True:
        await asyncio.sleep(KEEP_EVERY)
        suspects = [one for one in board.judged if one.standing is Standing.SUSPECT]
        try:
            if suspects:
                await asyncio.to_thread(books.enter, suspects, board.deeds)
        except BotprobeError as error:
            complain(f"not kept: {error}")


@asynccontextmanager
async def _confirmer(
    settings: Settings, *, wanted: bool
) -> AsyncIterator[Callable[[IpAddress], Awaitable[bool | None]] | None]:
    if not wanted:
        yield None
        return
    async with open_confirmer(settings, LiveBoard(0)) as confirm:
        yield confirm
