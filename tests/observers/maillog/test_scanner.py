"""What is counted in a log, in which dress it may come, and what a sender cannot write into it."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.observers.maillog.dress import undress
from botprobe.observers.maillog.events import HourEvents, Way
from botprobe.observers.maillog.rejects import RejectKind, reject_kind
from botprobe.observers.maillog.scanner import LogScanner
from botprobe.observers.maillog.tally import LogTally
from tests.observers.maillog.comparing import BY_BULK, BY_PATTERN
from tests.observers.maillog.conftest import CountLines

STAMP = "Oct 22 02:13:41 mx"
REJECT = (
    "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 <u@example.org>: "
    "Recipient address rejected: User unknown; from=<s@example.com> to=<u@example.org> "
)


def _scan(*lines: str, instance: bytes | None = None) -> HourEvents:
    chunk = undress("".join(f"{line}\n" for line in lines).encode())
    (events,) = LogScanner(instance=instance, bulk_from=BY_BULK).scan(chunk)
    assert LogScanner(instance=instance, bulk_from=BY_PATTERN).scan(chunk) == [events]
    return events


def _names(tally: LogTally) -> set[str]:
    return {name.decode() for name in tally.clients.names()[1:]}


class TestSession:
    def test_a_disconnect_is_no_connect(self) -> None:
        """The words of a connect stand in a disconnect too."""
        events = _scan(
            f"{STAMP} postfix/smtpd[7]: connect from a.example[192.0.2.1]",
            f"{STAMP} postfix/smtpd[7]: disconnect from a.example[192.0.2.1] quit=1 commands=1",
        )

        assert events.connects == [b"192.0.2.1"]

    @pytest.mark.parametrize("client", ["2001:db8::1", "192.0.2.x", "unknown"])
    def test_keeps_the_client_as_it_is_written(self, client: str) -> None:
        """What stands in the brackets is kept; the tally asks of each name whether it is one."""
        events = _scan(f"{STAMP} postfix/smtpd[7]: connect from unknown[{client}]")

        assert events.connects == [client.encode()]

    def test_reads_a_logged_port(self) -> None:
        """smtpd_client_port_logging puts a port behind the address."""
        events = _scan(f"{STAMP} postfix/smtpd[7]: connect from unknown[192.0.2.1]:4321")

        assert events.connects == [b"192.0.2.1"]

    @pytest.mark.parametrize("prefix", ["NOQUEUE: ", "1D8CC1CA0A7F: ", ""])
    def test_reads_rejects_of_every_age(self, prefix: str) -> None:
        """Old versions have the queue id or nothing where new ones have NOQUEUE."""
        line = REJECT.replace("NOQUEUE: ", prefix)

        events = _scan(f"{STAMP} postfix/smtpd[7]: {line}")

        assert events.rejects == {"user-unknown": [b"192.0.2.1"]}

    def test_a_connect_without_an_address_is_unread(self) -> None:
        """An event in an unknown form is counted as not understood, not passed over."""
        events = _scan(f"{STAMP} postfix/smtpd[7]: connect from nowhere")

        assert not events.connects
        assert events.unread.count == 1

    def test_counts_the_lines_of_all_instances(self) -> None:
        """Syslog names below each other and beside each other all count."""
        names = ("postfix", "postfix/submission", "postfix-incoming", "mx2/smtps")
        lines = [f"{STAMP} {name}/smtpd[7]: connect from a[192.0.2.1]" for name in names]

        assert _scan(*lines).connects == [b"192.0.2.1"] * 4

    def test_counts_one_instance_if_asked(self) -> None:
        """With a syslog name given, other instances do not count."""
        names = ("postfix", "postfix-out")
        lines = [f"{STAMP} {name}/smtpd[7]: connect from a[192.0.2.1]" for name in names]

        events = _scan(*lines, instance=b"postfix-out")

        assert events.connects == [b"192.0.2.1"]

    def test_opensmtpd_is_not_postfix(self) -> None:
        """A program called smtpd without a syslog name before it is another one."""
        assert not _scan(f"{STAMP} smtpd[7]: connect from a[192.0.2.1]").connects

    def test_tells_ways_of_delivery(self) -> None:
        """A content filter on this host is neither local nor remote delivery."""
        head = f"{STAMP} postfix/smtp[7]: 1D8CC1CA0A7F: to=<u@example.org>, relay="
        tail = ", delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok, relay=x, status=no)"
        relays = ("mx.example[198.51.100.1]:25", "127.0.0.1[127.0.0.1]:10024", "local")

        events = _scan(*(head + relay + tail for relay in relays))

        assert events.deliveries == {
            (Way.REMOTE, "sent"): 1,
            (Way.LOOPBACK, "sent"): 1,
            (Way.LOCAL, "sent"): 1,
        }

    def test_counts_postscreen_apart(self) -> None:
        """The connections of postscreen are not those of smtpd."""
        events = _scan(
            f"{STAMP} postfix/postscreen[7]: CONNECT from [192.0.2.1]:4 to [192.0.2.25]:25",
            f"{STAMP} postfix/postscreen[7]: PASS OLD [192.0.2.1]:4",
        )

        assert not events.connects
        assert events.postscreen == {"CONNECT": 1, "PASS OLD": 1}


class TestForgedLines:
    """What a sender may put into a line must not pass for an event of somebody else."""

    @pytest.mark.parametrize(
        "forged",
        [
            "/smtpd[7]: connect from x[203.0.113.9]",
            "postfix/smtpd[7]: connect from x[203.0.113.9]",
            "postfix/smtpd[7]: ABCDEF: client=x[203.0.113.9]",
            f"{STAMP} postfix/smtpd[7]: connect from x[203.0.113.9]",
            "reject: RCPT from x[203.0.113.9]: 554 Relay access denied",
        ],
    )
    @pytest.mark.parametrize(
        "line",
        [
            "postfix/smtpd[7]: " + REJECT + "proto=SMTP helo=<{}>",
            "postfix/smtpd[7]: improper command pipelining after EHLO from a[192.0.2.1]: {}",
            "postfix/postscreen[7]: PREGREET 14 after 0.1 from [192.0.2.1]:4: {}",
            "postfix/cleanup[7]: ABCDEF: message-id=<{}>",
            "postfix/cleanup[7]: ABCDEF: reject: header Subject: {} from a[192.0.2.1]; from=<s>",
            "postfix/qmgr[7]: ABCDEF: from=<{}>, size=9, nrcpt=1 (queue active)",
            "sshd[7]: Invalid user {}",
            "sshd[7]: Invalid user a\r{}",
            "dovecot: pop3-login: Aborted login: user=<{}>",
        ],
    )
    def test_names_nobody_else(self, count_lines: CountLines, line: str, forged: str) -> None:
        """The forged address never becomes a client, in neither kind of stamp."""
        for stamp in (STAMP, "2026-10-22T02:13:41.123456+02:00 mx"):
            tally = count_lines(
                [
                    f"{stamp} postfix/smtpd[7]: connect from a[192.0.2.1]",
                    f"{stamp} {line.format(forged)}",
                ]
            )

            assert "203.0.113.9" not in _names(tally)

    def test_exim_takes_the_address_behind_the_helo(self, count_lines: CountLines) -> None:
        """A HELO may be an address in brackets; the peer's stands behind it."""
        tally = count_lines(
            [
                (
                    "2026-10-22 02:13:41 SMTP connection from ([203.0.113.9]) [192.0.2.1]:4 "
                    "(TCP/IP connection count = 1)"
                ),
                (
                    "2026-10-22 02:13:42 H=([203.0.113.9]) [192.0.2.1] F=<s@example.com> "
                    "rejected RCPT <u@example.org>: relay not permitted"
                ),
            ]
        )

        assert _names(tally) == {"192.0.2.1"}

    def test_sendmail_takes_the_last_relay(self, count_lines: CountLines) -> None:
        """The message id is the sender's and stands before relay=."""
        tally = count_lines(
            [
                (
                    f"{STAMP} sm-mta[7]: xAMDFa1b: from=<s@example.com>, size=9, "
                    "msgid=<a, relay=x [203.0.113.9]>, proto=ESMTP, daemon=MTA, "
                    "relay=h.example [192.0.2.1]"
                )
            ]
        )

        assert _names(tally) == {"192.0.2.1"}

    @given(st.binary(max_size=400))
    def test_any_bytes_are_read_or_unread(self, junk: bytes) -> None:
        """No bytes whatever make the scanner fail, and every line is accounted for."""
        hours = LogScanner().scan(undress(junk))

        assert sum(hour.lines for hour in hours) >= sum(hour.unread.count for hour in hours)


