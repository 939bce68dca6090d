"""What a terminal shows of a watch: how it stands, who is being asked, and what came out."""

import time
from collections import Counter, deque
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.cli.render import LABEL_STYLES
from botprobe.cli.scanboard import PROBES, probe_word
from botprobe.contract.wording import main_reason
from botprobe.model.mail import IpAddress
from botprobe.model.outcome import Outcome
from botprobe.model.target import Target
from botprobe.model.text import counted, visible
from botprobe.model.verdict import Case
from botprobe.model.work import Arrival, Claim
from botprobe.service.audience import Status

MAX_ROWS = 10
MAX_VERDICTS = 8
MAX_TROUBLES = 3
# Seconds over which rates are counted.
WINDOW = 60.0


class Rate:
    """Counts events of the last minute."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque(maxlen=int(WINDOW))

    def add(self) -> None:
        """Count one event."""
        now = int(time.monotonic())
        if self._seconds and self._seconds[-1][0] == now:
            self._seconds[-1] = (now, self._seconds[-1][1] + 1)
        else:
            self._seconds.append((now, 1))

    def __str__(self) -> str:
        start = time.monotonic() - WINDOW
        return str(sum(count for second, count in self._seconds if second >= start))


class WatchBoard:
    """An audience that draws a screen."""

    def __init__(self) -> None:
        self._status: Status | None = None
        self._mails, self._cases = Rate(), Rate()
        self._taken = 0
        self._running: dict[IpAddress, tuple[float, dict[str, Outcome[Any]]]] = {}
        self._labels: Counter[str] = Counter()
        self._verdicts: deque[Case] = deque(maxlen=MAX_VERDICTS)
        self._troubles: deque[str] = deque(maxlen=MAX_TROUBLES)

    def taken(self, _arrival: Arrival) -> None:
        """Count a mail."""
        self._taken += 1
        self._mails.add()

    def claimed(self, claim: Claim) -> None:
        """Show nothing yet: the scope may refuse."""

    def started(self, target: Target) -> None:
        """Add a line for the target."""
        self._running[target.address] = (time.monotonic(), {})

    def measured(self, target: Target, probe: str, outcome: Outcome[Any]) -> None:
        """Fill in the word of a probe."""
        if target.address in self._running:
            self._running[target.address][1][probe] = outcome

    def finished(self, case: Case) -> None:
        """Take the line away."""
        self._running.pop(case.target.address, None)

    def concluded(self, _claim: Claim, case: Case) -> None:
        """Show the verdict."""
        self._cases.add()
        self._labels[str(case.verdict.label)] += 1
        if case.refused is None:
            self._verdicts.appendleft(case)

    def status(self, status: Status) -> None:
        """Show how the watch stands."""
        self._status = status
        if status.under_way == 0:
            self._running.clear()  # those that were stopped tell nothing more

    def trouble(self, line: str) -> None:
        """Show what went wrong."""
        self._troubles.appendleft(line)

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [self._head(), self._asked(), self._concluded()]
        parts += [Text(visible(line), style="red") for line in self._troubles]
        return Group(*parts)

    def _head(self) -> RenderableType:
        status = self._status
        if status is None:
            return Text("starting", style="dim")
        waiting = "?" if status.waiting is None else str(status.waiting)
        line = Text.assemble(
            (counted(self._taken, "mail"), "bold"),
            f" ({self._mails}/min)  ",
            (f"{waiting} waiting", "bold"),
            f"  {status.under_way} under way  {self._cases} hosts/min  ",
            f"budget {status.budget_left}",
        )
        if status.stopping:
            line.append("  STOPPING, a second Ctrl-C stops at once", style="bold yellow")
        elif status.halted is not None:
            line.append(f"  HALTED: {visible(status.halted)}", style="bold red")
        counts = Text("  ").join(
            Text(f"{count} {label}", style=LABEL_STYLES[label])
            for label, count in self._labels.most_common()
        )
        return Group(line, counts)

    def _asked(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for address, (since, outcomes) in list(self._running.items())[:MAX_ROWS]:
            words = [probe_word(probe, outcomes.get(probe)) for probe in PROBES]
            age = Text(f"{time.monotonic() - since:4.0f} s", style="dim")
            table.add_row(Text(str(address), style="bold"), age, *words)
        return table

    def _concluded(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for case in self._verdicts:
            label = str(case.verdict.label)
            table.add_row(
                Text(f"{case.started:%H:%M:%S}", style="dim"),
                Text(str(case.target)),
                Text(label, style=LABEL_STYLES[label]),
                Text(
                    visible(main_reason(case.verdict)),
                    style="dim",
                    overflow="ellipsis",
                    no_wrap=True,
                ),
            )
        return table
