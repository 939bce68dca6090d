"""Real logs of other people, counted against grep and against what their projects say they are."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from botprobe.observers.maillog.reader import ReadOptions, read_logs
from botprobe.observers.maillog.tally import HourCounts, LogTally
from tests.observers.maillog.conftest import CountLines

REAL_LOGS = (
    "pixelpark/test_mail.log",
    "kdent/mail.log",
    "kdent/mail2.log",
    "kdent/mail3.log",
    "louisitvn/mail.log",
    "louisitvn/postfix.log",
    "fonylew/maillog",
    "ladywhyfi/mail.log",
    "arnevdb/var_log_mail.log",
    "digineo/testdata_mail.log",
)
SMTPD = r"/smtpd\[[0-9]+\]: "
ID = r"[0-9A-Za-z]+: "
# What is expected of our kinds, by expressions of their own.
KINDS = {
    "relay-denied": "Relay access denied",
    "user-unknown": "User unknown",
    "dnsbl": "blocked using",
    "helo-rejected": "Helo command rejected",
    "sender-rejected": "Sender address rejected",
    "recipient-rejected": "Recipient address rejected: (Access|Policy)",
    "storage": "Insufficient system storage",
}


def _grep(path: Path, expression: str, *more: str) -> int:
    """Count lines as grep does."""
    found = subprocess.run(
        ["grep", "-aE", *more, expression, str(path)],
        capture_output=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    return len(found.stdout.splitlines())


def _clients(path: Path, expression: str) -> set[bytes]:
    """Return the bracketed addresses behind an expression, as grep finds them."""
    found = subprocess.run(
        ["grep", "-aoE", expression + r"[^[]*\[[^]]*\]", str(path)],
        capture_output=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    return {line.rpartition(b"[")[2].rstrip(b"]") for line in found.stdout.splitlines()}


def _read(path: Path) -> tuple[LogTally, HourCounts]:
    tally, total = LogTally(), HourCounts()
    read_logs([path], ReadOptions(first_year=2020), tally)
    for hour in tally.hours.values():
        total.update(hour)
    return tally, total


def annotated(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each line that fail2ban matches, with the host it expects."""
    expected: dict[str, str] | None = None
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("# failJSON:"):
            said = json.loads(line.partition(":")[2])
            expected = said if said["match"] else None
        elif line and not line.startswith("#") and expected is not None:
            yield line, expected["host"]
            expected = None


@pytest.mark.parametrize("name", REAL_LOGS)
class TestRealLogs:
    def test_counts_what_grep_counts(self, shared_logs: Path, name: str) -> None:
        """N_c, accepted mails, N_f with retries, deliveries and SASL failures are grep's."""
        path = shared_logs / name

        _, total = _read(path)

        assert total.connects == _grep(path, SMTPD + "connect from ")
        assert total.accepted == _grep(path, SMTPD + ID + "client=")
        assert total.activations == _grep(path, r"/qmgr\[[0-9]+\]: " + ID + "from=.*, size=")
        assert total.deliveries.total() == _grep(path, r"\]: " + ID + r"to=.*[ \"]status=[a-z]+")
        assert total.sasl_failures == _grep(path, SMTPD + "warning: .*: SASL .*tication failed")
        assert total.pickups == _grep(path, r"/pickup\[[0-9]+\]: " + ID + "uid=")

    def test_counts_rejects_by_kind(self, shared_logs: Path, name: str) -> None:
        """Each kind of reject is counted as often as its words stand in a reject."""
        path = shared_logs / name

        _, total = _read(path)

        reject = r"(smtpd|postscreen|cleanup)\[[0-9]+\]: .*reject: "
        assert total.rejects.total() == _grep(path, reject)
        for kind, words in KINDS.items():
            assert total.rejects[kind] == _grep(path, f"{reject}.*{words}"), kind

    def test_knows_the_clients(self, shared_logs: Path, name: str) -> None:
        """The clients that connected are those that grep finds, each with its address."""
        path = shared_logs / name

        tally, _ = _read(path)

        names = tally.clients.names()
        connected = {names[number] for day in tally.days.values() for number, _ in day.connects}
        assert connected == _clients(path, SMTPD + "connect from ")

    def test_understands_nearly_every_line(self, shared_logs: Path, name: str) -> None:
        """Fewer than one line in a thousand is not understood."""
        tally, _ = _read(shared_logs / name)

        assert tally.lines == len((shared_logs / name).read_bytes().splitlines())
        assert tally.unread.count < tally.lines / 1000


