"""Answers every packet for thousands of hosts: one process, one loop, one timer heap."""

import heapq
import itertools
import random
import select
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from tests.lab import packets
from tests.lab.hosts import LiveHost
from tests.lab.link import Link, Tap
from tests.lab.packets import Packet, Segment
from tests.lab.population import PortState
from tests.lab.services import SERVICES, Identity
from tests.lab.stream import Connection, Network

_BURST = 256  # packets between two looks at the timers
_MAX_CONNECTIONS = 50_000
_SMTP = 25

# Marks nmap's OS tests: none of today's systems sends this timestamp.
_NMAP_TIMESTAMP = b"\x08\x0a\xff\xff\xff\xff"
_NMAP_TESTS = {
    (packets.SYN, 1): "P1",
    (packets.SYN, 63): "P2",
    (packets.SYN, 16): "P5",
    (packets.SYN, 512): "P6",
    (0, 128): "T2",
    (packets.SYN | packets.FIN | packets.URG | packets.PSH, 256): "T3",
    (packets.ACK, 1024): "T4",
    (packets.SYN, 31337): "T5",
    (packets.ACK, 32768): "T6",
    (packets.FIN | packets.PSH | packets.URG, 65535): "T7",
}
_CLOSED_PORT_TESTS = frozenset({"T5", "T6", "T7"})

ConnectionKey = tuple[bytes, int, bytes, int]
"""The peer's address and port, ours."""

WireKey = tuple[bytes, int, int]
"""Destination, protocol, port (TCP, UDP) or type (ICMP)."""


def nmap_test(segment: Segment) -> str | None:
    """Return which of nmap's OS tests a segment is."""
    if segment.flags == packets.SYN | packets.ECE | packets.CWR and segment.window == 3:
        return "ECN"
    if _NMAP_TIMESTAMP not in segment.options:
        return None
    if segment.flags == packets.SYN and segment.window == 4:
        return "P3" if segment.options.startswith(_NMAP_TIMESTAMP) else "P4"
    return _NMAP_TESTS.get((segment.flags, segment.window))


