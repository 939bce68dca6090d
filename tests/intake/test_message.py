"""A message read into a mail."""

import time
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.intake.header import MAX_HEADER_BYTES, NO_FIELD
from botprobe.intake.message import MAX_HOPS, MAX_TEXT, read_mail
from botprobe.intake.networks import parse_networks
from botprobe.intake.trust import TrustSettings
from botprobe.model.mail import HopStatus, Mail, Trust
from tests.intake.writerlines import DATE, LINES

MAIL = f"""\
Return-Path: <s@Example.net>
Delivered-To: u@example.org
Received: from relay (relay.example.org [10.0.0.5]) by mx.example.org (Postfix); {DATE}
Received: from bot (unknown [192.0.2.1]) by relay.example.org (Postfix) with ESMTP; {DATE}
From: "Some Body" <s@Example.net>
Received: from forged ([203.0.113.66]) by other.example; {DATE}
To: u@example.org, v@example.org
Subject: =?utf-8?b?R3LDvMOfZQ==?=
Date: Mon, 5 Oct 2026 09:12:39 +0200
Message-ID: <1@example.net>
X-Originating-IP: [203.0.113.66]

body
"""

messages = st.lists(st.sampled_from(LINES)).map(
    lambda values: "".join(f"Received: {value}\n" for value in values).encode()
)


def read(text: str, settings: TrustSettings | None = None) -> Mail:
    """Read a message written as text."""
    return read_mail(text.encode(), "a.eml", settings)


class TestReadMail:
    def test_reads_all_that_the_contract_names(self) -> None:
        """Every value of the mail comes from its own field."""
        mail = read(MAIL)

        assert mail.file == "a.eml"
        assert mail.message_id == "<1@example.net>"
        assert mail.sender == mail.envelope_from == "s@example.net"
        assert mail.recipients == ("u@example.org", "v@example.org")
        assert mail.envelope_to == "u@example.org"
        assert mail.subject == "Grüße"
        assert mail.date == datetime(2026, 10, 5, 7, 12, 39, tzinfo=UTC)
        assert mail.delivered_at == datetime(2026, 10, 5, 7, 12, 44, tzinfo=UTC)
        assert mail.source_ip == ip_address("192.0.2.1")
        assert mail.errors == ()

    def test_hops_are_newest_first_and_synthetic_ones_last(self) -> None:
        """The trust of each follows from the chain."""
        mail = read(MAIL)

        assert [hop.trust for hop in mail.hops] == [
            Trust.OWN,
            Trust.BOUNDARY,
            Trust.CLAIMED,
            Trust.SYNTHETIC,
        ]
        assert "it stands below other fields of the message" in mail.hops[2].reasons

    @pytest.mark.parametrize(
        ("field", "address"),
        [
            ("X-Originating-IP: [192.0.2.9]", "192.0.2.9"),
            ("X-SenderIP: 192.0.2.9", "192.0.2.9"),
            ("X-Yahoo-Post-IP: 2001:db8::9", "2001:db8::9"),
            (
                (
                    "X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp: "
                    "TenantId=1-2;Ip=[192.0.2.9];Helo=[x.example]"
                ),
                "192.0.2.9",
            ),
        ],
    )
    def test_a_field_of_the_client_is_a_synthetic_hop(self, field: str, address: str) -> None:
        """It is shown as what it is, and is not the source."""
        mail = read(f"{field}\n\n")

        assert [(hop.trust, hop.ip) for hop in mail.hops] == [
            (Trust.SYNTHETIC, ip_address(address))
        ]
        assert mail.source_ip is None

    def test_such_a_field_is_the_source_behind_relays_that_the_operator_trusts(self) -> None:
        """A trusted webmail host wrote it."""
        settings = TrustSettings(trusted_networks=parse_networks(("192.0.2.0/24",)))
        received = f"Received: from w (w.example [192.0.2.1]) by mx (Postfix); {DATE}\n"

        mail = read(f"{received}X-Originating-IP: 198.51.100.9\n\n", settings)

        assert mail.source_ip == ip_address("198.51.100.9")

    @pytest.mark.parametrize("data", [b"", b"garbage", b"\xff" * 1000])
    def test_garbage_is_a_mail_with_an_error(self, data: bytes) -> None:
        """One bad mail never stops the rest."""
        mail = read_mail(data, "x")

        assert NO_FIELD in mail.errors
        assert mail.hops == ()

    def test_only_the_newest_hundred_hops_are_read(self) -> None:
        """The oldest are those that a sender can add at will."""
        mail = read("Received: from x by y; z\n" * 200 + "\n")

        assert len(mail.hops) == MAX_HOPS
        assert mail.errors == ("200 Received fields: only the newest 100 are read",)

    def test_long_texts_are_cut(self) -> None:
        """A subject is for showing."""
        subject = read("Subject: " + "a" * 5000 + "\n\n").subject

        assert subject == "a" * MAX_TEXT

    @pytest.mark.parametrize("subject", ["=?x?q?a?=", "=?utf-8?b?!?=", "=?utf-8?q?="])
    def test_a_broken_encoded_word_is_shown(self, subject: str) -> None:
        """What cannot be decoded is text all the same."""
        assert read(f"Subject: {subject}\n\n").subject is not None

    @given(st.binary() | messages)
    def test_never_fails(self, data: bytes) -> None:
        """Any bytes are a mail, and its source is a hop of it."""
        mail = read_mail(data, "x")

        assert mail.source_ip is None or mail.source_ip in {hop.ip for hop in mail.hops}
        assert all(hop.status is not HopStatus.IGNORED or hop.ip is None for hop in mail.hops)

    @pytest.mark.parametrize(
        "hostile",
        [
            b"Received: " + b"a" * MAX_HEADER_BYTES,
            b"Received: from x " + b"(" * MAX_HEADER_BYTES,
            b"Received: from x " + b"(x) " * 16384,
            b'Received: from x "' + b'\\"' * 32768,
            b"Received: from x" + b" " * MAX_HEADER_BYTES,
            b"Received: from x by y" + b";" * MAX_HEADER_BYTES,
            b"Received: x\n" * 5461,
            b"Received: from x (" + b"1.2.3.4@[" * 7000,
            b"To: " + b"a@b.c, " * 9000,
            b"To: " + b"(" * MAX_HEADER_BYTES,
            b"Subject: " + b"=?utf-8?q?a?= " * 4600,
            b"X-Originating-IP: " + b"Ip=[" * 16384,
            b"a:\n" * 21845,
        ],
        ids=lambda hostile: hostile[:24].decode(),
    )
    def test_a_hostile_header_takes_no_time(self, hostile: bytes) -> None:
        """64 KiB of anything are read in 20 ms; a slow machine may take ten times that."""
        start = time.process_time()

        read_mail(hostile, "x")

        assert time.process_time() - start < 0.2


class TestNoMail:
    def test_a_binary_with_colons_is_no_mail(self) -> None:
        """What only looks like fields by chance is not taken for a header."""
        assert NO_FIELD in read_mail(b"\x7fELF\x02a:b\nc:\x00d\n", "ls").errors