class TestFail2banLines:
    def test_rejects_have_the_host_that_is_expected(
        self, shared_logs: Path, count_lines: CountLines
    ) -> None:
        """Each reject or failed login is counted once, for the annotated host."""
        counted = 0
        path = shared_logs / "fail2ban" / "fail2ban_tests_files_logs_postfix"
        for line, host in annotated(path):
            tally = count_lines([line], date(2006, 1, 1))
            names = [name.decode() for name in tally.clients.names()]
            if re.search(r"reject: [A-Z]+ from", line):
                counted += 1
                refused = [n for counts in tally.reject_kinds.values() for n in counts.elements()]
                assert [names[number] for number in refused] == [host], line
            elif "rate limit exceeded" in line:
                counted += 1
                (kind,) = tally.reject_kinds
                assert (kind, names[next(iter(tally.reject_kinds[kind]))]) == ("rate", host)
            elif re.search(r"SASL \S+ authentication failed", line):
                counted += 1
                assert [names[n] for n in tally.sasl_clients.elements()] == [host], line
        assert counted > 30


class TestOtherServersLines:
    @pytest.mark.parametrize(
        ("name", "refusal", "least"),
        [
            ("sendmail-reject", r"reject=|\[rejected\]|rejecting commands", 20),
            ("sendmail-auth", r"AUTH failure", 7),
            ("exim", r"rejected|dropped|DROP in ACL|protocol error|authenticator failed", 30),
            ("exim-spam", r" rejected ", 4),
        ],
    )
    def test_refusals_have_the_host_that_is_expected(
        self, shared_logs: Path, count_lines: CountLines, name: str, refusal: str, least: int
    ) -> None:
        """Whom sendmail or Exim refused is counted once, for the annotated host."""
        counted = 0
        for line, host in annotated(shared_logs / "fail2ban" / f"fail2ban_tests_files_logs_{name}"):
            # FreeBSD's verbose syslog and a line without a stamp at its start are other dress.
            if re.search(refusal, line) and not re.search(r"<mail\.|^mail", line):
                counted += 1
                tally = count_lines([line], date(2022, 12, 31))
                names = [client.decode() for client in tally.clients.names()]
                found = [n for counts in tally.reject_kinds.values() for n in counts.elements()]
                found += tally.sasl_clients.elements()
                assert [names[number] for number in found] == [host], line
        assert counted >= least


class TestWhyscreamLines:
    def test_each_line_is_what_its_annotation_says(
        self, shared_logs: Path, count_lines: CountLines
    ) -> None:
        """Connections and rejects of smtpd have the client that the annotation names."""
        connects = rejects = 0
        for path in sorted((shared_logs / "whyscream").glob("test_smtpd_*.yaml")):
            fields = dict(re.findall(r"^ *(\w+): (.*)$", path.read_text(), re.MULTILINE))
            text = fields["data"].strip("\"'").replace('\\"', '"')
            client = fields.get("postfix_client_ip", "").strip('"')
            tally = count_lines([f"Oct 22 02:13:41 mx postfix/smtpd[7]: {text}"])
            names = [name.decode() for name in tally.clients.names()]
            (day,) = tally.days.values()
            if text.startswith("connect from "):
                connects += 1
                assert [names[n] for n, _ in day.connects] == [client], text
            elif fields.get("postfix_action") in {"reject", "milter-reject"}:
                rejects += 1
                assert [names[n] for n, _ in day.rejects] == [client], text
            else:
                assert not day.connects.counter(), text
                assert not day.rejects.counter(), text
        assert connects >= 1
        assert rejects >= 5


class TestCrowdsecLines:
    def test_rejects_are_counted(self, shared_logs: Path, count_lines: CountLines) -> None:
        """Every reject of smtpd and postscreen in crowdsec's samples is counted."""
        counted = 0
        for path in sorted((shared_logs / "crowdsec").glob(".tests_post*")):
            lines = path.read_text(encoding="utf-8").splitlines()
            tally = count_lines(lines)
            refused = sum(c.total() for c in tally.reject_kinds.values())
            assert refused == _grep(path, r"(smtpd|postscreen)\[[0-9]+\]: .*reject: [A-Z]+ from")
            counted += refused
        assert counted >= 10
