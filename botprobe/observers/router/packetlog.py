"""The log of single packets, as the original writes it: what a host sent, and where it fetched.

A second pass over the captures, for the few hosts that somebody wants to look at.
"""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_address
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from botprobe.model.mail import IpAddress
from botprobe.observers.capture import CaptureNotes, read_packets
from botprobe.observers.router.counting import FILTER, MAILBOX_PORTS, SMTP_PORTS

_TCP = 6
_SENDS, _FETCHES = frozenset(SMTP_PORTS), frozenset(MAILBOX_PORTS)


class Line(NamedTuple):
    """One small packet to a mail port."""

    verb: str
    source: IpAddress
    from_port: int
    target: IpAddress
    to_port: int
    total_length: int

    def __str__(self) -> str:
        return (
            f"[{self.verb}] {_with_port(self.source, self.from_port)} -> "
            f"{_with_port(self.target, self.to_port)}, total_len:{self.total_length}"
        )


def packet_log(
    files: Iterable[Path], hosts: Collection[IpAddress], notes: CaptureNotes
) -> Iterator[str]:
    """Yield a line per packet of the hosts; like ones in a row are one line with their number.

    Raises:
        InputError: pcapy-ng is not installed.
    """
    wanted = {host.packed for host in hosts}
    read = (read_line(packet.data) for packet in read_packets(files, FILTER, notes))
    lines = (one for one in read if one is not None and one.source.packed in wanted)
    for line, run in groupby(lines):
        count = sum(1 for _ in run)
        yield f"{line} ({count} times)" if count > 1 else str(line)


def read_line(data: bytes) -> Line | None:
    """Read a packet from its IP header on; None if it does not go to a mail port."""
    if data[0] >> 4 == 6:
        start, size, kind = 40, 40 + int.from_bytes(data[4:6], "big"), data[6:7]
        source, target = data[8:24], data[24:40]
    else:
        start, size, kind = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big"), data[9:10]
        source, target = data[12:16], data[16:20]
    ports = data[start : start + 4]
    if kind != bytes((_TCP,)) or start < 20 or len(ports) < 4:
        return None
    to_port = int.from_bytes(ports[2:], "big")
    if to_port not in _SENDS | _FETCHES:
        return None
    return Line(
        "SEND" if to_port in _SENDS else "FETCH",
        ip_address(source),
        int.from_bytes(ports[:2], "big"),
        ip_address(target),
        to_port,
        size,
    )


def _with_port(address: IpAddress, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
