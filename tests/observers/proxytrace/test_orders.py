"""Tests of reading orders, sessions, names and streams."""

from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.observers.packets.segments import read_packet
from botprobe.observers.packets.streams import Content, Half, Piece, common_bytes
from botprobe.observers.proxytrace.names import find_destination
from botprobe.observers.proxytrace.orders import Order, Way, find_order
from botprobe.observers.proxytrace.smtp import SmtpReader

MX = ip_address("192.0.2.25")


class TestFindOrder:
    @pytest.mark.parametrize(
        ("data", "order"),
        [
            (b"CONNECT 192.0.2.25:25 HTTP/1.1\r\n\r\n", Order(Way.CONNECT, MX, 25)),
            (b"connect mx.example.:0025 HTTP/1.0\n\n", Order(Way.CONNECT, "mx.example", 25)),
            (
                b"CONNECT mx.example:25 / HTTP/1.0\r\nX\r\n\r\n",
                Order(Way.CONNECT, "mx.example", 25),
            ),
            (b"CONNECT http://192.0.2.25:25/ HTTP/1.1\r\n\r\n", Order(Way.CONNECT, MX, 25)),
            (b"CONNECT mx.example HTTP/1.1\r\n\r\n", Order(Way.CONNECT, "mx.example", 443)),
            (
                b"CONNECT [2001:db8::25]:587 HTTP/1.1\r\n\r\n",
                Order(Way.CONNECT, ip_address("2001:db8::25"), 587),
            ),
            (b"POST http://192.0.2.25:25/ HTTP/1.0\r\n\r\n", Order(Way.URI, MX, 25)),
            (b"\x04\x01\x00\x19\xc0\x00\x02\x19\0", Order(Way.SOCKS4, MX, 25)),
            (b"\x04\x01\x00\x19\0\0\0\x07u\0mx.example\0", Order(Way.SOCKS4A, "mx.example", 25)),
            (b"\x05\x01\0\x05\x01\0\x01\xc0\0\x02\x19\0\x19", Order(Way.SOCKS5, MX, 25)),
            (b"\x05\x01\0\x01\xc0\0\x02\x19\0\x19", Order(Way.SOCKS5, MX, 25)),
            (
                b"\x05\x02\0\x02\x01\x01u\x01p\x05\x01\0\x03\x0amx.example\0\x19",
                Order(Way.SOCKS5, "mx.example", 25),
            ),
        ],
    )
    def test_reads_every_form(self, data: bytes, order: Order) -> None:
        """Address, name, any port form, URI; SOCKS with a password, and without its greeting."""
        found = find_order(data)

        assert found is not None
        assert (found.order, found.end) == (order, len(data))

    @pytest.mark.parametrize(
        "data",
        [
            b"GET http://x.example/ HTTP/1.1\r\n\r\n",
            b"CONNECT mx.example:25 HTTP/1.1\r\n",
            b"CONNECT mx.example:99999 HTTP/1.1\r\n\r\n",
            b"\x05\x01\0",
            b"\x04\x02\x00\x19\xc0\x00\x02\x19\0",
            b"EHLO x\r\n",
            b"",
        ],
    )
    def test_sees_no_order_where_there_is_none(self, data: bytes) -> None:
        """Pages, half orders, ports that do not exist, SOCKS 4's BIND."""
        assert find_order(data) is None

    @given(st.binary(max_size=300), st.booleans())
    def test_never_fails(self, data: bytes, from_start: bool) -> None:
        """Any bytes are an order or none, and its end lies within them."""
        for start in (b"", b"\x04", b"\x05", b"CONNECT "):
            found = find_order(start + data, from_start=from_start)

            assert found is None or 0 < found.end <= len(start + data)


class TestReadPacket:
    @given(st.binary(max_size=120), st.sampled_from([b"\x45", b"\x4f", b"\x60", b""]))
    def test_never_fails(self, data: bytes, start: bytes) -> None:
        """Whatever a capture holds is a packet or none."""
        found = read_packet(0.0, start + data)

        assert found is None or len(found.payload) <= len(start + data)


