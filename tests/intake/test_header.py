"""The header block of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.intake.header import MAX_HEADER_BYTES, NO_FIELD, Header, read_header

WANTED = frozenset(("received", "subject"))


def read(data: bytes) -> Header:
    """Read the fields that these tests ask for."""
    return read_header(data, WANTED)


class TestReadHeader:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_any_line_ending_will_do(self, end: str) -> None:
        """LF, CRLF and bare CR all end a line, and the first empty line ends the header."""
        text = end.join(["Received: a", "\tb", "SUBJECT: s", "", "Received: body"])

        fields = read(text.encode()).fields

        assert [name for name, _ in fields] == ["received", "subject"]
        assert fields[0][1].split() == ["a", "b"]

    def test_a_bare_carriage_return_does_not_end_a_line_among_line_feeds(self) -> None:
        """A sender cannot write a field by putting one into a text."""
        fields = read(b"Subject: s\rReceived: forged\n\n").fields

        assert fields == [("subject", " s Received: forged")]

    @pytest.mark.parametrize("start", [b"\n\n", b"\xef\xbb\xbf", b"From x Mon Oct  5 2026\n"])
    def test_what_may_stand_above_the_header(self, start: bytes) -> None:
        """Empty lines, a byte order mark, and the line of an mbox."""
        header = read(start + b"Subject: s\n\nbody")

        assert header == Header([("subject", " s")], ())

    def test_space_before_the_colon_is_no_part_of_the_name(self) -> None:
        """Obsolete, and still written (RFC 5322, section 4.5)."""
        assert read(b"Subject : s\n\n").fields == [("subject", " s")]

    def test_lines_that_are_no_fields_are_counted(self) -> None:
        """They are passed over, and that is said."""
        header = read(b"Subject: s\nbroken folding\nReceived: a\n\n")

        assert [name for name, _ in header.fields] == ["subject", "received"]
        assert header.errors == ("lines of the header that are no fields: 1",)

    @pytest.mark.parametrize("data", [b"", b"\n", b"garbage", b"\x00\xff\xfe" * 100])
    def test_garbage_has_no_field(self, data: bytes) -> None:
        """It is said in so many words."""
        assert NO_FIELD in read(data).errors

    def test_lines_with_a_colon_do_not_make_a_mail(self) -> None:
        """Binaries have such lines too: one of the wanted fields must be there."""
        assert read(b"PATH: /bin\n\n") == Header([], (NO_FIELD,))

    def test_not_more_than_the_limit_is_read(self) -> None:
        """A header without end is cut, and that is said."""
        data = b"Subject: s\nX-Filler: " + b"a" * MAX_HEADER_BYTES + b"\nReceived: beyond\n\n"

        header = read(data)

        assert [name for name, _ in header.fields] == ["subject"]
        assert header.errors == ("the header is longer than 64 KiB: the rest is cut",)

    def test_a_long_body_is_no_fault(self) -> None:
        """Only the header is measured."""
        assert read(b"Subject: s\n\n" + b"a" * MAX_HEADER_BYTES * 2).errors == ()

    @given(st.binary())
    def test_never_fails(self, data: bytes) -> None:
        """Any bytes have fields, or are said to have none."""
        header = read(data)

        assert all(name in WANTED for name, _ in header.fields)