class Responder:
    """The hosts behind one link."""

    def __init__(
        self,
        link: Link,
        hosts: Iterable[LiveHost],
        chance: random.Random,
        *,
        block_25: bool = False,
    ) -> None:
        """Serve ``hosts``; ``block_25`` drops what goes to port 25, as many providers do."""
        self._link = link
        self._hosts = {address: host for host in hosts for address in host.addresses}
        self._chance = chance
        self._block_25 = block_25
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = itertools.count()
        self._connections: dict[ConnectionKey, Connection] = {}
        self.wire: Counter[WireKey] = Counter()
        """Packets seen, by where they went."""

    def serve(self, stop: int, tap: Tap) -> None:
        """Answer until the descriptor ``stop`` is closed at its other end.

        What ``tap`` sees, other machines answer: it is only counted.
        """
        poll = select.poll()
        for source in (self._link.fileno(), tap.fileno(), stop):
            poll.register(source, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll(self._milliseconds_to_timer())}
            for raw in _burst(self._link):
                self.handle(raw)
            if tap.fileno() in ready:
                for raw in _burst(tap):
                    self._count(raw)
            self._run_timers()
            if stop in ready:
                return

    def handle(self, raw: bytes) -> None:
        """Count and answer one packet."""
        packet = self._count(raw)
        if packet is None:
            return
        host = self._hosts.get(packet.destination)
        if host is None or (host.loss and self._chance.random() < host.loss):
            return
        match packet.protocol:
            case packets.TCP:
                segment = packets.parse_tcp(packet.payload)
                if segment is not None:
                    self._tcp(host, packet, segment)
            case packets.UDP:
                self._udp(host, packet)
            case packets.ICMP | packets.ICMPV6:
                self._icmp(host, packet)

    def _count(self, raw: bytes) -> Packet | None:
        """Count a packet; None for one that nobody would answer."""
        packet = packets.parse_ip(raw)
        if packet is None or len(packet.payload) < 8:
            return None
        match packet.protocol:
            case packets.TCP | packets.UDP:
                number = int.from_bytes(packet.payload[2:4], "big")
            case packets.ICMP | packets.ICMPV6:
                number = packet.payload[0]
            case _:
                return None
        self.wire[packet.destination, packet.protocol, number] += 1
        return packet

    def _tcp(self, host: LiveHost, packet: Packet, segment: Segment) -> None:
        state = host.port(segment.destination_port)
        blocked = self._block_25 and segment.destination_port == _SMTP
        if blocked or state is PortState.FILTERED:
            return
        test = nmap_test(segment)
        if test is not None and host.persona is not None:
            if (test in _CLOSED_PORT_TESTS) == (state is PortState.CLOSED):
                answer = host.answer_test(test, packet, segment, time.monotonic())
                self._send(host, answer)
            return
        if state is PortState.OPEN:
            self._open_port(host, packet, segment)
        elif host.resets_closed_ports:
            self._reset(host, packet, segment)

    def _open_port(self, host: LiveHost, packet: Packet, segment: Segment) -> None:
        key = (packet.source, segment.source_port, packet.destination, segment.destination_port)
        connection = self._connections.get(key)
        if connection is not None:
            connection.receive(segment)
        elif segment.flags & (packets.SYN | packets.ACK | packets.RST) == packets.SYN:
            if len(self._connections) < _MAX_CONNECTIONS:
                self._connect(host, packet, segment, key)
        else:
            self._reset(host, packet, segment)

    def _connect(self, host: LiveHost, packet: Packet, syn: Segment, key: ConnectionKey) -> None:
        service = SERVICES[host.service(syn.destination_port)]
        network = Network(
            send=partial(self._send_segment, host, packet.destination, packet.source),
            later=self._later,
            forget=partial(self._forget, key),
            patience=0.3 + 2 * host.slowest,
        )
        self._connections[key] = Connection(
            network, service(Identity(host.greeting_name)), syn, self._chance.getrandbits(32)
        )

    def _forget(self, key: ConnectionKey) -> None:
        self._connections.pop(key, None)

    def _reset(self, host: LiveHost, packet: Packet, segment: Segment) -> None:
        """Answer what belongs to no connection (RFC 9293, section 3.10.7.1)."""
        if segment.flags & packets.RST:
            return
        here, there = segment.destination_port, segment.source_port
        if segment.flags & packets.ACK:
            answer = Segment(here, there, segment.ack, 0, packets.RST, 0, b"", b"")
        else:
            syn_or_fin = bool(segment.flags & packets.SYN) + bool(segment.flags & packets.FIN)
            ack = (segment.seq + len(segment.payload) + syn_or_fin) & 0xFFFFFFFF
            answer = Segment(here, there, 0, ack, packets.RST | packets.ACK, 0, b"", b"")
        self._send_segment(host, packet.destination, packet.source, answer)

    def _udp(self, host: LiveHost, packet: Packet) -> None:
        if host.default is PortState.FILTERED or len(packet.destination) != 4:
            return
        if host.persona is not None and host.persona.unreachable is not None:
            self._send(host, host.persona.unreachable.build(packet, hops=host.hops))

    def _icmp(self, host: LiveHost, packet: Packet) -> None:
        if not host.ping:
            return
        match packet.protocol, packet.payload[0]:
            case packets.ICMP, 8:
                self._echo(host, packet)
            case packets.ICMPV6, 128:
                source, destination = packet.destination, packet.source
                rest = packet.payload[4:]
                message = packets.icmpv6_message(source, destination, 129, 0, rest)
                self._send_message(host, packet, packets.ICMPV6, message)

    def _echo(self, host: LiveHost, packet: Packet) -> None:
        which, persona = _nmap_echo(packet), host.persona
        if which is None or persona is None:
            message = packets.icmp_message(0, packet.payload[1], packet.payload[4:])
            self._send_message(host, packet, packets.ICMP, message)
        elif persona.echo is not None:
            answer = persona.echo[which]
            self._send(host, answer.build(packet, ttl=host.after_hops(answer.ttl)))

    def _send_message(self, host: LiveHost, to: Packet, protocol: int, message: bytes) -> None:
        raw = packets.ip_packet(to.destination, to.source, protocol, message, ttl=host.ttl)
        self._send(host, raw)

    def _send_segment(
        self, host: LiveHost, source: bytes, destination: bytes, segment: Segment
    ) -> None:
        body = packets.tcp_segment(source, destination, segment)
        ttl = host.ttl_of(segment.source_port)
        self._send(host, packets.ip_packet(source, destination, packets.TCP, body, ttl=ttl))

    def _send(self, host: LiveHost, raw: bytes | None) -> None:
        """Send an answer over the host's part of the network."""
        if raw is None or (host.loss and self._chance.random() < host.loss):
            return
        if not host.delay:
            self._link.send(raw)
            return
        delay = host.delay + self._chance.uniform(-host.jitter, host.jitter)
        self._later(delay, partial(self._link.send, raw))

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._ticket), action))

    def _milliseconds_to_timer(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic()) * 1000

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()


def _burst(source: Link | Tap) -> Iterator[bytes]:
    """Yield what is there, but not without end: timers are waiting."""
    for _ in range(_BURST):
        raw = source.receive()
        if raw is None:
            return
        yield raw


def _nmap_echo(packet: Packet) -> int | None:
    """Return which of the two echo requests of nmap's test IE a packet is."""
    code, size, service = packet.payload[1], len(packet.payload) - 8, packet.raw[1]
    if code == 9 and size == 120:
        return 0
    if code == 0 and size == 150 and service == 4:
        return 1
    return None
