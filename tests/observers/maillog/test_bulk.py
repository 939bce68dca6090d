"""What is counted by the thousand is what the pattern counts, whatever stands in the lines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from botprobe.observers.maillog.dress import undress
from botprobe.observers.maillog.files import chunks
from botprobe.observers.maillog.postfix import PostfixScanner
from botprobe.observers.maillog.rejects import RejectKind
from botprobe.observers.maillog.scanner import LogScanner
from tests.observers.maillog.bench_maillog import made_lines
from tests.observers.maillog.comparing import BY_BULK, BY_PATTERN, counts

HEADS = (
    b"Oct 22 02:13:41 mx postfix/",
    b"Oct 22 02:13:42 mx postfix/",
    b"Oct 22 03:00:00 mx postfix/",
    b"Oct 22 02:13:41 other postfix/",
    b"Oct 22 02:13:41 mx postfix/submission/",
    b"Oct  2 02:13:41 a.name-of-a-host.that-is-longer-than-others.example.org postfix-in/",
    b"2026-10-22T02:13:41.123456+02:00 mx postfix/",
)
MESSAGES = (
    b"smtpd[7]: connect from a.example[192.0.2.1]",
    b"smtpd[71234]: connect from unknown[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]",
    b"smtpd[7]: connect from unknown[unknown]",
    b"smtpd[7]: connect from a.example[192.0.2.1]:4321",
    b"smtpd[7]: disconnect from a.example[192.0.2.1] ehlo=1 quit=1 commands=2",
    b"smtpd[7]: lost connection after RCPT from a.example[192.0.2.1]",
    b"smtpd[7]: timeout after END-OF-MESSAGE from a.example[192.0.2.1]",
    b"smtpd[7]: Anonymous TLS connection established from a.example[192.0.2.1]: TLSv1.3 with",
    b"smtpd[7]: 1D8CC1CA0A7F: client=a.example[192.0.2.1]",
    b"smtpd[7]: 4ZxYw13vbXz9sQr: client=localhost[127.0.0.1], orig_client=b[192.0.2.2]",
    b"smtpd[7]: 1D8CC1CA0A7F: client=a[192.0.2.1], sasl_method=LOGIN, sasl_username=u",
    (
        b"smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.1.1 <u@example.org>: "
        b"Recipient address rejected: User unknown; from=<s@example.com> to=<u@example.org> "
        b"proto=ESMTP helo=<h>"
    ),
    (
        b"smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 Service unavailable; "
        b"Client host [192.0.2.1] blocked using bl.example; no; from=<s> to=<u> proto=SMTP helo=<h>"
    ),
    (
        b"smtpd[7]: 1D8CC1CA0A7F: reject: RCPT from b[192.0.2.1]: 450 4.7.1 <h>: Helo command "
        b"rejected: Host not found; from=<> to=<u@example.org> proto=ESMTP helo=<h>"
    ),
    b"smtpd[7]: NOQUEUE: reject: CONNECT from b[192.0.2.1]: 554 5.7.1 <b[192.0.2.1]>: no; proto=X",
    b"smtpd[7]: 1D8CC1CA0A7F: milter-reject: END-OF-MESSAGE from b[192.0.2.1]: 5.7.1 spam; from=",
    b"smtpd[7]: warning: b.example[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
    b"smtpd[7]: warning: hostname b.example does not resolve to address 192.0.2.1",
    b"smtpd[7]: warning: Connection rate limit exceeded: 31 from b[192.0.2.1] for service smtp",
    b"cleanup[8]: 1D8CC1CA0A7F: message-id=<20261022@example.com>",
    b"cleanup[8]: 1D8CC1CA0A7F: reject: header Subject: x from b[192.0.2.1]; from=<s> to=<u>",
    b"cleanup[8]: 1D8CC1CA0A7F: warning: header Subject: x from b[192.0.2.1]; from=<s> to=<u>",
    b"pickup[8]: 1D8CC1CA0A7F: uid=1000 from=<user>",
    b"qmgr[9]: 1D8CC1CA0A7F: from=<s@example.com>, size=1234, nrcpt=1 (queue active)",
    b"qmgr[9]: 1D8CC1CA0A7F: from=<s,t@example.com>, size=12345678, nrcpt=250 (queue active)",
    b"qmgr[9]: 1D8CC1CA0A7F: from=<s@example.com>, status=expired, returned to sender",
    b"qmgr[9]: 1D8CC1CA0A7F: removed",
    b"qmgr[9]: 2D8CC1CA0A7F: removed",
    b"qmgr[9]: 1D8CC1CA0A7F: skipped, still being delivered",
    b"qmgr[9]: warning: mail for example.org is using up 4001 of 4002 active queue entries",
    b"nqmgr[9]: 3D8CC1CA0A7F: from=<s@example.com>, size=1, nrcpt=1 (queue active)",
    (
        b"smtp[10]: 1D8CC1CA0A7F: to=<u@example.org>, relay=mx.example[198.51.100.7]:25, "
        b"delay=1.2, delays=0.1/0/0.5/0.6, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 1)"
    ),
    (
        b"smtp[10]: 1D8CC1CA0A7F: to=<u@example.org>, orig_to=<root>, relay=127.0.0.1[127.0.0.1]"
        b":10024, conn_use=2, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
    ),
    b"local[10]: 1D8CC1CA0A7F: to=<u@example.org>, relay=local, delay=0, status=sent (delivered)",
    b"error[10]: 1D8CC1CA0A7F: to=<u@example.org>, relay=none, delay=1, status=bounced (no)",
    b"lmtp[10]: 1D8CC1CA0A7F: to=<u@x>, relay=h[private/lmtp], delay=1, status=deferred (no)",
    b"smtp[10]: 1D8CC1CA0A7F: host mx[192.0.2.3] said: 450 no (in reply to RCPT TO command)",
    b"smtp[10]: connect to mx.example[192.0.2.3]:25: Connection timed out",
    b"bounce[11]: 1D8CC1CA0A7F: sender non-delivery notification: 2D8CC1CA0A7F",
    b"postscreen[12]: CONNECT from [192.0.2.1]:4 to [192.0.2.25]:25",
    b"postscreen[12]: PASS OLD [192.0.2.1]:4",
    b"postscreen[12]: COMMAND LENGTH LIMIT from [192.0.2.1]:4 after CONNECT: x",
    b"postscreen[12]: DNSBL rank 3 for [192.0.2.1]:4",
    b"postscreen[12]: cache btree:/x full cleanup: retained=1 dropped=2 entries",
    b"postscreen[12]: NOQUEUE: reject: RCPT from [192.0.2.1]:4: 550 5.7.1 Service unavailable",
    b"anvil[13]: statistics: max connection rate 1/60s for (smtp:192.0.2.1) at Oct 22 02:13:41",
)
# Also such as are left to the pattern, and all that follow them.
QUEUE = (
    *(message for message in MESSAGES if message.startswith(b"qmgr")),
    b"qmgr[123456789012345678901234567890]: 1D8CC1CA0A7F: removed",
    b"qmgr[9]: 123456789012345678901234567890: removed",
    b"qmgr[]: 1D8CC1CA0A7F: removed",
)
OTHERS = (
    b"Oct 22 02:13:41 mx dovecot: pop3-login: Login: user=<u>, rip=192.0.2.1",
    b"Oct 22 02:13:41 mx dovecot[71]: imap-login: Info: Login: user=<u>, rip=192.0.2.1",
    b"Oct 22 02:13:41 mx dovecot[71]: imap(u)<71><x>: Disconnected: Logged out in=1 out=2",
    b"Oct 22 02:13:41 mx dovecot: pop3-login: Aborted login (auth failed): user=<u>",
    b"Oct 22 02:13:41 mx pop3-login: Login: user=<u>, rip=192.0.2.1",
    b"Oct 22 02:13:41 mx imapd[7]: LOGIN, user=u, ip=[::ffff:192.0.2.1]",
    b"Oct 22 02:13:41 mx amavis[7]: (7-01) Passed CLEAN, [192.0.2.1] <s> -> <u>",
    b"Oct 22 02:13:41 mx postgrey/x[7]: action=pass",
    b"Oct 22 02:13:41 mx exim[7]: 1aBcDe-000001-AB <= s@example.com H=h [192.0.2.1] P=smtp S=9",
    b"Oct 22 02:13:41 mx sshd[7]: Invalid user x from 192.0.2.1",
    b"Oct 22 02:13:41 mx sm-mta[7]: xAMDFa1b: from=<s>, size=9, relay=h.example [192.0.2.1]",
)
# What a sender, or a damaged disk, may have put anywhere.
PIECES = (
    *(b"[", b"]", b"[]", b"]: ", b": ", b":", b"; ", b"; from=<", b">: ", b">", b"<", b",", b", "),
    *(
        b" ",
        b"  ",
        b"",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"/",
        b"postfix/",
        b"=",
        b"removed",
        b"x" * 70,
    ),
    *(b"connect from ", b"client=", b"from=", b"to=", b", size=", b", relay=", b" status=sent "),
    *(b"warning: ", b"reject: RCPT from ", b"lost", b"disconnect", b"SASL ", b"y" * 200, b"127."),
    *(b"localhost", b"[::1]", b"x[203.0.113.9]", b"7]: connect from x[203.0.113.9]", b"ABC: "),
    b" authentication failed",
    b"Oct 22 02:13:41 mx postfix/smtpd[7]: connect from x[203.0.113.9]",
)


@st.composite
def _lines(draw: st.DrawFn) -> list[bytes]:
    """Draw lines of one log: most of their heads have one form."""
    usual = draw(st.sampled_from((HEADS[:-1], HEADS[:2], HEADS[-1:], HEADS)))
    return draw(st.lists(_line(usual), min_size=1, max_size=12))


@st.composite
def _line(draw: st.DrawFn, heads: tuple[bytes, ...]) -> bytes:
    """Draw a line that Postfix, another program or an attacker may have written."""
    head, message = draw(st.sampled_from(heads)), draw(st.sampled_from(MESSAGES))
    # Each host and instance has a queue of its own.
    if not draw(st.integers(0, 20)):
        return draw(
            st.sampled_from((b"", b"no stamp", b"2026-10-22 02:13:41 1aBcDe-01-AB Completed"))
        )
    line = head + message.replace(b"D8CC1", b"D8CC%d" % max(2, HEADS.index(head)))
    if not draw(st.integers(0, 12)):
        line = draw(st.sampled_from(OTHERS))
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2, 3)))):
        start = draw(st.integers(0, len(line)))
        end = start + draw(st.sampled_from((0, 0, 1, 2, 8, 40)))
        line = line[:start] + draw(st.sampled_from(PIECES)) + line[end:]
    return line


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the lines that the pattern is given."""
    lines: list[bytes] = []

    def scan(_self: object, block: bytes, _family: object, _into: object) -> list[bytes]:
        lines.extend(block.splitlines())
        return []

    monkeypatch.setattr(PostfixScanner, "scan", scan)
    return lines


