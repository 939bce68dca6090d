"""Captures for tracing: files that can be read twice, and an interface that is recorded first."""

import select
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botprobe.errors import InputError
from botprobe.observers.capture import CaptureNotes, capture_files, read_packets

# Tracing takes what is said before a mail's body, and DNS answers.
LIVE_FILTER = "tcp or udp src port 53"
LIVE_SNAPLEN = 262_144
MAX_LIVE_BYTES = 2 << 30
_WAIT_MS = 200


@dataclass(slots=True)
class Capture:
    """Capture files, read as often as tracing needs."""

    files: list[Path]
    listed: CaptureNotes = field(default_factory=CaptureNotes)
    """What could not be listed."""
    notes: CaptureNotes = field(default_factory=CaptureNotes)
    """Of the last time of reading, and what could not be listed."""

    def read(self, bpf: str) -> Iterable[tuple[float, bytes]]:
        """Read the packets that a filter lets through."""
        self.notes = replace(self.listed, damaged=[*self.listed.damaged])
        return read_packets(self.files, bpf, self.notes)


def open_captures(paths: Iterable[Path]) -> Capture:
    """Find the files of captures and folders."""
    listed = CaptureNotes()
    return Capture(capture_files(paths, listed), listed)


@contextmanager
def recorded(interface: str, seconds: float | None) -> Iterator[Capture]:
    """Record an interface, until the time is over or Ctrl-C, and give what was recorded.

    Raises:
        InputError: the interface cannot be opened, or pcapy-ng is not installed.
    """
    with TemporaryDirectory(prefix="botprobe-") as folder:
        file = Path(folder) / "live.pcap"
        record(interface, file, seconds)
        yield Capture([file])


def record(
    interface: str, file: Path, seconds: float | None, clock: Callable[[], float] = time.monotonic
) -> int:
    """Write an interface's packets into a file, and return how many bytes there were.

    Raises:
        InputError: the interface cannot be opened, or pcapy-ng is not installed.
    """
    reader = _opened(interface)
    dumper, written, end = reader.dump_open(str(file)), 0, seconds and clock() + seconds

    def keep(header: Any, frame: bytes) -> None:
        nonlocal written
        dumper.dump(header, frame)
        written += len(frame)

    try:
        while written < MAX_LIVE_BYTES and (end is None or clock() < end):
            # libpcap itself may wait for a first packet without end.
            select.select([reader.getfd()], [], [], _WAIT_MS / 1000)
            reader.dispatch(1000, keep)
    except KeyboardInterrupt:
        pass  # that is how it ends
    finally:
        dumper.close()
    return written


def _opened(interface: str) -> Any:
    try:
        import pcapy  # noqa: PLC0415  # optional
    except ImportError as error:
        raise InputError("captures need the package pcapy-ng: install botprobe[capture]") from error
    try:
        reader = pcapy.open_live(interface, LIVE_SNAPLEN, 1, _WAIT_MS)
        reader.setfilter(LIVE_FILTER)
        reader.setnonblock(1)
    except pcapy.PcapError as error:
        raise InputError(f"cannot capture on {interface}: {error}") from error
    return reader