class TestSmtpReader:
    @given(st.lists(st.binary(max_size=60), max_size=20))
    def test_never_fails(self, pieces: list[bytes]) -> None:
        """Whatever a client says, no body is kept."""
        reader = SmtpReader()
        for piece in (b"EHLO x\r\nMAIL FROM:<a@b>\r\nDATA\r\n", *pieces):
            reader.client(piece)

        assert reader.helo == "x"

    def test_tells_mails_apart(self) -> None:
        """Several mails of a session, each with its recipients and size; refused DATA is none."""
        reader = SmtpReader()
        for line in (
            "HELO me", "MAIL FROM:<a@one.example> SIZE=9", "RCPT TO:<x@two.example>",
            "RCPT TO:<y@two.example>", "DATA", "Subject: x", "", "Received: not a header", ".",
            "MAIL FROM:<>", "RCPT TO:<z@two.example>", "DATA", "RSET", "MAIL FROM:<c@d>", "QUIT",
        ):  # fmt: skip
            for char in f"{line}\r\n":
                reader.client(char.encode())

        assert [(m.sender, m.recipient_count, m.size) for m in reader.mails] == [
            ("a@one.example", 2, 38), ("", 1, 0), ("c@d", 0, 0),
        ]  # fmt: skip
        assert reader.mails[0].received == []
        assert reader.mails[0].domains == {"one.example", "two.example"}

    def test_an_encrypted_session_stays_closed(self) -> None:
        """After STARTTLS come records, not commands; refused, commands go on."""
        secret, refused = SmtpReader(), SmtpReader()
        secret.client(b"EHLO x\r\nSTARTTLS\r\n")
        secret.client(b"\x16\x03\x01\x00\x05MAIL FROM:<a@b>\r\n")
        refused.client(b"EHLO x\r\nSTARTTLS\r\n")
        refused.client(b"MAIL FROM:<a@b>\r\n")

        assert (secret.encrypted, secret.mails) == (True, [])
        assert (refused.encrypted, len(refused.mails)) == (False, 1)


class TestFindDestination:
    @pytest.mark.parametrize(
        ("data", "way"),
        [
            (b"go 192.0.2.25 25", "dotted"),
            (b"\x07\xc0\x00\x02\x19\x00\x19", "binary"),
            (b"to=C0000219&", "hex"),
            (b"3221226009", "decimal"),
            (b"to MX.example please", "name mx.example"),
            (b"192.0.2.250", None),
            (b"1192.0.2.25", None),
            (b"mx.example.org", None),
        ],
    )
    def test_knows_every_spelling(self, data: bytes, way: str | None) -> None:
        """Dotted, binary, hex, decimal, by name; never a part of a longer number."""
        assert find_destination(data, MX, ["mx.example"]) == way


class TestStreams:
    @given(st.binary(min_size=1, max_size=200), st.randoms(), st.integers(0, 2**32 - 1))
    def test_puts_any_order_right(self, data: bytes, luck: Random, isn: int) -> None:
        """Segments in any order, overlapping and repeated, give the stream, across the wrap."""
        half, content = Half(), Content(1000)
        half.begin(isn)
        cuts = [(luck.randrange(len(data)), luck.randrange(1, 40)) for _ in range(10)]
        parts = [*cuts, *((start, 20) for start in range(0, len(data), 20))]
        luck.shuffle(parts)
        for start, size in parts:
            part = data[start : start + size]
            for piece in half.feed(0.0, (isn + 1 + start) % 2**32, part, len(part)):
                content.add(piece)
        for piece in half.flush():
            content.add(piece)

        assert content.head == data

    def test_what_is_lost_is_a_gap(self) -> None:
        """Bytes around a hole keep their places, and are compared there."""
        whole, holed = Content(100), Content(100)
        whole.add(Piece(0, b"0123456789"))
        holed.add(Piece(0, b"012"))
        holed.add(Piece(6, b"6789"))

        assert common_bytes(whole, holed) == 7
        holed.add(Piece(20, b"x"))
        assert common_bytes(whole, holed) == 7
        other = Content(100)
        other.add(Piece(8, b"xx"))
        assert common_bytes(whole, other) is None

    def test_memory_is_bounded(self) -> None:
        """However much comes too early, or at all, only so much is kept."""
        half, content = Half(), Content(1000)
        half.begin(0)
        for n in range(1, 5000):
            for piece in half.feed(0.0, 1 + n * 2000, b"x" * 1000, 1000):
                content.add(piece)

        assert sum(len(part) for _, part in content.spans) <= 1000
        assert len(half.times) <= 64
