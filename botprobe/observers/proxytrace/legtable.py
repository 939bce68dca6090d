"""Which connections of a capture are legs of a suspected proxy, and their traffic put in place."""

from collections.abc import Collection

from botprobe.observers.packets.fragments import Fragments
from botprobe.observers.packets.segments import ACK, SYN, Datagram, Segment, read_packet
from botprobe.observers.proxytrace.legs import ClientLeg, MailLeg, Place
from botprobe.observers.proxytrace.names import Names
from botprobe.observers.proxytrace.orders import MAIL_PORTS

MAX_LEGS = 100_000

_Key = tuple[bytes, int, bytes, int]


class LegTable:
    """Takes the packets of a capture, and tells the legs."""

    def __init__(self, proxies: Collection[bytes], ports: Collection[tuple[bytes, int]]) -> None:
        """Begin.

        Args:
            proxies: packed addresses of the suspected proxies.
            ports: where they were seen to accept connections.
        """
        self._proxies = frozenset(proxies)
        self._ports = frozenset(ports)
        self._open: dict[_Key, MailLeg | ClientLeg] = {}
        self._fragments = Fragments()
        self.names = Names()
        self.mail: list[MailLeg] = []
        self.clients: list[ClientLeg] = []
        self.unread = 0
        self.dropped = 0

    def take(self, at: float, data: bytes) -> None:
        """Take a packet from its IP header on."""
        whole = self._fragments.whole(data)
        packet = None if whole is None else read_packet(at, whole)
        if isinstance(packet, Segment):
            self._take_segment(packet)
        elif isinstance(packet, Datagram):
            self.names.learn(packet)
        elif whole is not None:
            self.unread += 1

    def finish(self) -> None:
        """Read what is still waiting for lost packets."""
        for leg in (*self.mail, *self.clients):
            leg.end()
        self._open.clear()

    def _take_segment(self, segment: Segment) -> None:
        key = (segment.src, segment.sport, segment.dst, segment.dport)
        leg = self._open.get(key)
        fresh = segment.flags & (SYN | ACK) == SYN
        if leg is None or (fresh and segment.at - leg.opened > 1 and leg.up.next > 0):
            leg = self._new(segment)
            if leg is None:
                return
            self._open[key] = self._open[key[2], key[3], key[0], key[1]] = leg
        leg.take(segment)

    def _new(self, segment: Segment) -> MailLeg | ClientLeg | None:
        """A port number may serve again; a connection without SYN began before the capture."""
        if not segment.flags & SYN and not segment.length:
            return None
        here, there = Place(segment.src, segment.sport), Place(segment.dst, segment.dport)
        client, server = (there, here) if self._from_server(segment) else (here, there)
        if len(self.mail) + len(self.clients) >= MAX_LEGS:
            self.dropped += 1
            return None
        if server.port in MAIL_PORTS and client.address in self._proxies:
            mail = MailLeg(client, server, segment.at)
            self.mail.append(mail)
            return mail
        if server.address in self._proxies and server.port not in MAIL_PORTS:
            leg = ClientLeg(client, server, segment.at)
            self.clients.append(leg)
            return leg
        return None

    def _from_server(self, segment: Segment) -> bool:
        if segment.flags & SYN:
            return bool(segment.flags & ACK)
        if (segment.src, segment.sport) in self._ports:
            return True
        if (segment.dst, segment.dport) in self._ports:
            return False
        if (segment.sport in MAIL_PORTS) != (segment.dport in MAIL_PORTS):
            return segment.sport in MAIL_PORTS
        return segment.sport < segment.dport
