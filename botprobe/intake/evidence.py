"""What speaks for a ``Received`` line being forged, in words.

Evidence and no verdict: chain mismatches stand in 16 % of honest mail and in 18 % of spam, dates
out of order in 10 % and 5 %. Only what cannot be true at all contradicts a line.
"""

import re
from datetime import timedelta
from typing import NamedTuple

from botprobe.intake.dates import IMPOSSIBLE
from botprobe.intake.literals import parse_literal
from botprobe.intake.networks import is_private, is_unroutable
from botprobe.model.mail import Hop, HopStatus

# Clocks that are set by hand differ by minutes.
CLOCK_TOLERANCE = timedelta(minutes=5)

# A day is more than any mistake about a time zone can explain.
IMPOSSIBLE_LEAD = timedelta(days=1)

# The last character of an address, in brackets or not.
_LITERAL_ENDS = frozenset("0123456789abcdefABCDEF:]?!")

_OCTETS = re.compile(r"[\[(][0-9]{1,3}(?:\.[0-9]{1,3}){3}[\])]")


def helo_evidence(hop: Hop) -> list[str]:
    """What the HELO gives away: the address of somebody else, or the name of the writer."""
    helo, ip = hop.helo, hop.ip
    if helo is None or ip is None:
        return []
    literal = parse_literal(helo.strip("[]?!")) if helo[-1] in _LITERAL_ENDS else None
    if literal is not None and literal != ip:
        return [f"{literal} is only the HELO that {ip} gave"]
    if hop.by is not None and helo.lower() == hop.by.lower() and not is_private(ip):
        return [f"its HELO {helo} is the name of the server that it spoke to"]
    return []


class Evidence(NamedTuple):
    """What speaks against a line."""

    contradictions: list[str]
    """What cannot be true."""
    oddities: list[str]
    """What is seldom in honest mail, and not always a forgery."""


def examine(hop: Hop, above: Hop | None, *, below_fields: bool) -> Evidence:
    """Examine a line that was not written by us.

    Args:
        hop: the line.
        above: the next newer line.
        below_fields: other fields of the message stand above it.
    """
    against = [reason for reason in hop.reasons if reason.startswith(IMPOSSIBLE)]
    odd = ["it stands below other fields of the message"] if below_fields else []
    if hop.ip is not None and is_unroutable(hop.ip):
        against.append(f"no host can send from {hop.ip}")
    if hop.ip is None and hop.status is HopStatus.PARSED and _OCTETS.search(hop.raw):
        against.append("its address has impossible octets")
    if above is not None and hop.at is not None and above.at is not None:
        lead = hop.at - above.at
        if lead > CLOCK_TOLERANCE:
            found = against if lead > IMPOSSIBLE_LEAD else odd
            found.append(f"dated {_span(lead)} after the line above it")
    if above is not None and above.ip is not None and not _continues(hop, above):
        peer = above.helo or above.rdns
        odd.append(f"written by {hop.by}, but the line above got the mail from {peer} ({above.ip})")
    return Evidence(against, odd + helo_evidence(hop))


def _continues(hop: Hop, above: Hop) -> bool:
    """Whether the writer of a line can be the peer of the line above it, as far as names tell."""
    by, helo, rdns = hop.by, above.helo, above.rdns
    if by is None or by in (helo, rdns) or (helo is None and rdns is None):
        return True
    own = organisation(by)
    if (helo and organisation(helo) == own) or (rdns and organisation(rdns) == own):
        return True
    return by[-1] in _LITERAL_ENDS and parse_literal(by) == above.ip


def organisation(host: str) -> str:
    """The domain below which an organisation names its hosts, as far as the name alone shows it.

    Two labels, or three where the second is short and below a country (``example.co.jp``).
    """
    labels = host.lower().rstrip(".").split(".")
    long = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3:] if long else labels[-2:])


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 3600} h {seconds // 60 % 60:02} m {seconds % 60:02} s"
