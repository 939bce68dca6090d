"""One Received field read into a hop."""

from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from botprobe.intake.received import MAX_VALUE, parse_received
from botprobe.model.mail import Hop, HopStatus, Trust
from tests.intake.writerlines import DATE, FORMS, IGNORED, Form, Slots

labels = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=2, max_size=4).map(".".join)
words = st.from_regex(r"[A-Za-z0-9]{4,12}", fullmatch=True)
slots = st.builds(
    Slots,
    ip=st.ip_addresses(v=4) | st.ip_addresses(v=6, network="2001:db8::/32"),
    helo=hosts | st.ip_addresses(v=4).map(lambda ip: f"[{ip}]"),
    rdns=hosts.map("r.{}".format),
    by=hosts,
    queue_id=words,
    recipient=st.builds("{}@{}".format, words, hosts),
    sender=st.builds("{}@{}".format, words, hosts),
    ident=words,
)


def read(value: str) -> Hop:
    """Read a line as the newest of its header."""
    return parse_received(value, 0)


class TestWriters:
    @pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
    @given(seen=slots)
    def test_what_a_server_writes_is_read_back(self, form: Form, seen: Slots) -> None:
        """Each value comes back from the slot that the server put it into, and from no other."""
        assume(not form.v4_only or seen.ip.version == 4)

        hop = read(form.fill(seen))

        assert hop.status is HopStatus.PARSED
        assert hop.ip == seen.ip
        assert hop.helo == (seen.helo if form.helo else None)
        assert hop.rdns == (seen.rdns if form.rdns else None)
        assert hop.rdns_verified is form.verified
        assert hop.by == seen.by
        assert hop.id == seen.queue_id or not form.queue_id
        assert hop.recipient == (seen.recipient if form.recipient else None)
        assert hop.envelope_from == (seen.sender if form.sender else None)
        assert hop.ident == (seen.ident if form.ident else None)
        assert hop.at == datetime(2026, 10, 5, 7, 12, 44, tzinfo=UTC)

    @pytest.mark.parametrize("value", IGNORED)
    def test_a_line_without_a_sending_host_is_ignored(self, value: str) -> None:
        """Local pickup, store and forward, and fetchers are no hops, and no errors."""
        hop = read(value)

        assert hop.status is HopStatus.IGNORED
        assert (hop.ip, hop.trust, hop.reasons) == (None, None, ())

    @pytest.mark.parametrize(
        ("value", "auth"),
        [
            ("h (r [192.0.2.1]) (Authenticated sender: u@x) by mx (Postfix) with ESMTPSA", "u@x"),
            ("h (r [192.0.2.1]) by mx (Postfix) with ESMTPSA", "ESMTPSA"),
            ("h (r [192.0.2.1]) (authenticated bits=0) by mx (8.17.1/8.17.1) with ESMTP", "ESMTP"),
            ("h (r [192.0.2.1]) (AUTH: LOGIN u, TLS: x) by mx with esmtps", "u"),
            ("[192.0.2.1] (account u@x HELO h) by mx (CommuniGate Pro SMTP 6) with ESMTPSA", "u@x"),
            ("h (u@192.0.2.1 with login) by smtp.example.org with SMTP", "u"),
            (
                "h (r [192.0.2.1]) by mx (OpenSMTPD) with ESMTPSA id 1 (X) auth=yes user=u for x",
                "u",
            ),
            ("r (HELO h) (192.0.2.1) (smtp-auth username u, mechanism plain) by mx with SMTP", "u"),
            ("x?with?ESMTPA (unknown [192.0.2.1]) by mx (Postfix) with ESMTP", None),
            ("h (authenticated [192.0.2.1]) by mx (Postfix) with ESMTP", None),
        ],
    )
    def test_who_authenticated_is_read_from_the_writers_own_words(
        self, value: str, auth: str | None
    ) -> None:
        """The user, or the mechanism; a HELO or a name that sounds like it is neither."""
        assert read(f"from {value} id 1; {DATE}").auth == auth


