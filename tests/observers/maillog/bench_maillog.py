"""Speed and memory of the mail-log reader, beside what people use, in one run on one log.

Each program runs as a process of its own; CPU seconds are those of the process and its children.
"""

import argparse
import gzip
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

CLIENTS = 100_000
DAYS = 7

# A plain loop with one regular expression, as one writes it: connections per client only.
PLAIN_LOOP = """
import re, sys
from collections import Counter
pattern = re.compile(r"smtpd\\[\\d+\\]: connect from \\S*\\[([^\\]]+)\\]")
clients = Counter()
with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
    for line in log:
        match = pattern.search(line)
        if match:
            clients[match[1]] += 1
print(clients.total())
"""

OURS = """
import sys
from pathlib import Path
from botprobe.observers.maillog.reader import ReadOptions, read_logs
from botprobe.observers.maillog.tally import LogTally
if __name__ == "__main__":
    tally = LogTally()
    read_logs([Path(sys.argv[1])], ReadOptions(jobs=int(sys.argv[2])), tally)
    connects = sum(hour.connects for hour in tally.hours.values())
    print(connects, tally.unread.count, len(tally.clients))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one program took."""

    name: str
    wall: float
    cpu: float
    megabytes: float
    """Largest resident set of the process or of one of its children."""
    said: str


def made_lines(size: int, *, iso: bool) -> Iterator[str]:
    """Write a log of about ``size`` bytes: sessions of a busy server, half of them refused."""
    chance = random.Random(1)
    addresses = [".".join(str(chance.randrange(1, 255)) for _ in range(4)) for _ in range(CLIENTS)]
    at = datetime(2026, 9, 1)  # noqa: DTZ001  # a log's own clock
    step, written, number = DAYS * 86_400 / (size / 790), 0, 0
    while written < size:
        number += 1
        at += timedelta(seconds=chance.random() * 2 * step)
        stamp = f"{at:%Y-%m-%dT%H:%M:%S.%f}+09:00" if iso else f"{at:%b} {at.day:2d} {at:%H:%M:%S}"
        if number <= CLIENTS:
            address = addresses[number - 1]
        else:
            address = addresses[int(chance.paretovariate(0.5)) % CLIENTS]
        for line in _session(f"{stamp} mx1", address, number, chance):
            written += len(line)
            yield line


def _session(head: str, address: str, number: int, chance: random.Random) -> Iterator[str]:
    pid, queue_id = 1000 + number % 60_000, f"{number:X}{chance.randrange(16, 256):X}"
    host = "unknown" if number % 3 else f"mail{number % 997}.example{number % 3001}.net"
    peer, user = f"{host}[{address}]", f"user{number % 5000}@example.org"
    smtpd = f"{head} postfix/smtpd[{pid}]:"
    kind = chance.random()
    yield f"{smtpd} connect from {peer}\n"
    if kind < 0.55:
        if kind < 0.3:
            yield (
                f"{smtpd} Anonymous TLS connection established from {peer}: TLSv1.3 with cipher "
                "TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature "
                "RSA-PSS (2048 bits) server-digest SHA256\n"
            )
        yield f"{smtpd} {queue_id}: client={peer}\n"
        yield f"{head} postfix/cleanup[{pid}]: {queue_id}: message-id=<{number:x}@example.net>\n"
        yield (
            f"{head} postfix/qmgr[812]: {queue_id}: from=<s{number % 9000}@example.net>, "
            f"size={number % 90_000}, nrcpt=1 (queue active)\n"
        )
        yield (
            f"{head} postfix/smtp[{pid}]: {queue_id}: to=<{user}>, relay=mx.far{number % 501}.net"
            "[198.51.100.7]:25, delay=1.2, delays=0.1/0.01/0.5/0.6, dsn=2.0.0, status=sent "
            f"(250 2.0.0 Ok: queued as {number:X})\n"
        )
        yield f"{head} postfix/qmgr[812]: {queue_id}: removed\n"
        yield f"{smtpd} disconnect from {peer} ehlo=2 starttls=1 mail=1 rcpt=1 data=1 commands=7\n"
    elif kind < 0.85:
        reason = (
            f"550 5.1.1 <{user}>: Recipient address rejected: User unknown in local table",
            f"554 5.7.1 <{user}>: Relay access denied",
            f"554 5.7.1 Service unavailable; Client host [{address}] blocked using bl.example; no",
        )[number % 3]
        yield (
            f"{smtpd} NOQUEUE: reject: RCPT from {peer}: {reason}; from=<s@example.net> "
            f"to=<{user}> proto=ESMTP helo=<{host}>\n"
        )
        yield f"{smtpd} lost connection after RCPT from {peer}\n"
        yield f"{smtpd} disconnect from {peer} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4\n"
    elif kind < 0.95:
        yield f"{smtpd} warning: {peer}: SASL LOGIN authentication failed: UGFzc3dvcmQ6\n"
        yield f"{smtpd} disconnect from {peer} ehlo=1 auth=0/1 quit=1 commands=2/3\n"
    else:
        yield (
            f"{head} dovecot: pop3-login: Login: user=<{user}>, method=PLAIN, rip={address}, "
            f"lip=192.0.2.1, mpid={pid}, TLS, session=<{number:x}>\n"
        )


def run(name: str, *command: str) -> Run:
    """Run a program to its end and measure it."""
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        said = process.stdout.read() if process.stdout else b""
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    wall = time.monotonic() - started
    last = said.decode(errors="replace").strip().splitlines()[-1:] or [""]
    return Run(name, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, last[0][:40])


def programs(log: Path, packed: Path | None) -> Iterator[Run]:
    """Run all programs that are here on the log."""
    python = sys.executable
    yield run("botprobe, one process", python, "-c", OURS, str(log), "1")
    script = log.with_suffix(".py")
    script.write_text(OURS, encoding="utf-8")
    yield run("botprobe, two workers", python, str(script), str(log), "2")
    if packed is not None:
        yield run("botprobe, .gz, one process", python, "-c", OURS, str(packed), "1")
    yield run("grep -c 'connect from'", "grep", "-c", "connect from", str(log))
    yield run("plain Python loop (N_c only)", python, "-c", PLAIN_LOOP, str(log))
    if shutil.which("pflogsumm"):
        yield run("pflogsumm --smtpd-stats", "pflogsumm", "--smtpd-stats", str(log))


def show(form: str, size: int, runs: Iterator[Run]) -> None:
    """Print a table, line by line as the runs end."""
    print(f"\n{form}, {size / 1e6:,.0f} MB")
    print(f"{'':30}{'wall s':>8}{'CPU s':>8}{'MB/CPU s':>10}{'MB/s wall':>11}{'memory MB':>11}")
    for one in runs:
        print(
            f"{one.name:30}{one.wall:8.2f}{one.cpu:8.2f}{size / 1e6 / one.cpu:10,.0f}"
            f"{size / 1e6 / one.wall:11,.0f}{one.megabytes:11,.0f}   {one.said}",
            flush=True,
        )


def main() -> None:
    """Make the logs and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of each log")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for form in ("RFC 3164 stamps", "RFC 3339 stamps"):
            log = Path(directory, "mail.log")
            with log.open("w", encoding="ascii") as file:
                file.writelines(made_lines(wanted.megabytes * 1_000_000, iso="3339" in form))
            packed = Path(directory, "mail.log.gz")
            with log.open("rb") as plain, gzip.open(packed, "wb", compresslevel=4) as file:
                shutil.copyfileobj(plain, file, 1 << 20)
            show(form, log.stat().st_size, programs(log, packed))


if __name__ == "__main__":
    main()
