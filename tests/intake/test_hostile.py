"""Whatever a sender writes into the line of a mail server, it does not choose the address."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from botprobe.intake.received import parse_received
from tests.intake.writerlines import DATE

SLOTS = Path(__file__).with_name("senderslots.txt").read_text(encoding="ascii").splitlines()
FORMS = dict(line.split(": ", 1) for line in SLOTS if not line.startswith("#"))

SEEN = IPv4Address("192.0.2.25")

# Servers replace blanks, parentheses, quotes and angle brackets in them.
words = st.lists(
    st.sampled_from(
        [
            *("203.0.113.66", "[203.0.113.66]", "[2001:db8::6]", "IPv6:2001:db8::6", "10.0.0.1"),
            *("by", "from", "with", "id", "for", "helo=", "ident=", "HELO", "port=", "account"),
            *("[", "]", ":", ".", "@", "=", "%", "/", ",", "-", "IDENT:", "root", "localhost"),
            *("local", "LMTP", "pop3", "authenticated", "AUTH:", "envelope-from", "HTTP", "Exim"),
        ]
    ),
    min_size=1,
    max_size=4,
).map("".join)


@pytest.mark.parametrize("writer", FORMS)
@given(helo=words, ident=words, sender=words, to=words)
@example(helo="mail.example.net", ident="root", sender="s@x", to="u@x")
@example(helo="HELO", ident="x[203.0.113.66]:", sender="s@x", to="u@x")
@example(helo="[203.0.113.66]", ident="helo=203.0.113.66%", sender="s@x", to="u@x")
@settings(max_examples=200)
def test_the_address_is_the_one_that_the_writer_saw(
    writer: str, helo: str, ident: str, sender: str, to: str
) -> None:
    """The true address, whatever the words; keywords and marks make no line unreadable."""
    slots = {"helo": helo, "ident": ident, "sender": sender, "to": to}

    hop = parse_received(f"{FORMS[writer].format(ip=SEEN, **slots)}; {DATE}", 0)

    assert hop.ip == SEEN
