"""IP, TCP and ICMP on the wire: take packets apart, and build them.

RFC 791 and 8200 (IP), 9293 (TCP), 792 and 4443 (ICMP), 1071 (checksum).
"""

import struct
from typing import NamedTuple

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIBBHHH")
_DONT_FRAGMENT = 0x4000


class Packet(NamedTuple):
    """An IP packet without its header."""

    source: bytes
    destination: bytes
    protocol: int
    ttl: int
    payload: bytes
    raw: bytes
    """The whole packet, which ICMP errors quote."""


class Segment(NamedTuple):
    """A TCP segment."""

    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: bytes


def parse_ip(raw: bytes) -> Packet | None:
    """Take an IP packet apart; None for anything cut short, fragmented, or with IPv6 extensions."""
    if len(raw) >= 20 and raw[0] >> 4 == 4:
        header = (raw[0] & 15) * 4
        total = int.from_bytes(raw[2:4], "big")
        if header < 20 or not header <= total <= len(raw) or (raw[6] & 0x3F) or raw[7]:
            return None
        return Packet(raw[12:16], raw[16:20], raw[9], raw[8], raw[header:total], raw[:total])
    if len(raw) >= 40 and raw[0] >> 4 == 6:
        total = 40 + int.from_bytes(raw[4:6], "big")
        if total > len(raw):
            return None
        return Packet(raw[8:24], raw[24:40], raw[6], raw[7], raw[40:total], raw[:total])
    return None


def parse_tcp(payload: bytes) -> Segment | None:
    """Take a TCP segment apart; None for one cut short."""
    if len(payload) < 20:
        return None
    source, destination, seq, ack, offset, flags, window, _, _ = _TCP.unpack_from(payload)
    end = (offset >> 4) * 4
    if not 20 <= end <= len(payload):
        return None
    return Segment(source, destination, seq, ack, flags, window, payload[20:end], payload[end:])


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071).

    The one's complement sum of 16-bit words is the number modulo 65535: one division of a big
    integer is several times faster than a loop.
    """
    if len(data) % 2:
        data += b"\0"
    return (0xFFFF - int.from_bytes(data, "big") % 0xFFFF) % 0xFFFF


def ip_packet(
    source: bytes,
    destination: bytes,
    protocol: int,
    payload: bytes,
    *,
    ttl: int = 64,
    ident: int = 0,
    dont_fragment: bool = True,
) -> bytes:
    """Put an IPv4 or IPv6 header (by the length of the addresses) before a payload."""
    if len(source) == 16:
        return _IPV6.pack(6 << 28, len(payload), protocol, ttl, source, destination) + payload
    flags = _DONT_FRAGMENT if dont_fragment else 0
    length = 20 + len(payload)
    fields = (0x45, 0, length, ident, flags, ttl, protocol, 0, source, destination)
    header = _IPV4.pack(*fields)
    return b"".join((header[:10], checksum(header).to_bytes(2, "big"), header[12:], payload))


def tcp_segment(
    source: bytes,
    destination: bytes,
    segment: Segment,
    *,
    reserved: int = 0,
    urgent: int = 0,
) -> bytes:
    """Build a TCP segment with its checksum; options are filled up to a multiple of four."""
    options = segment.options + bytes(-len(segment.options) % 4)
    offset = (5 + len(options) // 4) << 4 | reserved
    header = _TCP.pack(
        segment.source_port,
        segment.destination_port,
        segment.seq,
        segment.ack,
        offset,
        segment.flags,
        segment.window,
        0,
        urgent,
    )
    body = b"".join((header, options, segment.payload))
    total = transport_checksum(source, destination, TCP, body)
    return b"".join((body[:16], total.to_bytes(2, "big"), body[18:]))


def transport_checksum(source: bytes, destination: bytes, protocol: int, body: bytes) -> int:
    """Return the checksum of ``body`` and its pseudo header, which sums up alike in v4 and v6."""
    pseudo = source + destination + struct.pack("!HH", protocol, len(body) & 0xFFFF)
    return checksum(pseudo + body)


def icmp_message(kind: int, code: int, rest: bytes) -> bytes:
    """Build an ICMPv4 message; ``rest`` follows the checksum."""
    head = bytes((kind, code))
    return head + checksum(head + b"\0\0" + rest).to_bytes(2, "big") + rest


def icmpv6_message(source: bytes, destination: bytes, kind: int, code: int, rest: bytes) -> bytes:
    """Build an ICMPv6 message, whose checksum covers the addresses."""
    head = bytes((kind, code))
    total = transport_checksum(source, destination, ICMPV6, head + b"\0\0" + rest)
    return head + total.to_bytes(2, "big") + rest
