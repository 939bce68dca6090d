"""The server's side of a TCP connection, small enough for a responder with thousands of hosts.

In order, go-back-N, the peer's window, no congestion control and no options but the segment size
(RFC 9293 without the rest). A *script* says what the server does: a generator that yields actions.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

from tests.lab import packets
from tests.lab.packets import Segment

_MASK = 0xFFFFFFFF
_WINDOW = 65_535
_SEGMENT_SIZE = 1_400  # fits IPv6 on Ethernet, tunnels included
_MAX_UNSENT = 65_536
_MAX_UNREAD = 65_536
_MAX_LINE = 4_096
_MAX_RETRIES = 7

_SEGMENT_SIZE_OPTION = b"\x02\x04" + _SEGMENT_SIZE.to_bytes(2, "big")


class Say(NamedTuple):
    """Send bytes, as soon as the peer has taken most of what went before."""

    data: bytes


class Hear(NamedTuple):
    """Wait for a line; the script gets it, or nothing when the peer has closed."""


class HearAny(NamedTuple):
    """Wait for bytes; the script gets all that have come, or nothing when the peer has closed."""


class Wait(NamedTuple):
    """Do nothing for some time."""

    seconds: float


class Reset(NamedTuple):
    """Break the connection off with a RST. A script that just ends closes it in good order."""


Action = Say | Hear | HearAny | Wait | Reset
Script = Generator[Action, bytes, None]


@dataclass(frozen=True, slots=True)
class Network:
    """What a connection needs of its surroundings."""

    send: Callable[[Segment], None]
    later: Callable[[float, Callable[[], None]], None]
    """Calls back after some seconds."""
    forget: Callable[[], None]
    """The connection is over."""
    patience: float
    """Seconds until the first retransmission."""


class Connection:
    """One connection, from the SYN on."""

    def __init__(self, network: Network, script: Script, syn: Segment, isn: int) -> None:
        """Answer ``syn`` with a number sequence that begins at ``isn``."""
        self._network = network
        self._script = script
        self._action: Action | None = None
        self._ports = (syn.destination_port, syn.source_port)
        self._isn = isn
        self._unacked = isn  # the oldest number that the peer has not acknowledged
        self._next = (isn + 1) & _MASK
        self._highest = self._next  # what has ever been sent ends here
        self._expected = (syn.seq + 1) & _MASK
        self._peer_window = syn.window
        self._outbox = bytearray()  # begins at _unacked once the handshake is done
        self._inbox = bytearray()
        self._established = self._peer_closed = self._finished = self._fin_sent = False
        self._over = self._ack_due = self._waiting = False
        self._retries = 0
        self._timer = 0
        self._emit(packets.SYN | packets.ACK, isn, options=_SEGMENT_SIZE_OPTION)
        self._arm()

    def receive(self, segment: Segment) -> None:
        """Take a segment of the peer."""
        if self._over:
            return
        if segment.flags & packets.RST:
            self._end()
            return
        if segment.flags & packets.SYN:
            if self._established:
                self._emit(packets.ACK, self._next)  # RFC 5961: who has forgotten us resets us
            else:
                self._emit(packets.SYN | packets.ACK, self._isn, options=_SEGMENT_SIZE_OPTION)
            return
        if not segment.flags & packets.ACK or not self._acknowledged(segment):
            return
        self._take(segment)
        self._proceed()

    def _acknowledged(self, segment: Segment) -> bool:
        """Take note of what has arrived there; False if the number makes no sense."""
        arrived = (segment.ack - self._unacked) & _MASK
        if arrived > (self._highest - self._unacked) & _MASK:
            return False
        self._peer_window = segment.window
        if not arrived:
            return self._established
        if arrived > (self._next - self._unacked) & _MASK:
            self._next = segment.ack  # it was being sent again, but the first one had arrived
        self._unacked = segment.ack
        self._retries = 0
        if self._established:
            del self._outbox[:arrived]
        else:
            self._established = True
            self._advance(None)
        self._arm()
        return True

    def _take(self, segment: Segment) -> None:
        if not segment.payload and not segment.flags & packets.FIN:
            return
        self._ack_due = True
        room = _MAX_UNREAD - len(self._inbox)
        if segment.seq != self._expected or len(segment.payload) > room:
            return  # out of order, or too much: the peer sends it again
        self._inbox += segment.payload
        self._expected = (self._expected + len(segment.payload)) & _MASK
        if segment.flags & packets.FIN and not self._peer_closed:
            self._peer_closed = True
            self._expected = (self._expected + 1) & _MASK

    def _proceed(self) -> None:
        """Let the script run as far as it can, then send what there is to send."""
        while self._action is not None and not self._over and self._perform(self._action):
            pass
        if self._over:
            return
        self._transmit()
        if self._fin_sent and self._unacked == self._next and self._peer_closed:
            self._end()

    def _perform(self, action: Action) -> bool:
        """Perform an action; False if it has to wait."""
        match action:
            case Say(data):
                if len(self._outbox) > _MAX_UNSENT:
                    return False
                self._outbox += data
                self._advance(b"")
            case Hear():
                end = self._inbox.find(b"\n") + 1
                if not end and len(self._inbox) < _MAX_LINE and not self._peer_closed:
                    return False
                line = bytes(self._inbox[: end or _MAX_LINE])
                del self._inbox[: len(line)]
                self._advance(line)
            case HearAny():
                if not self._inbox and not self._peer_closed:
                    return False
                heard = bytes(self._inbox)
                self._inbox.clear()
                self._advance(heard)
            case Wait(seconds):
                if not self._waiting:
                    self._waiting = True
                    self._network.later(seconds, self._wake)
                return False
            case Reset():
                self._emit(packets.RST | packets.ACK, self._next)
                self._end()
        return True

    def _wake(self) -> None:
        if not self._over:
            self._waiting = False
            self._advance(b"")
            self._proceed()

    def _advance(self, result: bytes | None) -> None:
        try:
            self._action = next(self._script) if result is None else self._script.send(result)
        except StopIteration:
            self._action = None
            self._finished = True

    def _transmit(self) -> None:
        while not self._fin_sent:
            offset = (self._next - self._unacked) & _MASK
            end = min(len(self._outbox), offset + _SEGMENT_SIZE, self._peer_window)
            if end > offset:
                chunk = bytes(self._outbox[offset:end])
                self._emit(packets.PSH | packets.ACK, self._next, chunk)
                self._next = (self._next + len(chunk)) & _MASK
            elif self._finished and offset == len(self._outbox):
                self._emit(packets.FIN | packets.ACK, self._next)
                self._next = (self._next + 1) & _MASK
                self._fin_sent = True
            else:
                break
            if (self._next - self._highest) & _MASK <= _MASK // 2:
                self._highest = self._next
            if not offset:
                self._arm()
        if self._outbox and not self._peer_window:
            self._arm()  # nothing may be sent: knock from time to time
        if self._ack_due:
            self._emit(packets.ACK, self._next)

    def _arm(self) -> None:
        """Start the retransmission timer anew."""
        self._timer += 1
        started = self._timer
        delay = self._network.patience * 2**self._retries
        self._network.later(delay, lambda: self._timed_out(started))

    def _timed_out(self, started: int) -> None:
        if self._over or started != self._timer:
            return
        if self._unacked == self._next and not self._outbox:
            return  # all has arrived
        self._retries += 1
        if self._retries > _MAX_RETRIES:
            self._end()
            return
        if not self._established:
            self._emit(packets.SYN | packets.ACK, self._isn, options=_SEGMENT_SIZE_OPTION)
        else:
            self._next = self._unacked
            self._fin_sent = False
            self._peer_window = max(1, self._peer_window)
            self._transmit()
        self._arm()

    def _emit(self, flags: int, seq: int, payload: bytes = b"", options: bytes = b"") -> None:
        self._ack_due = False
        here, there = self._ports
        self._network.send(
            Segment(here, there, seq, self._expected, flags, _WINDOW, options, payload)
        )

    def _end(self) -> None:
        self._over = True
        self._script.close()
        self._network.forget()
