"""What a watch tells in a pipe or a journal: one line for each event, as text or as JSON.

Whoever reads the lines may be slow or gone; the watch neither waits nor ends for that.
"""

import json
import queue
import sys
import threading
from datetime import UTC, datetime
from typing import Any, TextIO

from botprobe.contract.case import case_document, rfc3339
from botprobe.contract.wording import main_reason, span
from botprobe.model.outcome import Outcome
from botprobe.model.target import Target
from botprobe.model.text import visible
from botprobe.model.verdict import Case
from botprobe.model.work import Arrival, Claim
from botprobe.service.audience import Status

SCHEMA = "botprobe/event/1"

# Lines in memory; whoever reads slower than that misses some.
MAX_LINES = 10_000

# Seconds from which a delay is told in minutes, hours, years.
LONG = 120.0


class LineWriter:
    """Writes lines in a thread of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(MAX_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="lines", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Write a line as soon as the reader takes it; drop it if far too many wait."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def dropped(self) -> int:
        """Return how many lines were dropped since then, once there is room again."""
        if self._lines.full():
            return 0
        dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self, seconds: float = 2) -> None:
        """Write what waits, no longer than so many seconds."""
        try:
            self._lines.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                print(line, file=self._stream, flush=self._lines.empty())
            except (OSError, ValueError):
                return  # nobody reads any more


class WatchLines:
    """An audience that writes one line for each event."""

    def __init__(self, *, as_json: bool, out: LineWriter) -> None:
        self._as_json = as_json
        self._out = out
        self._stands: tuple[str | None, bool] = (None, False)

    def taken(self, arrival: Arrival) -> None:
        """Write a mail."""
        due = [str(plan.address) for plan in arrival.plans if plan.refused is None]
        refused = {str(plan.address): plan.refused for plan in arrival.plans if plan.refused}
        mail = arrival.mail
        source = str(mail.source_ip) if mail.source_ip else None
        text = f"{mail.file} from {source or 'an unknown host'}: {', '.join(due) or 'nobody'} due"
        self._event(
            "mail",
            text,
            file=mail.file,
            message_id=mail.message_id,
            source_ip=source,
            arrived=rfc3339(arrival.arrived),
            due=due,
            refused=refused,
        )

    def claimed(self, claim: Claim) -> None:
        """Write nothing: a case follows."""

    def started(self, target: Target) -> None:
        """Write nothing: a case follows."""

    def measured(self, target: Target, probe: str, outcome: Outcome[Any]) -> None:
        """Write nothing: a case follows."""

    def finished(self, case: Case) -> None:
        """Write nothing: only a case that was kept is told."""

    def concluded(self, claim: Claim, case: Case) -> None:
        """Write a verdict or a refusal."""
        verdict = case.verdict
        if case.refused is not None:
            text = f"{case.target} not probed: {case.refused}"
        else:
            text = f"{case.target} {verdict.label} ({verdict.probability:.2f}, {case.seconds:.1f} s"
            text += f", {_lag(case.lag_seconds)} after delivery)" if case.lag_seconds else ")"
            text += f": {reason}" if (reason := main_reason(verdict)) else ""
        self._event("case", text, rank=claim.rank.name.lower(), case=case_document(case))

    def status(self, status: Status) -> None:
        """Write when probing halts, goes on or ends, and how many lines nobody took in time."""
        if dropped := self._out.dropped():
            self.trouble(f"lines that were dropped, as their reader is too slow: {dropped}")
        now = (status.halted, status.stopping)
        if now != self._stands:
            self._stands = now
            stands = f"halted: {status.halted}" if status.halted else "probing"
            self._event(
                "status",
                "stopping" if status.stopping else stands,
                stopping=status.stopping,
                halted=status.halted,
                waiting=status.waiting,
                under_way=status.under_way,
            )

    def trouble(self, line: str) -> None:
        """Write what went wrong, also to standard error."""
        print(f"botprobe: {visible(line)}", file=sys.stderr)
        if self._as_json:
            self._event("trouble", line, says=line)

    def _event(self, event: str, text: str, **fields: Any) -> None:
        at = rfc3339(datetime.now(UTC))
        if self._as_json:
            document = {"schema": SCHEMA, "at": at, "event": event, **fields}
            self._out.put(json.dumps(document, ensure_ascii=True))
        else:
            self._out.put(f"{at[:19]}Z {event:<6} {visible(text)}")


def _lag(seconds: float) -> str:
    """Write a delay: exactly while it counts, as people say it once it is long."""
    return span(seconds) if seconds >= LONG else f"{seconds:.1f} s"
