"""Two ways to count the same lines: by NumPy and by the pattern alone."""

import sys
from collections import Counter, defaultdict
from dataclasses import fields

from botprobe.observers.maillog.events import HourEvents
from botprobe.observers.maillog.rejects import RejectKind
from botprobe.observers.maillog.scanner import LogScanner

BY_BULK = 0
"""From how many bytes on NumPy is used: always."""
BY_PATTERN = sys.maxsize
"""Never."""


def counts(chunk: bytes, bulk_from: int, *own_kinds: RejectKind) -> dict[bytes, dict[str, object]]:
    """Count a chunk, and say of each hour all that its events tell, whatever their order."""
    hours: dict[bytes, list[HourEvents]] = defaultdict(list)
    for events in LogScanner(own_kinds, bulk_from=bulk_from).scan(chunk):
        hours[events.stamp].append(events)
    return {stamp: _counted(parts) for stamp, parts in hours.items()}


def _counted(parts: list[HourEvents]) -> dict[str, object]:
    """Add the events of an hour up, without their order: families are counted one by one."""
    mails = Counter(pair for one in parts for pair in zip(one.queue, one.active, strict=True))
    told: dict[str, object] = {"mails": mails}
    for name in {field.name for field in fields(HourEvents)} - {"stamp", "queue", "active"}:
        values = [getattr(events, name) for events in parts]
        if name == "unread":
            told[name] = sum(unread.count for unread in values)
        elif name == "rejects":
            told[name] = Counter((k, c) for kinds in values for k, cs in kinds.items() for c in cs)
        elif isinstance(values[0], int):
            told[name] = sum(values)
        else:
            told[name] = sum(map(Counter, values), Counter())
    return told
