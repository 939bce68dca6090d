"""One TCP segment or DNS answer out of a packet: only what tracing needs, read by hand for speed.

RFC 791, 8200, 9293. Addresses stay packed bytes until a person reads them.
"""

from ipaddress import ip_address
from typing import NamedTuple

from botprobe.model.mail import IpAddress

FIN, SYN, RST, ACK = 1, 2, 4, 16

_TCP, _UDP = 6, 17
# Hop-by-hop, routing and destination options: the next header's number and a length stand in front.
_EXTENSIONS = frozenset((0, 43, 60))
MAX_EXTENSIONS = 8


class Segment(NamedTuple):
    """A TCP segment as far as it was captured."""

    at: float
    src: bytes
    sport: int
    dst: bytes
    dport: int
    seq: int
    flags: int
    payload: bytes
    length: int
    """Of the payload on the wire; more than ``payload`` where the capture cut it."""


class Datagram(NamedTuple):
    """A UDP datagram: only names are learnt from it."""

    src: bytes
    sport: int
    payload: bytes


def address(packed: bytes) -> IpAddress:
    """Return packed bytes as an address."""
    return ip_address(packed)


def read_packet(at: float, data: bytes) -> Segment | Datagram | None:
    """Read a packet from its IP header on; None where it is cut, damaged or something else."""
    try:
        return _read_4(at, data) if data[0] >> 4 == 4 else _read_6(at, data)
    except IndexError:
        return None


def _read_4(at: float, data: bytes) -> Segment | Datagram | None:
    if (data[6] & 0x3F) or data[7]:  # a part of a datagram: put together elsewhere
        return None
    start = (data[0] & 15) * 4
    # Segmentation offload captures with a length of 0.
    end = (data[2] << 8 | data[3]) or len(data)
    return _transport(at, data, data[9], (start, end), (data[12:16], data[16:20]))


def _read_6(at: float, data: bytes) -> Segment | Datagram | None:
    kind, start = data[6], 40
    end = 40 + (data[4] << 8 | data[5]) if data[4] or data[5] else len(data)
    for _ in range(MAX_EXTENSIONS):
        if kind not in _EXTENSIONS:
            break
        kind, start = data[start], start + 8 + data[start + 1] * 8
    return _transport(at, data, kind, (start, end), (data[8:24], data[24:40]))


def _transport(
    at: float, data: bytes, kind: int, part: tuple[int, int], ends: tuple[bytes, bytes]
) -> Segment | Datagram | None:
    (start, end), (src, dst) = part, ends
    sport = data[start] << 8 | data[start + 1]
    dport = data[start + 2] << 8 | data[start + 3]
    if kind == _UDP:
        return Datagram(src, sport, data[start + 8 : end])
    if kind != _TCP:
        return None
    body = start + (data[start + 12] >> 4) * 4
    seq = int.from_bytes(data[start + 4 : start + 8], "big")
    return Segment(
        at, src, sport, dst, dport, seq, data[start + 13], data[body:end], max(end - body, 0)
    )
