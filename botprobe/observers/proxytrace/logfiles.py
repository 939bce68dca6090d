"""A proxy's log files: each is read as far as it goes."""

from collections.abc import Iterable
from pathlib import Path

from botprobe.observers.maillog.files import chunks, reading, split_long_lines
from botprobe.observers.proxytrace.proxylogs import LogTracing, read_proxy_log
from botprobe.observers.reading import ReadNotes


def read_proxy_logs(paths: Iterable[Path], year: int) -> tuple[LogTracing, ReadNotes]:
    """Count the orders for mail in logs, and note what could not be read.

    Args:
        paths: logs, packed or not.
        year: of stamps that have none (tinyproxy).
    """
    tracing, notes = LogTracing(), ReadNotes()
    for path in paths:
        notes.files += 1
        with reading(path, notes, lambda: (tracing.lines, tracing.unread)):
            for chunk in chunks(path):
                lines, too_long = split_long_lines(chunk)
                read_proxy_log(lines.split(b"\n"), year, tracing)
                for head in too_long:
                    tracing.skip(head)
    return tracing, notes