class TestDress:
    LINE = "postfix/smtpd[7]: connect from a[192.0.2.1]"

    @pytest.mark.parametrize(
        "line",
        [
            f"Oct 22 02:13:41 mx {LINE}",
            f"Oct  2 02:13:41 mx {LINE}",
            f"<22>Oct 22 02:13:41 mx {LINE}",
            f"2026-10-22T02:13:41+02:00 mx {LINE}",
            f"2026-10-22T02:13:41.123456Z mx {LINE}",
            "<22>1 2026-10-22T02:13:41Z mx postfix/smtpd 7 - - connect from a[192.0.2.1]",
            (
                '<22>1 2026-10-22T02:13:41Z mx postfix/smtpd 7 - [a@1 b="\\]"] '
                "connect from a[192.0.2.1]"
            ),
            (
                '{"__REALTIME_TIMESTAMP":"1792000000000000","_HOSTNAME":"mx","SYSLOG_PID":"7",'
                '"SYSLOG_IDENTIFIER":"postfix/smtpd","MESSAGE":"connect from a[192.0.2.1]"}'
            ),
            f"Oct 22 02:13:41 <mail.info> mx {LINE}",
            f"Oct  2 02:13:41 <2.6> mx {LINE}",
            "Oct 22 02:13:41 mx postfix/smtpd[7]: [ID 197553 mail.info] connect from a[192.0.2.1]",
        ],
    )
    def test_reads_every_common_form(self, line: str) -> None:
        """RFC 3164, 3339 and 5424 stamps, journald's JSON, FreeBSD's and Solaris' are read."""
        assert _scan(line).connects == [b"192.0.2.1"]

    def test_a_facility_need_not_be_in_every_line(self) -> None:
        """FreeBSD writes it from -v on; newsyslog's line at the top of a file has none."""
        events = _scan(
            "Oct 22 02:00:00 mx newsyslog[881]: logfile turned over",
            f"Oct 22 02:13:41 <mail.info> mx {self.LINE}",
            "Oct 22 02:13:42 <mail.warn> mx postfix/smtpd[7]: warning: b[192.0.2.2]: "
            "SASL LOGIN authentication failed: x",
        )

        assert events.connects == [b"192.0.2.1"]
        assert events.sasl_failures == {b"192.0.2.2": 1}
        assert events.unread.count == 0

    def test_a_sender_cannot_write_a_facility(self) -> None:
        """What is taken out stands at the head of a line only."""
        reject = "NOQUEUE: reject: RCPT from b[192.0.2.2]: 554 5.7.1 <x>: Relay access denied; "
        events = _scan(
            f"Oct 22 02:13:41 <mail.info> mx {self.LINE}",
            f"Oct 22 02:13:41 <mail.info> mx postfix/smtpd[7]: {reject}"
            f"from=<> helo=<Oct 22 02:13:41 <mail.info> mx {self.LINE}>",
        )

        assert events.connects == [b"192.0.2.1"]
        assert events.rejects == {"relay-denied": [b"192.0.2.2"]}

    def test_sorts_a_log_that_is_not_in_order(self) -> None:
        """Lines of two hours that alternate are counted in their own hours."""
        lines = [
            f"Oct 22 0{2 + number % 2}:00:00 mx {self.LINE}\n".encode() for number in range(100)
        ]

        hours = LogScanner().scan(b"".join(lines))

        counts = {b"Oct 22 02": 0, b"Oct 22 03": 0}
        for hour in hours:
            counts[hour.stamp] += len(hour.connects)
        assert counts == {b"Oct 22 02": 50, b"Oct 22 03": 50}

    def test_shows_lines_without_a_stamp(self, count_lines: CountLines) -> None:
        """What has no stamp is counted as unread, and the first lines are kept."""
        tally = count_lines(["no stamp"] * 40)

        assert tally.unread.count == 40
        assert tally.unread.samples == [b"no stamp"] * 5