class TestBulk:
    @pytest.mark.parametrize("message", MESSAGES)
    @pytest.mark.parametrize("head", HEADS)
    def test_counts_each_form_as_the_pattern_does(self, head: bytes, message: bytes) -> None:
        """Every form that Postfix writes, in every stamp, is counted alike."""
        chunk = (head + message + b"\n") * 3

        assert counts(chunk, BY_BULK) == counts(chunk, BY_PATTERN)

    @given(_lines())
    @example(
        [HEADS[0] + b"smtpd[7]: warning: client=x[192.0.2.1]: SASL PLAIN authentication failed"]
    )
    @example([HEADS[0] + b"smtpd[7]: lostA: reject: RCPT from x[192.0.2.1]: 5 <>: no; from=<>"])
    def test_counts_what_the_pattern_counts(self, lines: list[bytes]) -> None:
        """Damaged lines and lines full of a sender's words are counted alike, and none is lost."""
        chunk = b"\n".join(lines) + b"\n"

        assert counts(chunk, BY_BULK) == counts(chunk, BY_PATTERN)

    def test_a_short_stamp_may_stand_between_long_ones(self) -> None:
        """A first line of Postfix with a stamp shorter than the others' hours is no trap."""
        stamp = b"2026-10-22T02:13:41.123456+02:00"
        lines = [OTHERS[0].replace(b"Oct 22 02:13:41", stamp)]
        lines += [b"Oct 22 02: mx postfix/smtpd[7]: connect from x[192.0.2.1]"]
        chunk = b"\n".join([*lines, *(HEADS[-1] + message for message in MESSAGES), *lines]) + b"\n"

        assert counts(chunk, BY_BULK) == counts(chunk, BY_PATTERN)

    @pytest.mark.parametrize("bulk_from", [BY_BULK, BY_PATTERN])
    @pytest.mark.parametrize("stamp", [b"Oct 22 02:13:41", b"2026-10-22T02:13:41Z"])
    def test_a_stamp_ends_at_its_blank(self, stamp: bytes, bulk_from: int) -> None:
        """Words of a sender that stand where longer stamps end make no head."""
        forged = b" mx postfix/smtpd[7]: connect from x[203.0.113.9]"
        real = HEADS[-1] + b"smtpd[7]: connect from a[192.0.2.1]"
        line = (stamp + b" mx su: ").ljust(len("2026-10-22T02:13:41.123456+02:00"), b"-") + forged

        scanner = LogScanner(bulk_from=bulk_from)

        found = scanner.scan(b"\n".join([real, line, real]) + b"\n")

        assert {client for events in found for client in events.connects} == {b"192.0.2.1"}

    def test_what_has_no_hour_is_unread(self) -> None:
        """A line that only looks like Postfix's where its stamp should be is not understood."""
        line = b" mx postfix/smtpd[7]: connect from x[192.0.2.1]"
        stamps = [b"x" * 15, b"Oct 22 02:13:41", b"Oct 22T02:13:41", b"2026-10-22 02:13:41"]
        stamps += [b"2026-10-22T02:13:41", b"2026-10-22 02:13:41"]
        chunk = b"".join(stamp + line + b"\n" for stamp in stamps)

        assert counts(chunk, BY_BULK) == counts(chunk, BY_PATTERN)

    def test_a_line_without_a_stamp_spoils_no_chunk(self, seen: list[bytes]) -> None:
        """Lines in another form, here and there, are all that the pattern gets to see."""
        lines = "".join(made_lines(1_000_000, iso=True)).encode().splitlines()
        odd = (b"no stamp", OTHERS[0], b"2026-10-22 02:13:41 1a-b-c <= s@x H=h [192.0.2.1]", b"")
        for number, line in enumerate(odd):
            lines.insert(1000 * number, line)
        chunk = b"\n".join(lines) + b"\n"

        counts(chunk, BY_BULK)

        assert len(seen) < len(lines) / 20

    @given(st.lists(st.sampled_from(QUEUE), min_size=1, max_size=20))
    def test_keeps_the_order_of_mails(self, messages: list[bytes]) -> None:
        """A mail that ends and one that becomes active with its id are told in their order."""
        chunk = b"".join(HEADS[0] + message + b"\n" for message in messages)

        (bulk,) = LogScanner(bulk_from=BY_BULK).scan(chunk)
        (pattern,) = LogScanner(bulk_from=BY_PATTERN).scan(chunk)

        assert (bulk.queue, bulk.active) == (pattern.queue, pattern.active)

    @pytest.mark.parametrize("words", [b"192.0.2.1", b"host [192.0.2.1] blocked", b"unknown"])
    def test_heeds_own_words_that_name_the_client(self, words: bytes) -> None:
        """What is remembered of a reply for all clients must not hide an address from our words."""
        lines = [HEADS[0] + message for message in MESSAGES if b"reject: RCPT" in message]
        lines += [line.replace(b"192.0.2.1", b"192.0.2.77") for line in lines]
        chunk, own = b"\n".join(lines) + b"\n", RejectKind("own", words)

        assert counts(chunk, BY_BULK, own) == counts(chunk, BY_PATTERN, own)

    def test_leaves_little_to_the_pattern(self, seen: list[bytes]) -> None:
        """Of a usual log the pattern sees few lines: that is what makes it fast."""
        chunk = "".join(made_lines(1_000_000, iso=True)).encode()

        counts(chunk, BY_BULK)

        assert len(seen) < chunk.count(b"\n") / 20

    def test_does_without_numpy(self, tmp_path: Path) -> None:
        """Without NumPy the pattern counts everything, with the same result."""
        log = tmp_path / "mail.log"
        log.write_text("".join(made_lines(1_000_000, iso=False)))
        program = (
            "import sys; sys.modules['numpy'] = None\n"
            "from pathlib import Path\n"
            "from tests.observers.maillog.comparing import counts\n"
            "chunk = Path(sys.argv[1]).read_bytes()\n"
            "print(counts(chunk, 0) == counts(chunk, sys.maxsize))\n"
        )

        done = subprocess.run(
            [sys.executable, "-c", program, log], capture_output=True, check=True, text=True
        )

        assert done.stdout == "True\n"

    def test_starts_no_threads(self) -> None:
        """NumPy's algebra would start a thread for each core, which burn time from the start."""
        chunk = "".join(made_lines(100_000, iso=True)).encode()

        counts(chunk, BY_BULK)

        assert os.environ["OPENBLAS_NUM_THREADS"] == "1"


class TestRealLines:
    def test_every_real_log_is_counted_alike(self, shared_logs: Path) -> None:
        """All logs that we have are counted as the pattern counts them, whatever they are."""
        lines = 0
        for path in sorted(path for path in shared_logs.rglob("*") if path.is_file()):
            for chunk in map(undress, chunks(path)):
                lines += chunk.count(b"\n")
                assert counts(chunk, BY_BULK) == counts(chunk, BY_PATTERN), path
        assert lines > 10_000