class TestAttacks:
    """Every address 203.0.113.66 here was written by the sender."""

    @pytest.mark.parametrize(
        "sender",
        [
            "203.0.113.66 (unknown [192.0.2.1])",
            "[203.0.113.66] (unknown [192.0.2.1])",
            "helo=[203.0.113.66] (unknown [192.0.2.1])",
            "h (203.0.113.66.example [192.0.2.1])",
            'h (r [192.0.2.1]) (Client CN "x [203.0.113.66] by y", Issuer "z")',
            "h (r [192.0.2.1]) (Authenticated sender: [203.0.113.66])",
            "h (IDENT:x[203.0.113.66]@r [192.0.2.1])",
            "h (IDENT:[203.0.113.66]:@r [192.0.2.1])",
            "h (IDENT:[203.0.113.66]:@[192.0.2.1])",
            "h (x[203.0.113.66]:@r [192.0.2.1] (may be forged))",
            "h (x[203.0.113.66]:y@r [192.0.2.1])",
            "h ([192.0.2.1]:4 helo=[203.0.113.66] ident=[203.0.113.66])",
            "[192.0.2.1] (helo=[203.0.113.66])",
            "[192.0.2.1] (ident=[203.0.113.66])",
            "[192.0.2.1] (port=4 helo=[203.0.113.66])",
            "r (ident=@192.0.2.1)",
            "r (x[203.0.113.66]:@192.0.2.1)",
            "r (x[203.0.113.66]:y@192.0.2.1 with login)",
            "r (@203.0.113.66[203.0.113.66]:@192.0.2.1 with login)",
            "[203.0.113.66] (helo=x@192.0.2.1 with login)",
            "r (HELO h) (203.0.113.66%x@[192.0.2.1])",
            "r (HELO h) (x[203.0.113.66]y@[192.0.2.1])",
            "r (HELO h) (]@[192.0.2.1])",
            "[192.0.2.1] (HELO [203.0.113.66])",
            "[192.0.2.1] (account [203.0.113.66] HELO [203.0.113.66])",
            "unknown (HELO [203.0.113.66]) (192.0.2.1)",
            "unknown (HELO x) (203.0.113.66@192.0.2.1)",
            "unknown (HELO x) ([203.0.113.66]@192.0.2.1)",
            "x ([203.0.113.66]@192.0.2.1)",
            "x (x[203.0.113.66]@192.0.2.1)",
            "203.0.113.66 (192.0.2.1)",
            "203.0.113.66 ( helo [192.0.2.1])",
            's ([192.0.2.1] helo="evil) by q [203.0.113.66]")',
            "s ([192.0.2.1] helo=evil\\) by q [203.0.113.66])",
            "s ([192.0.2.1] HELO evil (by q [203.0.113.66]))",
            "(203.0.113.66) (192.0.2.1)",
            "[203.0.113.66 (unknown [192.0.2.1])",
            "203.0.113.66] (unknown [192.0.2.1])",
            "x(203.0.113.66 (192.0.2.1)",
            '"203.0.113.66 (192.0.2.1)',
        ],
    )
    def test_the_address_is_the_one_that_the_writer_saw(self, sender: str) -> None:
        """No HELO, ident, certificate or login takes the place of the peer's address."""
        hop = read(f"from {sender} by mx.example.org with ESMTP id 1; {DATE}")

        assert hop.ip == IPv4Address("192.0.2.1")
        assert hop.by == "mx.example.org"

    @pytest.mark.parametrize(
        "line",
        [
            "from [203.0.113.66] (unknown) by mx (Postfix) id 1",
            "from 203.0.113.66 by mx (Postfix) id 1",
            "from 203.0.113.66 helo=x by mx with SMTP",
            'from s (HELO "x by y" [203.0.113.66]) by mx',
            "from s (HELO x (nested [203.0.113.66])) by mx",
            "from x([203.0.113.66]) (unknown [192.0.2.1]) by mx with SMTP",
            "from x(203.0.113.66) (unknown [192.0.2.1]) by mx with SMTP",
            "from x (open [203.0.113.66]; by mx with SMTP",
            'from x "open [203.0.113.66] by mx with SMTP',
            "from a by b [203.0.113.66] by d (r [192.0.2.1]) by mx with SMTP",
            "by mx (Postfix) id 1 for <b+203.0.113.66@x>",
            "from x by mx (203.0.113.66) (MDaemon PRO v24) with ESMTP id 1",
            "from 203.0.113.66 (helo=x@192.0.2.1) by mx with SMTP",
            "from 203.0.113.66 (helo=@r [192.0.2.1]) by mx with SMTP",
            'from "x [203.0.113.66] by mx with SMTP',
            "from x] [203.0.113.66] by mx with SMTP",
        ],
    )
    def test_an_ambiguous_line_names_nobody(self, line: str) -> None:
        """Where the address could be the sender's word, there is none."""
        assert read(f"{line}; {DATE}").ip is None

    def test_sendmail_writes_no_keys(self) -> None:
        """What looks like one there is an ident."""
        hop = read(f"from h (helo=x@r [192.0.2.1]) by mx (8.17.1/8.17.1) with SMTP id 1; {DATE}")

        assert (hop.ip, hop.ident, hop.rdns) == (IPv4Address("192.0.2.1"), "helo=x", "r")

    @pytest.mark.parametrize(
        "sender",
        [
            "[192.0.2.1] (helo=x@203.0.113.66)",
            "[192.0.2.1] (ident=x@[203.0.113.66])",
            "[192.0.2.1] (port=4 helo=@203.0.113.66)",
            "r ([203.0.113.66]) [192.0.2.1] (203.0.113.66)",
            "r (x[203.0.113.66]) [192.0.2.1.25] (x)",
            "r (helo=x) [192.0.2.1.25] (x)",
            "r (HELO) [192.0.2.1.25] (203.0.113.66)",
        ],
    )
    def test_exim_has_a_place_of_its_own(self, sender: str) -> None:
        """Before or behind a comment that holds nothing but what the sender said."""
        hop = read(f"from {sender} by mx with esmtp (Exim 4.97) id 1; {DATE}")

        assert hop.ip == IPv4Address("192.0.2.1")

    def test_marks_in_the_recipient_do_not_matter(self) -> None:
        """What stands behind the writer's name hides nothing before it."""
        hop = read(f"from a[ (unknown [192.0.2.1]) by mx (Postfix) with SMTP id 1 for <]>; {DATE}")

        assert (hop.ip, hop.helo) == (IPv4Address("192.0.2.1"), "a[")

    @pytest.mark.parametrize(
        "helo", ["[", "]", "a]b", "[a", "a[", ']"', '"a', "a(b", "a)b", "[](", "a;["]
    )
    def test_a_helo_with_stray_marks_hides_nothing(self, helo: str) -> None:
        """Postfix and Exchange keep such letters: the word is data up to the next space."""
        hop = read(f"from {helo} (unknown [192.0.2.1]) by mx (Postfix) with ESMTP id 1; {DATE}")

        assert (hop.ip, hop.helo) == (IPv4Address("192.0.2.1"), helo)
        assert (hop.rdns, hop.by, hop.id) == (None, "mx", "1")

    @pytest.mark.parametrize(
        ("sender", "helo", "rdns"),
        [
            ("r (192.0.2.1, HELO h)", "h", "r"),
            ("192.0.2.1(helo=h)", "h", None),
            ("(192.0.2.1)", None, None),
            ("[192.0.2.1] by mx (ArGoSoft Mail Server) with ESMTP (EHLO h)", "h", None),
            ("(h) (192.0.2.1)", "(h)", None),
            ("h (Not Verified[192.0.2.1]) by mailmarshal with NetIQ MailMarshal", "h", None),
        ],
    )
    def test_seldom_forms(self, sender: str, helo: str | None, rdns: str | None) -> None:
        """Found in real mail, each with the address in a place of its own."""
        writer = "" if " by " in sender else " by mx with smtp (Exim 4.69)"
        hop = read(f"from {sender}{writer} id 1; {DATE}")

        assert (hop.ip, hop.helo, hop.rdns) == (IPv4Address("192.0.2.1"), helo, rdns)

    def test_the_envelope_sender_may_stand_before_the_writer(self) -> None:
        """As qmail-ldap puts it."""
        hop = read(
            f"from u (HELO h) ([192.0.2.1]) (envelope-sender <s@example.net>) "
            f"by mx (qmail-ldap-1.03) with SMTP for <u@example.org>; {DATE}"
        )

        assert hop.envelope_from == "s@example.net"
        assert (hop.ip, hop.helo) == (IPv4Address("192.0.2.1"), "h")

    def test_helo_is_never_copied_into_reverse_dns(self) -> None:
        """Exchange and its like know no reverse DNS."""
        hop = read(
            f"from h.example (192.0.2.1) by mx (10.0.0.1) with Microsoft SMTP Server id 1; {DATE}"
        )

        assert (hop.helo, hop.rdns) == ("h.example", None)


