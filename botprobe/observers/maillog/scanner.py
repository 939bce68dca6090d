"""A chunk of a log to its counts: lines by hour, hours by family, families by pattern."""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from botprobe.observers.maillog.events import HourEvents
from botprobe.observers.maillog.exim import count_exim_line
from botprobe.observers.maillog.heads import Family, Head, head_of, lines_of, split_hours
from botprobe.observers.maillog.logins import count_login
from botprobe.observers.maillog.postfix import PostfixScanner
from botprobe.observers.maillog.rejects import RejectKind
from botprobe.observers.maillog.sendmail import count_sendmail_line, is_sendmail

if TYPE_CHECKING:
    from botprobe.observers.maillog.bulk import BulkScanner

# A block whose first lines are other programs' is asked for its Postfix family so far down.
_LINES_ASKED = 50
# How Postfix calls itself unless it is told otherwise.
_USUAL_INSTANCE = b"postfix"
# Less is read before NumPy is loaded.
MIN_BULK_BYTES = 1 << 16


class LogScanner:
    """Counts chunks of a Postfix log; holds compiled patterns only, so chunks stay independent."""

    def __init__(
        self,
        own_kinds: tuple[RejectKind, ...] = (),
        instance: bytes | None = None,
        bulk_from: int = MIN_BULK_BYTES,
    ) -> None:
        """Prepare a scanner.

        Args:
            own_kinds: the operator's own kinds of rejects.
            instance: count only the lines of this syslog name.
            bulk_from: from how many bytes on NumPy is used, if it is there; the result is the same.
        """
        self._own_kinds = own_kinds
        self._postfix = PostfixScanner(own_kinds)
        self._instance = instance
        self._bulk_from = bulk_from

    def scan(self, chunk: bytes) -> list[HourEvents]:
        """Count whole lines; one result for each hour in them."""
        if len(chunk) >= self._bulk_from and (counted := self._scan_bulk(chunk)):
            return counted
        return [self._scan_hour(*hour) for hour in split_hours(chunk)]

    def _scan_bulk(self, chunk: bytes) -> list[HourEvents]:
        """Count whole lines with NumPy; nothing if it is not here, or not for such lines."""
        first = next(_first_heads(chunk), None)
        if first is None or self._bulk is None:
            return []
        family = _first_family(chunk)
        if family is None or not self._wanted(family):
            instance = self._instance or _USUAL_INSTANCE
            family = Family(first.hour_width, first.stamp_width, first.host, instance)
        counted = self._bulk.scan(chunk, family)
        for events, rest in counted:
            self._count(rest, events)
        return [events for events, _ in counted]

    @cached_property
    def _bulk(self) -> "BulkScanner | None":
        # Its linear algebra, which nothing here needs, would start a thread for each core.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        try:
            from botprobe.observers.maillog.bulk import BulkScanner  # noqa: PLC0415  # optional
        except ImportError:
            return None
        return BulkScanner(self._postfix)

    def _scan_hour(self, hour: bytes, block: bytes, lines: int) -> HourEvents:
        events = HourEvents(hour, lines)
        self._count(block, events)
        return events

    def _count(self, block: bytes, events: HourEvents) -> None:
        family = _first_family(block)
        if not events.stamp:
            for line in lines_of(block):
                events.unread.add(line)
        elif events.stamp[10:11] == b" ":
            for line in lines_of(block):
                count_exim_line(line, events, self._own_kinds)
        elif family is None or not self._wanted(family):
            self._scan_rest(lines_of(block), events)
        else:
            self._scan_rest(self._postfix.scan(block, family, events), events)

    def _scan_rest(self, lines: Sequence[bytes], events: HourEvents) -> None:
        families: dict[Family, list[bytes]] = {}
        for line in lines:
            head = head_of(line)
            if head is None:
                events.unread.add(line)
            elif (family := head.family) is None:
                self._count_other(head.program, line[head.end :], events)
            elif self._wanted(family):
                families.setdefault(family, []).append(line)
        for family, members in families.items():
            self._postfix.scan(b"\n".join(members) + b"\n", family, events)

    def _count_other(self, program: bytes, rest: bytes, events: HourEvents) -> None:
        if is_sendmail(program):
            count_sendmail_line(rest, events, self._own_kinds)
        elif program.startswith(b"exim"):
            count_exim_line(rest, events, self._own_kinds)
        else:
            count_login(program, rest, events.logins)

    def _wanted(self, family: Family) -> bool:
        return self._instance is None or family.instance == self._instance


def _first_family(block: bytes) -> Family | None:
    return next((head.family for head in _first_heads(block) if head.family is not None), None)


def _first_heads(block: bytes) -> Iterator[Head]:
    """Yield the heads of the first lines."""
    position = 0
    for _ in range(_LINES_ASKED):
        end = block.find(b"\n", position)
        head = head_of(block[position : end if end >= 0 else len(block)])
        if head is not None:
            yield head
        if end < 0:
            return
        position = end + 1