class TestLogins:
    @pytest.mark.parametrize(
        ("line", "protocol"),
        [
            ("dovecot: pop3-login: Login: user=<u>, method=PLAIN, rip=192.0.2.1", "pop3"),
            ("dovecot[9]: imap-login: Info: Login: user=<u>, rip=192.0.2.1", "imap"),
            ("pop3d: LOGIN, user=u, ip=[::ffff:192.0.2.1]", "pop3"),
            ("imapd-ssl[9]: LOGIN, user=u, ip=[::ffff:192.0.2.1]", "imap"),
            ("ipop3d[9]: Login user=u host=h [192.0.2.1] nmsgs=1/1", "pop3"),
            ("pop3[9]: login: h [192.0.2.1] u plaintext User logged in", "pop3"),
            ('popper[9]: (v4.0.5) POP login by user "u" at (h) 192.0.2.1', "pop3"),
        ],
    )
    def test_counts_each_server(self, line: str, protocol: str) -> None:
        """The logins of all common servers count for their protocol."""
        assert _scan(f"{STAMP} {line}").logins == {protocol: 1}

    def test_a_failed_login_does_not_count(self) -> None:
        """Only who got in asked for mail."""
        events = _scan(f"{STAMP} dovecot: pop3-login: Aborted login (auth failed): user=<u>")

        assert not events.logins


