"""Queries from a capture of port 53 (pcap, pcapng) taken at the mail server."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.rdatatype

from botprobe.errors import InputError
from botprobe.observers.maillog.dnslog import DnsEvents

DNS_PORT = 53
_MAGIC = (
    b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)  # fmt: skip


def is_capture(path: Path) -> bool:
    """Say whether a file begins like a capture."""
    try:
        with path.open("rb") as file:
            return file.read(4) in _MAGIC
    except OSError:
        return False


def scan_capture(path: Path, zone: tzinfo | None = None) -> Iterator[DnsEvents]:
    """Count the queries over UDP in a capture, one result for each hour in a row.

    Raises:
        InputError: the file cannot be read, or dpkt is not installed.
    """
    try:
        import dpkt  # noqa: PLC0415  # optional
    except ImportError as error:
        raise InputError(f"{path}: a capture needs the package dpkt (botprobe[maillog])") from error
    events: DnsEvents | None = None
    try:
        with path.open("rb") as file:
            reader = dpkt.pcap.UniversalReader(file)
            kind = reader.datalink()
            for seconds, frame in reader:
                at = datetime.fromtimestamp(float(seconds), tz=UTC).astimezone(zone)
                stamp = f"{at:%Y-%m-%dT%H}".encode()
                if events is None or events.stamp != stamp:
                    if events is not None:
                        yield events
                    events = DnsEvents(stamp)
                events.lines += 1
                _count_frame(kind, frame, events)
    except (OSError, ValueError, dpkt.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if events is not None:
        yield events


def _count_frame(link: int, frame: bytes, events: DnsEvents) -> None:
    import dpkt  # noqa: PLC0415  # optional

    try:
        packet = _packet(link, frame)
        datagram = packet.data
        if not isinstance(datagram, dpkt.udp.UDP) or datagram.dport != DNS_PORT:
            return
        message = dns.message.from_wire(datagram.data, question_only=True)
        kind = dns.rdatatype.to_text(message.question[0].rdtype)
        events.queries[str(ip_address(packet.src)).encode(), kind] += 1
    except (dpkt.Error, AttributeError, IndexError, ValueError, dns.exception.DNSException):
        events.unread.add(frame)


def _packet(link: int, frame: bytes) -> Any:
    """Return the IP packet in a frame.

    Args:
        link: the capture's link type (https://www.tcpdump.org/linktypes.html); ``tcpdump -i any``
            writes Linux cooked captures.
        frame: one frame of it.
    """
    import dpkt  # noqa: PLC0415  # optional

    match link:
        case dpkt.pcap.DLT_LINUX_SLL:
            return dpkt.sll.SLL(frame).data
        case dpkt.pcap.DLT_LINUX_SLL2:
            return dpkt.sll2.SLL2(frame).data
        case dpkt.pcap.DLT_NULL | dpkt.pcap.DLT_LOOP:
            return dpkt.loopback.Loopback(frame).data
        case 12 | 14 | 101 | 228 | 229:  # what systems call "raw IP"
            return dpkt.ip6.IP6(frame) if frame[0] >> 4 == 6 else dpkt.ip.IP(frame)
        case _:
            return dpkt.ethernet.Ethernet(frame).data