class TestStatus:
    def test_no_address_is_not_unreadable(self) -> None:
        """A line with a place for an address, but none in it, was read all the same."""
        hop = read(f"from h (unknown [unknown]) by mx (Postfix) with ESMTP id 1; {DATE}")

        assert (hop.status, hop.ip, hop.helo) == (HopStatus.PARSED, None, "h")

    @pytest.mark.parametrize("value", ["", "hello world", "from ( by x", "\0\0"])
    def test_what_has_no_form_is_unparseable(self, value: str) -> None:
        """It says so, with a reason."""
        hop = read(value)

        assert hop.status is HopStatus.UNPARSEABLE
        assert hop.reasons

    @pytest.mark.parametrize(
        "line",
        [
            "from mail pickup service by mx with Microsoft SMTPSVC",
            "from u by mx with local (Exim 4.97)",
            "from pop.example.net [192.0.2.7] by localhost with IMAP (fetchmail-6.4)",
            "by mx with getmail (6.18) from account u",
        ],
    )
    def test_a_line_without_smtp_has_no_helo(self, line: str) -> None:
        """A user, a queue and the server of a mailbox did not greet."""
        hop = read(f"{line}; {DATE}")

        assert (hop.status, hop.helo) == (HopStatus.IGNORED, None)

    def test_an_overlong_field_is_unparseable_and_keeps_its_end(self) -> None:
        """The top of a stuffed field is the sender's, and so is where a cut would fall."""
        hop = read("from " + "A" * MAX_VALUE + f" (unknown [192.0.2.1]) by mx; {DATE}")

        assert hop.status is HopStatus.UNPARSEABLE
        assert hop.raw.endswith(DATE)
        assert len(hop.raw) == MAX_VALUE

    def test_the_date_of_an_unparseable_line_is_kept(self) -> None:
        """It stands behind the last semicolon all the same."""
        assert read(f"test; {DATE}").at == datetime(2026, 10, 5, 7, 12, 44, tzinfo=UTC)

    def test_nul_bytes_are_left_out(self) -> None:
        """They are in no field that a server wrote."""
        assert read(f"from h (r [192.0.\x002.1]) by mx; {DATE}").ip == ip_address("192.0.2.1")

    def test_a_merged_field_is_read_up_to_the_next(self) -> None:
        """A lost line break joins two fields: the first is read, and that is said."""
        hop = read(
            f"from a (r [192.0.2.1]) by mx; {DATE} Received: from b ([198.51.100.1]) by c; x"
        )

        assert hop.ip == ip_address("192.0.2.1")
        assert hop.reasons == ("another Received field is merged into it",)

    @given(st.text())
    def test_never_fails(self, value: str) -> None:
        """Any text is a hop, and an ignored one names no address."""
        hop = read(value)

        assert hop.status is not HopStatus.IGNORED or hop.ip is None
        assert (hop.trust is Trust.CLAIMED) == (hop.status is HopStatus.PARSED)
