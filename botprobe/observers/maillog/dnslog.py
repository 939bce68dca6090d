"""Query logs of DNS servers: BIND, unbound, dnsmasq, dnstap as text, iplog.

D_q is the number of queries that the mail server sends to its DNS server. Names in a query are
the sender's: each pattern finds the client by the head of the line, before any name.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from botprobe.observers.maillog.events import Unread
from botprobe.observers.maillog.heads import lines_of, split_hours

UNKNOWN_TYPE = "?"

# iplog tells no type.
_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        # BIND: client @0x7f 192.0.2.1#5353 (name): view x: query: name IN MX +E(0) (server)
        (
            rb".{0,120}?\bclient (?:@0x[0-9a-f]+ )?(?P<client>[0-9A-Fa-f.:]+)#\d+(?: \([^\s]*\))?: "
            rb"(?:view [^\s]+: )?query: \S+ \S+ (?P<type>[A-Z0-9-]+)\b"
        ),
        # dnsmasq: query[MX] name from 192.0.2.1, with log-queries=extra 7 192.0.2.1/5353 query[MX]
        (
            rb".{0,60}?\bdnsmasq\[\d+\]: (?:\d+ [^\s]+ )?query\[(?P<type>[A-Z0-9-]+)\] \S+ "
            rb"from (?P<client>[0-9A-Fa-f.:]+)"
        ),
        # unbound: info: 192.0.2.1 name. MX IN
        (
            rb".{0,60}?\bunbound\[[\d:]+\]:? (?:\[[\d:]+\] )?(?:info|query): "
            rb"(?P<client>[0-9A-Fa-f.:]+) \S+ (?P<type>[A-Z0-9-]+) IN\b"
        ),
        # dnstap-read: CQ 192.0.2.1:5353 -> 192.0.2.53:53 UDP 40b name/IN/MX
        (
            rb"\S+ \S+ [A-Z]Q (?P<client>[0-9A-Fa-f.:]+):\d+ -> \S+ (?:UDP|TCP|DOT|DOH) \d+b "
            rb"\S+/IN/(?P<type>[A-Z0-9-]+)"
        ),
        # dnstap's own tool, short text with a date: CQ 192.0.2.1 UDP 40b "name." IN MX
        (
            rb"\S+ \S+ [A-Z]Q (?P<client>[0-9A-Fa-f.:]+) (?:UDP|TCP|DOT|DOH) \d+b "
            rb"\"[^\"]*\" IN (?P<type>[A-Z0-9-]+)"
        ),
        # iplog: UDP: dgram to domain from 192.0.2.1:5353 (40 data bytes)
        (
            rb".{0,60}?\bUDP: dgram to (?:domain|port 53) from (?:\S* )?"
            rb"(?P<client>[0-9A-Fa-f.:]+):\d+ \("
        ),
    )
)
_EPOCH = re.compile(rb"^\[(\d{9,11})\] ", re.MULTILINE)
# Lines that are no queries but belong into such logs.
_NO_QUERY = re.compile(
    rb"reply|cached|forwarded|config|response|\b[A-Z]R \S|notice|service|warning"
)


@dataclass(slots=True)
class DnsEvents:
    """Queries of one hour, per client and type."""

    stamp: bytes
    lines: int = 0
    queries: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    unread: Unread = field(default_factory=Unread)


def scan_dns_log(chunk: bytes, zone: tzinfo | None = None) -> list[DnsEvents]:
    """Count the queries in whole lines of a query log.

    Args:
        chunk: whole lines.
        zone: the zone whose days are counted where stamps are seconds since 1970 (unbound); None is
            the system's.
    """
    dated = _EPOCH.sub(lambda match: _iso(match[1], zone), chunk)
    return [_scan_hour(hour, block) for hour, block, _ in split_hours(dated)]


def _scan_hour(hour: bytes, block: bytes) -> DnsEvents:
    events = DnsEvents(hour)
    forms = list(_FORMS)
    for line in lines_of(block):
        events.lines += 1
        for position, form in enumerate(forms):
            match = form.match(line)
            if match is not None and hour:
                kind = match.groupdict().get("type")
                events.queries[match["client"], kind.decode() if kind else UNKNOWN_TYPE] += 1
                # The next line is most likely of the same form.
                forms.insert(0, forms.pop(position))
                break
        else:
            if not hour or not _NO_QUERY.search(line):
                events.unread.add(line)
    return events


def _iso(seconds: bytes, zone: tzinfo | None) -> bytes:
    at = datetime.fromtimestamp(int(seconds), tz=UTC).astimezone(zone)
    return f"{at:%Y-%m-%dT%H:%M:%S} - ".encode()
