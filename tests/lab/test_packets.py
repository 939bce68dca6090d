"""Packets: taken apart without trust, built so that every receiver accepts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import packets
from tests.lab.packets import Segment

_FOUR = st.binary(min_size=4, max_size=4)
_SIXTEEN = st.binary(min_size=16, max_size=16)
_NUMBER = st.integers(0, 0xFFFFFFFF)


class TestChecksum:
    def test_gives_the_example_of_the_rfc(self) -> None:
        """The numbers of RFC 1071, section 3: the sum is ddf2."""
        assert packets.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2

    @given(st.binary(min_size=2, max_size=100))
    def test_agrees_with_the_sum_word_by_word(self, data: bytes) -> None:
        """The fast way gives what the definition gives."""
        padded = data + b"\0" * (len(data) % 2)
        total = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)

        assert packets.checksum(data) % 0xFFFF == (0xFFFF - total) % 0xFFFF


class TestParse:
    @given(st.binary(max_size=100))
    def test_never_fails(self, raw: bytes) -> None:
        """Any bytes at all either are a packet or are not."""
        packet = packets.parse_ip(raw)

        assert packet is None or packet.raw == raw[: len(packet.raw)]
        assert packets.parse_tcp(raw) is None or len(raw) >= 20

    @given(st.one_of(st.tuples(_FOUR, _FOUR), st.tuples(_SIXTEEN, _SIXTEEN)), st.binary())
    def test_reads_what_was_built(self, ends: tuple[bytes, bytes], payload: bytes) -> None:
        """A packet keeps its addresses, protocol, TTL and payload, in both versions of IP."""
        source, destination = ends
        raw = packets.ip_packet(source, destination, packets.UDP, payload[:900], ttl=7)

        assert packets.parse_ip(raw) == (source, destination, packets.UDP, 7, payload[:900], raw)

    def test_ignores_fragments(self) -> None:
        """A fragment holds no header to answer."""
        raw = bytearray(packets.ip_packet(b"\1\2\3\4", b"\5\6\7\x08", packets.TCP, bytes(40)))
        raw[7] = 1

        assert packets.parse_ip(bytes(raw)) is None


class TestTcpSegment:
    @given(_FOUR, _NUMBER, st.binary(max_size=40), st.binary(max_size=50))
    def test_has_a_checksum_that_receivers_accept(
        self, address: bytes, seq: int, options: bytes, data: bytes
    ) -> None:
        """Summed up with its checksum, a segment gives zero."""
        segment = Segment(40_000, 25, seq, 1, packets.ACK, 512, options, data)

        body = packets.tcp_segment(address, b"\xc6\x12\x00\x01", segment)

        total = packets.transport_checksum(address, b"\xc6\x12\x00\x01", packets.TCP, body)
        assert total in (0, 0xFFFF)

    @pytest.mark.parametrize("length", range(1, 5))
    def test_fills_options_up(self, length: int) -> None:
        """The data begins at a multiple of four bytes."""
        segment = Segment(1, 2, 3, 4, packets.ACK, 5, b"\x01" * length, b"data")

        parsed = packets.parse_tcp(packets.tcp_segment(bytes(4), bytes(4), segment))

        assert parsed is not None
        assert parsed.payload == b"data"
        assert parsed.options == (b"\x01" * length).ljust(4, b"\0")
