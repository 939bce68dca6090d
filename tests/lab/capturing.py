"""A capture by tcpdump that holds all packets, however busy the machine is."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.namespace import LabError

LAST_PACKET = b"that was all of it"
READY_SECONDS = 20


@contextmanager
def captured(file: Path, last: str) -> Iterator[None]:
    """Capture all that happens on loopback meanwhile; tcpdump may be late, and is waited for.

    Args:
        file: where to.
        last: an address of loopback, to which the last packet goes.

    Raises:
        LabError: packets are missing.
    """
    options = ("-i", "lo", "-U", "-B", "65536", "-w", str(file), "-Z", "root")
    capture = subprocess.Popen(("tcpdump", *options), stderr=subprocess.PIPE)
    assert capture.stderr is not None
    while b"listening on" not in (capture.stderr.readline() or b"listening on"):
        pass
    try:
        yield
        _wait_until_written(file, last)
    finally:
        capture.terminate()
        notes = capture.communicate(timeout=10)[1].decode()
    if "\n0 packets dropped by kernel" not in f"\n{notes}":
        raise LabError(f"the capture is not complete: {notes}")


def _wait_until_written(file: Path, last: str) -> None:
    """Send a packet like no other, the last one, and wait until the file holds it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(LAST_PACKET, (last, 9))
    deadline = time.monotonic() + READY_SECONDS
    while LAST_PACKET not in file.read_bytes()[-4096:]:
        if time.monotonic() > deadline:
            raise LabError("tcpdump does not keep up")
        time.sleep(0.05)
