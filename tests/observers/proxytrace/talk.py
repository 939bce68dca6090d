"""Conversations of a client, a proxy and a mail server, as packets: for tests of the tracing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from botprobe.observers.proxytrace.trace import Tracing, trace
from tests.observers.wire import ACK, PSH, SYN, Segment

SPAMMER, USER = "198.51.100.7", "198.51.100.8"
PROXY, VICTIM = "203.0.113.5", "192.0.2.25"
CONNECT = b"CONNECT 192.0.2.25:25 HTTP/1.1\r\nHost: x\r\n\r\n"
GRANTED = b"HTTP/1.1 200 OK\r\n\r\n"
BANNER = b"220 mx.victim.example ESMTP ready for whatever you have\r\n"

Packets = list[Segment]


def mail(recipient: str = "a@victim.example", queue_id: str = "1A2B") -> list[tuple[bool, bytes]]:
    """One SMTP session after the greeting: (does the client say it, what is said)."""
    return [
        (True, b"EHLO localhost.localdomain\r\n"),
        (False, b"250 Ok\r\n"),
        (True, b"MAIL FROM:<win@lottery.example>\r\n"),
        (False, b"250 Ok\r\n"),
        (True, f"RCPT TO:<{recipient}>\r\n".encode()),
        (False, b"250 Ok\r\n"),
        (True, b"DATA\r\n"),
        (False, b"354 Go on\r\n"),
        (True, b"Received: from forged.example ([192.0.2.1])\r\nSubject: hi\r\n\r\nbody\r\n.\r\n"),
        (False, f"250 queued as {queue_id}\r\n".encode()),
        (True, b"QUIT\r\n"),
    ]


@dataclass(slots=True)
class Talk:
    """One connection: what each end says becomes segments with running numbers."""

    client: tuple[str, int]
    server: tuple[str, int]
    at: float = 0.0
    isn: int = 4_294_967_000
    packets: Packets = field(default_factory=list)
    _next: dict[bool, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Shake hands."""
        self._next = {True: self.isn + 1, False: self.isn + 5001}
        self._add(True, b"", SYN, self.isn)
        self._add(False, b"", SYN | ACK, self.isn + 5000)

    def say(self, at: float, data: bytes, *, client: bool = True) -> None:
        """Send bytes in one segment."""
        self.at = at
        self._add(client, data, ACK | PSH, self._next[client])
        self._next[client] += len(data)

    def _add(self, client: bool, data: bytes, flags: int, sequence: int) -> None:
        source, target = (self.client, self.server) if client else (self.server, self.client)
        one = Segment(
            source=source[0],
            target=target[0],
            from_port=source[1],
            to_port=target[1],
            flags=flags,
            sequence=sequence,
            payload=data,
            at=self.at,
        )
        self.packets.append(one)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abuse:
    """A mail through a proxy."""

    at: float = 100.0
    origin: tuple[str, int] = (SPAMMER, 40_000)
    proxy: str = PROXY
    out: str | None = None
    """The address from which the proxy opens, if it has two."""
    port: int = 50_000
    proxy_port: int = 3128
    victim: str = VICTIM
    before: tuple[tuple[bool, bytes], ...] = ()
    """What is said before the order."""
    order: bytes = CONNECT
    granted: bytes = GRANTED
    recipient: str = "a@victim.example"
    queue_id: str = "1A2B"
    lag: float = 0.001

    def legs(self) -> tuple[Talk, Talk]:
        """Return the origin's connection and the one that it caused."""
        first = Talk(self.origin, (self.proxy, self.proxy_port), self.at)
        for client, data in self.before:
            first.say(self.at + 0.005, data, client=client)
        first.say(self.at + 0.01, self.order)
        second = Talk((self.out or self.proxy, self.port), (self.victim, 25), self.at + 0.02)
        first.say(self.at + 0.03, self.granted, client=False)
        self._carry(first, second)
        return first, second

    def _carry(self, first: Talk, second: Talk) -> None:
        at = self.at + 0.04
        for client, data in [(False, BANNER), *mail(self.recipient, self.queue_id)]:
            near, far = (first, second) if client else (second, first)
            near.say(at, data, client=client)
            far.say(at + self.lag, data, client=client)
            at += 0.01


def packets(*talks: Talk) -> Packets:
    """Return the packets of several connections by time."""
    return sorted((one for talk in talks for one in talk.packets), key=lambda one: one.at)


def both(*abuses: Abuse) -> Packets:
    """Return the packets of both legs of some mails."""
    return packets(*(leg for abuse in abuses for leg in abuse.legs()))


def traced(seen: Iterable[Segment], **choices: Sequence[object]) -> Tracing:
    """Trace packets, unfiltered: more than libpcap's filters let through must not disturb."""
    kept = [(one.at, one.packet()) for one in seen]
    return trace(lambda _: kept, **choices)  # type: ignore[arg-type]  # whatever the test chose


def split(segment: Segment, size: int) -> Packets:
    """Cut a segment into smaller ones."""
    return [
        replace(
            segment,
            sequence=segment.sequence + start,
            payload=segment.payload[start : start + size],
            at=segment.at + start * 1e-7,
        )
        for start in range(0, len(segment.payload), size)
    ] or [segment]
