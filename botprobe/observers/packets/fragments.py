"""IPv4 datagrams out of their fragments (RFC 791, 3.2), within bounds.

Overlapping fragments are an attack on readers (RFC 1858): such a datagram is given up.
"""

from dataclasses import dataclass, field

MAX_OPEN = 256
MAX_BYTES = 65_535

_Key = tuple[bytes, bytes, bytes, int]


@dataclass(slots=True)
class _Parts:
    header: bytes = b""
    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int | None = None


class Fragments:
    """Collects fragments; the oldest datagrams are given up when there are too many."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[_Key, _Parts] = {}
        self.given_up = 0

    def whole(self, data: bytes) -> bytes | None:
        """Return the datagram that a packet completes; a packet that is no fragment comes back."""
        if len(data) < 20 or data[0] >> 4 != 4 or not ((data[6] & 0x3F) or data[7]):
            return data
        key = data[12:16], data[16:20], data[4:6], data[9]
        parts = self._open.setdefault(key, _Parts())
        self._add(parts, data)
        done = _joined(parts)
        if done is not None or len(parts.pieces) > MAX_OPEN:
            del self._open[key]
        elif len(self._open) > MAX_OPEN:
            del self._open[next(iter(self._open))]
            self.given_up += 1
        return done

    @staticmethod
    def _add(parts: _Parts, data: bytes) -> None:
        start = (data[0] & 15) * 4
        offset = ((data[6] & 0x1F) << 8 | data[7]) * 8
        piece = data[start : data[2] << 8 | data[3]]
        parts.pieces.setdefault(offset, piece)
        if offset == 0:
            parts.header = data[:start]
        if not data[6] & 0x20:
            parts.size = offset + len(piece)


def _joined(parts: _Parts) -> bytes | None:
    if parts.size is None or not parts.header or parts.size > MAX_BYTES - len(parts.header):
        return None
    body = b""
    for offset in sorted(parts.pieces):
        if offset != len(body):
            return None
        body += parts.pieces[offset]
    if len(body) != parts.size:
        return None
    header = bytearray(parts.header)
    header[2:4] = (len(header) + len(body)).to_bytes(2, "big")
    header[6:8] = b"\0\0"
    return bytes(header) + body
