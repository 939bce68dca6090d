"""What a terminal shows while hosts are investigated: one line per host, one word per probe."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from botprobe.cli.render import LABEL_STYLES
from botprobe.model.mail import IpAddress
from botprobe.model.outcome import Measured, Outcome
from botprobe.model.target import Target
from botprobe.model.text import counted
from botprobe.model.verdict import Case

# A screenful: more lines than this only scroll away.
MAX_ROWS = 12
PROBES = ("ping", "os", "smtp", "dns")


class LiveBoard:
    """A Watcher that draws a small table of the probes under way."""

    def __init__(self, total: int) -> None:
        self._total = total
        self.done = 0
        self._running: dict[IpAddress, tuple[float, dict[str, Outcome[Any]]]] = {}
        self._labels: dict[str, int] = {}

    def started(self, target: Target) -> None:
        """Add a line for the target."""
        self._running[target.address] = (time.monotonic(), {})

    def measured(self, target: Target, probe: str, outcome: Outcome[Any]) -> None:
        """Fill in the word of a probe; whoever tells must never fail by it."""
        if target.address in self._running:
            self._running[target.address][1][probe] = outcome

    def finished(self, case: Case) -> None:
        """Take the line away and count the label."""
        self._running.pop(case.target.address, None)
        self.done += 1
        label = str(case.verdict.label)
        self._labels[label] = self._labels.get(label, 0) + 1

    def __rich__(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for address, (since, outcomes) in list(self._running.items())[:MAX_ROWS]:
            words = [probe_word(probe, outcomes.get(probe)) for probe in PROBES]
            age = Text(f"{time.monotonic() - since:4.0f} s", style="dim")
            table.add_row(Text(str(address), style="bold"), age, *words)
        if len(self._running) > MAX_ROWS:
            table.add_row(Text(f"and {len(self._running) - MAX_ROWS} more", style="dim"))
        return Group(table, self._footer())

    def _footer(self) -> RenderableType:
        footer = Table.grid(padding=(0, 2))
        counts = Text("  ").join(
            Text(f"{count} {label}", style=LABEL_STYLES[label])
            for label, count in sorted(self._labels.items())
        )
        footer.add_row(
            ProgressBar(total=self._total, completed=self.done, width=24),
            Text(f"{self.done} of {counted(self._total, 'host')}"),
            counts,
        )
        return footer


def shown(board: LiveBoard) -> AbstractContextManager[object]:
    """Draw the board on standard error while it is a terminal, else nothing."""
    if not sys.stderr.isatty():
        return nullcontext()
    console = Console(stderr=True, markup=False, emoji=False)
    return Live(board, console=console, refresh_per_second=8, transient=True)


def probe_word(probe: str, outcome: Outcome[Any] | None) -> Text:
    """Show a probe and how it ended, if it did."""
    match outcome:
        case None:
            return Text(f"{probe} …", style="yellow")
        case Measured():
            return Text(f"{probe} ✓", style="green")
        case _:
            return Text(f"{probe} -", style="dim")
