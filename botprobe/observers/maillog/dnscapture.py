"""Queries from a capture of port 53 (pcap, pcapng) taken at the mail server: over UDP and TCP."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype

from botprobe.errors import InputError
from botprobe.observers.capture import CaptureNotes, read_packets
from botprobe.observers.maillog.dnslog import DnsEvents
from botprobe.observers.packets.segments import (
    FIN,
    RST,
    SYN,
    Datagram,
    Segment,
    address,
    read_packet,
)
from botprobe.observers.packets.streams import Half

TO_SERVER = "udp dst port 53 or tcp dst port 53"
# So many connections are followed at a time; of a longer list the oldest is given up.
MAX_CONNECTIONS = 4_096
# A query has a name of 255 bytes at most; what is longer is no query that a mail server asks.
MAX_QUERY = 4_096

_MAGIC = (
    b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)  # fmt: skip

_Connection = tuple[bytes, int, bytes]


def is_capture(path: Path) -> bool:
    """Say whether a file begins like a capture."""
    try:
        with path.open("rb") as file:
            return file.read(4) in _MAGIC
    except OSError:
        return False


def scan_capture(path: Path, zone: tzinfo | None = None) -> Iterator[DnsEvents]:
    """Count the queries in a capture, one result for each hour in a row.

    Raises:
        InputError: the capture cannot be read, or not to its end, after what stands before the
            damage; or pcapy-ng is not installed.
    """
    notes, streams = CaptureNotes(), Streams()
    events = DnsEvents(b"")
    for packet in read_packets([path], TO_SERVER, notes):
        at = datetime.fromtimestamp(packet.at, tz=UTC).astimezone(zone)
        stamp = f"{at:%Y-%m-%dT%H}".encode()
        if events.stamp != stamp:
            yield events
            events = DnsEvents(stamp)
        events.lines += 1
        match read_packet(packet.at, packet.data):
            case Datagram() as datagram:
                _count(datagram.src, datagram.payload, events)
            case Segment() as segment:
                for message in streams.add(segment):
                    _count(segment.src, message, events)
            case None:
                events.unread.add(packet.data)
    yield events
    if notes.damaged:
        raise InputError(*notes.damaged)


class Streams:
    """Puts the messages of TCP connections together (RFC 1035, 4.2.2: a length, then a message)."""

    def __init__(self) -> None:
        """Begin with no connection."""
        self._open: OrderedDict[_Connection, tuple[Half, bytearray]] = OrderedDict()

    def add(self, segment: Segment) -> Iterator[bytes]:
        """Yield the messages that a segment completes."""
        key = segment.src, segment.sport, segment.dst
        if segment.flags & SYN:
            self._open.pop(key, None)
        half, waiting = self._open.setdefault(key, (Half(), bytearray()))
        if segment.flags & SYN:
            half.begin(segment.seq)
        for piece in half.feed(segment.at, segment.seq, segment.payload, segment.length):
            waiting += piece.data
        yield from _messages(waiting)
        over = segment.flags & (FIN | RST) or len(waiting) > MAX_QUERY
        if over:
            del self._open[key]
        elif len(self._open) > MAX_CONNECTIONS:
            self._open.popitem(last=False)


def _messages(waiting: bytearray) -> Iterator[bytes]:
    """Take whole messages off the beginning."""
    while len(waiting) > 2 and len(waiting) >= (end := 2 + (waiting[0] << 8 | waiting[1])):
        yield bytes(waiting[2:end])
        del waiting[:end]


def _count(client: bytes, wire: bytes, events: DnsEvents) -> None:
    try:
        message = dns.message.from_wire(wire, question_only=True)
        kind = dns.rdatatype.to_text(message.question[0].rdtype)
    except (IndexError, ValueError, dns.exception.DNSException):
        events.unread.add(wire)
        return
    if not message.flags & dns.flags.QR:
        events.queries[str(address(client)).encode(), kind] += 1
