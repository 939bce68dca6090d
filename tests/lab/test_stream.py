"""The small TCP: a peer gets every byte once, in order, and no more than it has room for."""

from collections.abc import Callable

import pytest

from tests.lab import packets
from tests.lab.packets import Segment
from tests.lab.stream import Connection, Hear, Network, Reset, Say, Script, Wait

_CLIENT_ISN, _SERVER_ISN = 1_000, 0xFFFFFFF0  # the server's numbers wrap around


class _Peer:
    """A client that keeps what it is sent; timers run when told to."""

    def __init__(self, script: Script, *, window: int = 65_535) -> None:
        self.sent: list[Segment] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.over = False
        self.window = window
        self.seq = _CLIENT_ISN
        network = Network(
            send=self.sent.append,
            later=lambda seconds, action: self.timers.append((seconds, action)),
            forget=self._forget,
            patience=1.0,
        )
        syn = Segment(40_000, 25, self.seq, 0, packets.SYN, window, b"", b"")
        self.connection = Connection(network, script, syn, _SERVER_ISN)
        self.seq += 1

    def _forget(self) -> None:
        self.over = True

    def send(self, data: bytes = b"", flags: int = packets.ACK, *, ack: int | None = None) -> None:
        """Send a segment that acknowledges all that has come, or up to ``ack``."""
        acknowledged = self.expected if ack is None else ack
        self.connection.receive(
            Segment(40_000, 25, self.seq, acknowledged, flags, self.window, b"", data)
        )
        self.seq += len(data) + bool(flags & packets.FIN)

    @property
    def expected(self) -> int:
        """The number after the last one that has come."""
        last = self.sent[-1]
        extra = bool(last.flags & (packets.SYN | packets.FIN))
        return (last.seq + len(last.payload) + extra) & 0xFFFFFFFF

    @property
    def heard(self) -> bytes:
        """All data in the order of its numbers, repetitions left out."""
        data = bytearray()
        for one in sorted(self.sent, key=lambda one: (one.seq - _SERVER_ISN) & 0xFFFFFFFF):
            start = (one.seq - _SERVER_ISN - 1) & 0xFFFFFFFF
            assert not one.payload or start <= len(data)
            data[start : start + len(one.payload)] = one.payload
        return bytes(data)

    def run_timers(self) -> None:
        """Let all the time pass that was asked for."""
        due, self.timers = self.timers, []
        for _, action in due:
            action()


def _echo() -> Script:
    yield Say(b"hello\n")
    while line := (yield Hear()):
        yield Say(line.upper())


class TestConnection:
    def test_shakes_hands_and_speaks(self) -> None:
        """SYN, SYN-ACK, ACK; then the server's greeting and its answers; FIN when it is done."""
        peer = _Peer(_echo())
        assert peer.sent[0].flags == packets.SYN | packets.ACK
        assert peer.sent[0].ack == _CLIENT_ISN + 1

        peer.send()
        peer.send(b"one\ntw")
        peer.send(b"o\n")
        peer.send(flags=packets.FIN | packets.ACK)

        assert peer.heard == b"hello\nONE\nTWO\n"
        assert peer.sent[-1].flags & packets.FIN
        peer.send()
        assert peer.over

    def test_says_nothing_before_the_handshake_is_done(self) -> None:
        """A SYN alone, as scanners send it, starts no service."""
        peer = _Peer(_echo())

        peer.connection.receive(Segment(40_000, 25, peer.seq, 0, packets.RST, 0, b"", b""))

        assert peer.heard == b""
        assert peer.over

    def test_keeps_to_the_window(self) -> None:
        """No more is under way than the peer has room for."""
        peer = _Peer(iter_say(b"x" * 10_000), window=3_000)

        peer.send()

        assert len(peer.heard) == 3_000
        while not peer.sent[-1].flags & packets.FIN:
            peer.send()
        assert len(peer.heard) == 10_000

    def test_repeats_what_was_lost(self) -> None:
        """Without an acknowledgment, the same bytes come again."""
        peer = _Peer(iter_say(b"data"))
        peer.send()
        before = len(peer.sent)

        peer.run_timers()

        again = peer.sent[before:]
        assert [one.payload for one in again if one.payload] == [b"data"]
        assert peer.heard == b"data"

    def test_a_late_acknowledgment_still_counts(self) -> None:
        """What was acknowledged after its repetition began is not sent a third time."""
        peer = _Peer(iter_say(b"x" * 5_000), window=5_000)
        peer.send()
        arrived = (_SERVER_ISN + 1 + 4_000) & 0xFFFFFFFF
        peer.window = 1_000
        peer.send(ack=(_SERVER_ISN + 1) & 0xFFFFFFFF)
        peer.run_timers()
        before = len(peer.sent)

        peer.send(ack=arrived)

        assert [one.seq for one in peer.sent[before:] if one.payload] == [arrived]
        assert len(peer.heard) == 5_000

    def test_challenges_a_second_syn(self) -> None:
        """A SYN within a connection gets an acknowledgment, and changes nothing (RFC 5961)."""
        peer = _Peer(_echo())
        peer.send()

        peer.connection.receive(Segment(40_000, 25, 77, 0, packets.SYN, 1, b"", b""))

        assert peer.sent[-1].flags == packets.ACK
        assert peer.sent[-1].ack == peer.seq

    def test_gives_up_in_the_end(self) -> None:
        """A peer that has vanished is forgotten."""
        peer = _Peer(iter_say(b"data"))
        peer.send()

        for _ in range(20):
            peer.run_timers()

        assert peer.over

    def test_takes_nothing_out_of_order(self) -> None:
        """A gap is told by acknowledging what came before it."""
        peer = _Peer(_echo())
        peer.send()
        number = peer.seq

        peer.seq += 5
        peer.send(b"late\n")

        assert peer.sent[-1].ack == number
        assert peer.heard == b"hello\n"

    def test_pauses(self) -> None:
        """Wait delays what follows; meanwhile nothing is lost."""

        def script() -> Script:
            yield Wait(5)
            yield Say((yield Hear()))

        peer = _Peer(script())
        peer.send()
        peer.send(b"early\n")
        assert peer.heard == b""

        peer.run_timers()

        assert peer.heard == b"early\n"

    def test_breaks_off(self) -> None:
        """Reset is a RST, and the end."""

        def script() -> Script:
            yield Reset()

        peer = _Peer(script())
        peer.send()

        assert peer.sent[-1].flags & packets.RST
        assert peer.over

    def test_an_endless_script_waits_for_its_reader(self) -> None:
        """Who never stops talking keeps no more than a bounded amount in memory."""
        produced = 0

        def script() -> Script:
            nonlocal produced
            while True:
                produced += 10_000
                yield Say(b"x" * 10_000)

        peer = _Peer(script())
        peer.send()

        assert produced <= 100_000

    @pytest.mark.parametrize("ack", [5, _SERVER_ISN - 1, _SERVER_ISN + 5])
    def test_ignores_senseless_acknowledgments(self, ack: int) -> None:
        """What was never sent cannot be acknowledged."""
        peer = _Peer(_echo())

        peer.send(ack=ack & 0xFFFFFFFF)

        assert peer.heard == b""


def iter_say(data: bytes) -> Script:
    """Say one thing, and close."""
    yield Say(data)
