"""Answers to nmap's OS tests, ready but for what the probe decides.

Whatever does not depend on the probe was worked out before, so that answering takes a few integer
operations and one or two checksums.
"""

import struct
from dataclasses import dataclass
from enum import Enum

from tests.lab import packets
from tests.lab.packets import Packet, Segment

# Neither zero nor near a number of the probe.
_OTHER_SEQ, _OTHER_ACK = 0x10203040, 0x50607080


class Number(Enum):
    """How a sequence or acknowledgment number comes about."""

    ZERO = "Z"
    SAME = "S"
    """As in the probe: its sequence number (in A), its acknowledgment number (in S)."""
    NEXT = "S+"
    OTHER = "O"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpAnswer:
    """The answer to one TCP probe, but for what the probe decides."""

    ident: int
    dont_fragment: bool
    ttl: int
    flags: int
    window: int
    seq: Number
    ack: Number
    options: bytes
    clocks: tuple[tuple[int, bool, bool], ...]
    """Timestamp options: where the value stands; whether it and its echo are other than zero."""
    reserved: int
    urgent: int
    payload: bytes

    def build(
        self, probe: Packet, segment: Segment, *, isn: int | None, clock: int, ttl: int
    ) -> bytes:
        """Return the packet that answers ``segment``.

        ``isn`` is the number where a connection would begin, ``clock`` the host's timestamp.
        """
        options = self.options
        if self.clocks:
            filled = bytearray(options)
            for at, value, echo in self.clocks:
                struct.pack_into(
                    "!II", filled, at, clock if value else 0, 0xFFFFFFFF if echo else 0
                )
            options = bytes(filled)
        source, destination = probe.destination, probe.source
        body = packets.tcp_segment(
            source,
            destination,
            Segment(
                segment.destination_port,
                segment.source_port,
                self._seq(segment, isn),
                self._ack(segment),
                self.flags,
                self.window,
                options,
                self.payload,
            ),
            reserved=self.reserved,
            urgent=self.urgent,
        )
        return packets.ip_packet(
            source,
            destination,
            packets.TCP,
            body,
            ttl=ttl,
            ident=self.ident,
            dont_fragment=self.dont_fragment,
        )

    def _seq(self, probe: Segment, isn: int | None) -> int:
        match self.seq:
            case Number.ZERO:
                return 0
            case Number.SAME:
                return probe.ack
            case Number.NEXT:
                return (probe.ack + 1) & 0xFFFFFFFF
            case Number.OTHER:
                return (probe.ack + _OTHER_SEQ) & 0xFFFFFFFF if isn is None else isn

    def _ack(self, probe: Segment) -> int:
        match self.ack:
            case Number.ZERO:
                return 0
            case Number.SAME:
                return probe.seq
            case Number.NEXT:
                return (probe.seq + 1) & 0xFFFFFFFF
            case Number.OTHER:
                return (probe.seq + _OTHER_ACK) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreachableAnswer:
    """The ICMP error about a UDP datagram to a closed port (test U1)."""

    dont_fragment: bool
    ttl: int
    length: int
    """Of the whole packet."""
    unused: int
    quoted_length: int | None
    """What the quoted IP header says; None: as sent. So with the next two."""
    quoted_ident: int | None
    quoted_udp_checksum: int | None
    quoted_ip_checksum: str
    """G good, Z zero, I invalid."""
    data_intact: bool
    extra_hops: int
    """Networks that the quoted TTL claims above the real ones: so routers come to a T of 256."""

    def build(self, probe: Packet, *, hops: int) -> bytes:
        """Return the packet that answers ``probe``, which crossed ``hops`` networks."""
        message = struct.pack("!I", self.unused) + self._quote(probe, hops)
        return packets.ip_packet(
            probe.destination,
            probe.source,
            packets.ICMP,
            packets.icmp_message(3, 3, message),
            ttl=max(1, self.ttl - (hops - 1)),
            dont_fragment=self.dont_fragment,
        )

    def _quote(self, probe: Packet, hops: int) -> bytes:
        room = max(28, self.length - 28)
        quote = bytearray(probe.raw[:room].ljust(room, b"\0"))
        quote[8] = max(1, quote[8] - (hops - 1) - self.extra_hops)
        if self.quoted_length is not None:
            struct.pack_into("!H", quote, 2, self.quoted_length)
        if self.quoted_ident is not None:
            struct.pack_into("!H", quote, 4, self.quoted_ident)
        if self.quoted_udp_checksum is not None:
            struct.pack_into("!H", quote, 26, self.quoted_udp_checksum)
        if not self.data_intact:
            quote[28:] = bytes(len(quote) - 28)
        quote[10:12] = b"\0\0"
        match self.quoted_ip_checksum:
            case "G":
                struct.pack_into("!H", quote, 10, packets.checksum(bytes(quote[:20])))
            case "I":
                struct.pack_into("!H", quote, 10, packets.checksum(bytes(quote[:20])) ^ 0x1111 or 1)
            case _:
                pass
        return bytes(quote)


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoAnswer:
    """The answer to one of the two echo requests of test IE."""

    ident: int
    dont_fragment: bool
    ttl: int
    code: int

    def build(self, probe: Packet, *, ttl: int) -> bytes:
        """Return the packet that answers ``probe``."""
        message = packets.icmp_message(0, self.code, probe.payload[4:])
        return packets.ip_packet(
            probe.destination,
            probe.source,
            packets.ICMP,
            message,
            ttl=ttl,
            ident=self.ident,
            dont_fragment=self.dont_fragment,
        )
