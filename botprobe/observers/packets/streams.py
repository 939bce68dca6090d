"""One direction of a TCP connection, put in order (RFC 9293, 3.4), within bounds.

A capture loses, repeats and reorders packets, begins late and cuts payloads. What is missing
becomes a gap of known length, never a guess; where two segments differ, the first one counts.
"""

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

# Of what came too early; beyond it what is missing counts as lost.
MAX_EARLY = 65_536
MAX_EARLY_PARTS = 64
# As many writes of a direction are remembered, for comparing times and sizes.
MAX_WRITES = 64

_WRAP = 1 << 32
_HALF = 1 << 31


class Piece(NamedTuple):
    """Bytes in their place; before it nothing is known if ``start`` leaps."""

    start: int
    """Offset in the stream."""
    data: bytes


class Half:
    """Puts the segments of one direction in order."""

    __slots__ = ("_base", "_early", "_early_bytes", "from_start", "next", "sizes", "times")

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._base = 0
        self._early: dict[int, tuple[bytes, int]] = {}
        self._early_bytes = 0
        self.next = -1
        self.from_start = False
        self.times = array("d")
        self.sizes = array("q")

    def begin(self, seq: int) -> None:
        """Take a SYN: the stream's first byte has the number after it."""
        if self.next < 0:
            self._base, self.next, self.from_start = (seq + 1) % _WRAP, 0, True

    def feed(self, at: float, seq: int, payload: bytes, length: int) -> list[Piece]:
        """Take a segment, and return what can be read now."""
        if not length:
            return []
        if self.next < 0:
            self._base, self.next = seq, 0
        # The distance from what is expected: numbers wrap, and long streams wrap more than once.
        ahead = (seq - self._base - self.next) % _WRAP
        start = self.next + (ahead if ahead < _HALF else ahead - _WRAP)
        if start + length <= self.next:
            return []
        if len(self.times) < MAX_WRITES:
            self.times.append(at)
            self.sizes.append(length)
        if start > self.next:
            return self._keep(start, payload, length)
        piece = self._advance(start, payload, length)
        return [piece, *self._ready()] if self._early else [piece]

    def flush(self) -> list[Piece]:
        """Return what came too early; what is missing before it is lost."""
        pieces: list[Piece] = []
        while self._early:
            start = min(self._early)
            self.next = max(self.next, start)
            pieces += self._ready()
        return pieces

    def _keep(self, start: int, payload: bytes, length: int) -> list[Piece]:
        if start not in self._early:
            self._early[start] = payload, length
            self._early_bytes += len(payload)
        if self._early_bytes > MAX_EARLY or len(self._early) > MAX_EARLY_PARTS:
            return self.flush()
        return []

    def _advance(self, start: int, payload: bytes, length: int) -> Piece:
        known = self.next
        self.next = start + length
        return Piece(known, payload[known - start :] if known > start else payload)

    def _ready(self) -> list[Piece]:
        pieces: list[Piece] = []
        while self._early:
            start = min(self._early)
            if start > self.next:
                break
            payload, length = self._early.pop(start)
            self._early_bytes -= len(payload)
            if start + length > self.next:
                pieces.append(self._advance(start, payload, length))
        return pieces


@dataclass(slots=True)
class Content:
    """The first bytes of a stream from some offset on, with their gaps."""

    limit: int
    origin: int = 0
    """Where in the stream it begins."""
    spans: list[tuple[int, bytearray]] = field(default_factory=list)
    """Offsets from the origin, each with what is known from there on."""
    size: int = 0

    def add(self, piece: Piece) -> None:
        """Keep a piece, as far as there is room."""
        start, data = piece.start - self.origin, piece.data
        if start < 0:
            start, data = 0, data[-start:]
        data = data[: max(self.limit - self.size, 0)]
        if not data:
            return
        self.size += len(data)
        if self.spans and self.spans[-1][0] + len(self.spans[-1][1]) == start:
            self.spans[-1][1].extend(data)
        else:
            self.spans.append((start, bytearray(data)))

    @property
    def head(self) -> bytes:
        """What is known from the origin on, up to the first gap."""
        return bytes(self.spans[0][1]) if self.spans and self.spans[0][0] == 0 else b""

    def restart(self, origin: int, rest: bytes) -> None:
        """Forget what was before an offset."""
        self.origin, self.size = origin, 0
        self.spans.clear()
        self.add(Piece(origin, rest))


def common_bytes(left: Content, right: Content, shift: int = 0) -> int | None:
    """Count the bytes that two streams share in the same places; None if any differs.

    Args:
        left: one stream.
        right: the other; its place 0 is the first one's place ``shift``.
        shift: in bytes.
    """
    same = 0
    for a_start, a in left.spans:
        for b_start, b in right.spans:
            low = max(a_start, b_start + shift)
            high = min(a_start + len(a), b_start + shift + len(b))
            if low >= high:
                continue
            if (
                a[low - a_start : high - a_start]
                != b[low - b_start - shift : high - b_start - shift]
            ):
                return None
            same += high - low
    return same