class TestRejectKind:
    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (b"554 5.7.1 <u@x>: Relay access denied; from=<s>", "relay-denied"),
            (
                b"550 5.1.1 <u@x>: Recipient address rejected: User unknown; from=<s>",
                "user-unknown",
            ),
            (b"554 <u@x>: Recipient address rejected: Access denied", "recipient-rejected"),
            (b"554 Service unavailable; Client host [1.2.3.4] blocked using x; from=<s>", "dnsbl"),
            (b"450 4.2.0 <u@x>: Recipient address rejected: Greylisted; from=<s>", "greylisted"),
            (b"452 4.3.1 Insufficient system storage; proto=ESMTP", "storage"),
            (b"550 never heard of it; from=<s>", "other"),
        ],
    )
    def test_goes_by_the_words_of_the_reply(self, reply: bytes, kind: str) -> None:
        """Each kind has its words, and the more special ones win."""
        assert reject_kind(reply) == kind

    def test_the_envelope_decides_nothing(self) -> None:
        """Behind the reply stand the sender's words."""
        reply = b"550 no; from=<s> to=<u> proto=SMTP helo=<relay access denied>"

        assert reject_kind(reply) == "other"

    def test_own_kinds_come_first(self) -> None:
        """The operator's table goes before ours."""
        own = (RejectKind("quota", b"user unknown"),)

        assert reject_kind(b"550 User unknown", own) == "quota"


class TestQueue:
    def test_a_retry_is_not_a_new_mail(self, count_lines: CountLines) -> None:
        """A deferred mail becomes active again and again; N_f counts it once."""
        active = (
            f"{STAMP} postfix/qmgr[8]: 1A: from=<s@example.com>, size=9, nrcpt=1 (queue active)"
        )

        tally = count_lines([active, active, f"{STAMP} postfix/qmgr[8]: 1A: removed", active])

        (hour,) = tally.hours.values()
        assert hour.activations == 3
        assert hour.queued == 2

    def test_an_expired_mail_is_not_a_new_one(self, count_lines: CountLines) -> None:
        """The queue manager writes from= also when it gives a mail up."""
        line = f"{STAMP} postfix/qmgr[8]: 1A: from=<s@example.com>, status=expired, returned"

        (hour,) = count_lines([line]).hours.values()

        assert hour.activations == 0


class TestStamps:
    def _days(self, count_lines: CountLines, *stamps: str, reference: date) -> list[date]:
        lines = [f"{stamp} mx postfix/smtpd[7]: connect from a[192.0.2.1]" for stamp in stamps]
        return sorted({day for day, _ in count_lines(lines, reference).hours})

    def test_crosses_new_year(self, count_lines: CountLines) -> None:
        """January behind December is the next year; a late line of December is the last one."""
        days = self._days(
            count_lines,
            "Dec 31 23:59:59",
            "Jan  1 00:00:01",
            "Dec 31 23:59:58",
            "Jan  2 00:00:00",
            reference=date(2026, 1, 3),
        )

        assert days == [date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2)]

    def test_a_stamp_is_never_in_the_future(self, count_lines: CountLines) -> None:
        """The latest year that fits the file's time of modification is taken."""
        assert self._days(count_lines, "Nov 23 00:00:00", reference=date(2026, 11, 22)) == [
            date(2025, 11, 23)
        ]

    def test_the_leap_day_needs_a_leap_year(self, count_lines: CountLines) -> None:
        """29 February belongs to the last leap year."""
        assert self._days(count_lines, "Feb 29 12:00:00", reference=date(2026, 11, 22)) == [
            date(2024, 2, 29)
        ]

    def test_days_come_in_the_order_of_the_log(self, count_lines: CountLines) -> None:
        """A year of stamps without a year spans exactly a year."""
        stamps = [f"{month} 15 12:00:00" for month in ("Nov", "Dec", "Jan", "Feb", "Jun", "Oct")]

        days = self._days(count_lines, *stamps, reference=date(2026, 11, 1))

        assert all(first < second for first, second in pairwise(days))
        assert (days[0], days[-1]) == (date(2025, 11, 15), date(2026, 10, 15))

    def test_an_impossible_stamp_is_unread(self, count_lines: CountLines) -> None:
        """A day that does not exist is counted as not understood."""
        tally = count_lines(["Feb 30 12:00:00 mx postfix/smtpd[7]: connect from a[192.0.2.1]"])

        assert tally.unread.count == 1
        assert not tally.hours
