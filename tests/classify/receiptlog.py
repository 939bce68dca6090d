"""Verdicts without any probing, on the log of a real mail server (postscreen and dnsblog, 2023).

``python -m tests.classify.receiptlog PIXELPARK.csv``; the table is made from the log by address.
The truth is behaviour that no rule sees: a client that speaks before the greeting is a bot
(postscreen's PREGREET; the words of other protocols are scanners), one that was handed on to smtpd,
was refused nothing and broke nothing off is none. Evidence is what is known at receipt: listings
in zen.spamhaus.org, the HELO where the log has it, the name where Postfix looked it up.

Read the figures with care: most of these bots are of one botnet (HELO ``ylmf-pc``), and postscreen
turned listed clients away before smtpd, so that by choice no sender of this table is listed.
"""

import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from botprobe.classify.classifier import judge
from botprobe.classify.evaluate import Judged, evaluate
from botprobe.classify.weights import Weights, load_weights
from botprobe.cli.evaluate import evaluation_screen
from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.outcome import Measured
from botprobe.model.results import DnsblAnswer, DnsblResult, DnsResult, PtrName
from botprobe.model.target import Sighting, Target
from botprobe.model.verdict import Label

R = TypeVar("R")

NOW = datetime(2023, 3, 17, tzinfo=UTC)
# Without a probe nobody is called a bot, so a suspicion is all that can be scored.
POSITIVE = frozenset({Label.BOT, Label.SUSPECTED_BOT})

_PREGREET = re.compile(r"(?:EHLO|HELO) ?(.*?)(?:\\r\\n.*)?", re.IGNORECASE)


def truth_of(row: Mapping[str, str]) -> str | None:
    """Say what a client is by its behaviour; None where that is open."""
    if row["pregreet"]:
        return "bot" if _PREGREET.fullmatch(row["pregreet"]) else None
    accepted = int(row["smtpd_connects"]) > 0 and row["rejects"] == row["lost_conn"] == "0"
    return "sender" if accepted and row["rdns"] not in {"", "unknown"} else None


def facts_of(row: Mapping[str, str], *, listed: bool) -> Facts:
    """Put together what the server knew when the client came."""
    codes = tuple(map(IPv4Address, row["zen_codes"].split()))
    answer = DnsblAnswer(zone="zen.spamhaus.org", codes=codes)
    facts = Facts(dnsbl=_measured(DnsblResult(answers=(answer,)))) if listed else Facts()
    if row["rdns"] in {"", "unknown"}:
        return facts
    names = (PtrName(name=row["rdns"], confirmed=True, mx_points_here=None),)
    return Facts(dnsbl=facts.dnsbl, dns=_measured(DnsResult(names=names)))


def target_of(row: Mapping[str, str]) -> Target:
    """Write the delivery as a mail would show it."""
    greeted = _PREGREET.fullmatch(row["pregreet"])
    helo = (greeted[1] if greeted else row["helo"]) or None
    sighting = Sighting(
        file="pixelpark",
        message_id=None,
        sender=None,
        recipients=(),
        hop=0,
        trust=Trust.BOUNDARY,
        helo=helo,
    )
    return Target(ip_address(row["ip"]), (sighting,))


def judged(
    rows: Sequence[Mapping[str, str]], weights: Weights, *, listed: bool
) -> Iterator[Judged]:
    """Judge the clients whose truth is known."""
    for row in rows:
        truth = truth_of(row)
        if truth is not None:
            verdict = judge(facts_of(row, listed=listed), target_of(row), weights, 0.0)
            yield Judged(
                label=verdict.label,
                truth=truth,
                is_bot=truth == "bot",
                probability=verdict.probability,
                evidence=verdict.evidence,
            )


def _measured(result: R) -> Measured[R]:
    return Measured(result, NOW, 0.0)


def main(arguments: Sequence[str]) -> int:
    """Print the figures with and without the lists; nothing where the log is absent."""
    path = Path(arguments[0])
    if not path.is_file():
        print(f"no labelled log at {path}: left out", file=sys.stderr)
        return 0
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    weights = load_weights((files("botprobe.classify") / "weights.toml").read_text("utf-8"))
    console = Console(highlight=False, width=120)
    for listed in (True, False):
        hosts = list(judged(rows, weights, listed=listed))
        found = evaluate(hosts, POSITIVE)
        what = "HELO, name and block list" if listed else "HELO and name alone"
        console.rule(f"{len(hosts)} of {len(rows)} clients of a real log, no probing: {what}")
        console.print(evaluation_screen(found, 0))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
