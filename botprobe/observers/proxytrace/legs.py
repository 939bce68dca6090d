"""The two kinds of connections of a proxy: those opened to it, and those it opens for mail.

A leg keeps as much of a connection as comparing takes, and no more: thousands are open at a time.
"""

from typing import NamedTuple

from botprobe.observers.packets.segments import FIN, RST, SYN, Segment
from botprobe.observers.packets.streams import Content, Half, Piece
from botprobe.observers.proxytrace.orders import MAIL_PORTS, MAX_HEAD, Order, find_order
from botprobe.observers.proxytrace.smtp import SmtpReader

# Bytes that two legs are compared by; a spammer's envelope takes a tenth of it.
KEEP_CLIENT = 8192
KEEP_SERVER = 4096
# Of connections in which no order was found (yet).
KEEP_UNORDERED = 2048


class Place(NamedTuple):
    """An end of a connection."""

    address: bytes
    port: int


class Leg:
    """What both kinds of connections have."""

    def __init__(self, client: Place, server: Place, at: float, keep: tuple[int, int]) -> None:
        """Begin with the first segment that was captured."""
        self.client, self.server = client, server
        self.opened = self.seen = at
        self.complete = False
        """Whether its beginning was captured."""
        self.up, self.down = Half(), Half()
        """From the client to the server, and back."""
        self.sent, self.answered = Content(keep[0]), Content(keep[1])

    def take(self, segment: Segment) -> None:
        """Take the next segment, of either direction."""
        self.seen = max(self.seen, segment.at)
        upwards = segment.sport == self.client.port and segment.src == self.client.address
        half = self.up if upwards else self.down
        if segment.flags & SYN:
            half.begin(segment.seq)
            if upwards:
                self.complete, self.opened = True, segment.at
            return
        pieces = half.feed(segment.at, segment.seq, segment.payload, segment.length)
        for piece in pieces:
            self._read(piece, segment.at, upwards=upwards)
        if segment.flags & (FIN | RST) and not segment.length:
            self.end()

    def end(self) -> None:
        """Nothing more will come: what came too early is read over its gaps."""
        for half, upwards in ((self.up, True), (self.down, False)):
            for piece in half.flush():
                self._read(piece, self.seen, upwards=upwards)

    def _read(self, piece: Piece, at: float, *, upwards: bool) -> None:  # noqa: ARG002  # for orders
        (self.sent if upwards else self.answered).add(piece)


class MailLeg(Leg):
    """A connection that the proxy opened to a mail server."""

    def __init__(self, client: Place, server: Place, at: float) -> None:
        """Begin with the first segment that was captured."""
        super().__init__(client, server, at, (KEEP_CLIENT, KEEP_SERVER))
        self.smtp = SmtpReader()
        self._read_to = 0

    def _read(self, piece: Piece, at: float, *, upwards: bool) -> None:
        super()._read(piece, at, upwards=upwards)
        if not upwards:
            self.smtp.server(piece.data)
            return
        if piece.start > self._read_to:
            self.smtp.gap()
        self._read_to = piece.start + len(piece.data)
        self.smtp.client(piece.data)


class ClientLeg(Leg):
    """A connection that somebody opened to the proxy."""

    def __init__(self, client: Place, server: Place, at: float) -> None:
        """Begin with the first segment that was captured."""
        super().__init__(client, server, at, (KEEP_UNORDERED, KEEP_UNORDERED))
        self.order: Order | None = None
        self.ordered_at = at
        self.encrypted = False
        self.smtp: SmtpReader | None = None
        """Reads the tunnel, if it was ordered for mail."""
        self._head = bytearray()
        self._head_start = 0
        self._read_to = 0

    def _read(self, piece: Piece, at: float, *, upwards: bool) -> None:
        super()._read(piece, at, upwards=upwards)
        if self.order is None:
            if upwards and not self.encrypted:
                self._look_for_order(piece, at)
        elif self.smtp is not None and upwards:
            self._follow(piece)

    def _follow(self, piece: Piece) -> None:
        assert self.smtp is not None  # noqa: S101  # the only caller has looked
        if piece.start > self._read_to:
            self.smtp.gap()
        self._read_to = piece.start + len(piece.data)
        self.smtp.client(piece.data)

    def _look_for_order(self, piece: Piece, at: float) -> None:
        if piece.start != self._head_start + len(self._head):  # behind a gap
            self._head.clear()
            self._head_start = piece.start
        self._head += piece.data
        if self._head_start == 0 and self._head[:2] == b"\x16\x03":
            self.encrypted = True
            return
        found = find_order(bytes(self._head), from_start=self._head_start == 0)
        if found is not None:
            self._take_order(found.order, found.end, at)
        elif len(self._head) > MAX_HEAD:
            cut = len(self._head) - MAX_HEAD
            del self._head[:cut]
            self._head_start += cut

    def _take_order(self, order: Order, end: int, at: float) -> None:
        self.order, self.ordered_at = order, at
        keep = (KEEP_CLIENT, KEEP_SERVER) if order.port in MAIL_PORTS else (0, 0)
        self.sent.limit, self.answered.limit = keep
        rest, start = bytes(self._head[end:]), self._head_start + end
        self._head.clear()
        self.sent.restart(start, rest)
        self.answered.restart(max(self.down.next, 0), b"")
        self._read_to = start + len(rest)
        if order.port in MAIL_PORTS:
            self.smtp = SmtpReader()
            self.smtp.client(rest)
