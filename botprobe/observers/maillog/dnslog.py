"""Query logs of DNS servers: BIND, unbound, dnsmasq, dnstap as text, iplog.

D_q is the number of queries that the mail server sends to its DNS server. Names in a query are
the sender's: each pattern finds the client by the head of the line, before any name.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

import msgspec

from botprobe.observers.maillog.dress import undress
from botprobe.observers.maillog.events import Unread
from botprobe.observers.maillog.files import split_long_lines
from botprobe.observers.maillog.heads import lines_of, split_hours

UNKNOWN_TYPE = "?"

# A client by its address, or by its name where iplog looks names up. A server's own questions to
# others (RQ, FQ, SQ, UQ of dnstap) are no queries of a client. iplog tells no type.
_CLIENT = rb"(?P<client>[0-9A-Fa-f.:]+)"
_TYPE = rb"(?P<type>[A-Za-z0-9=-]+)"
_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        # BIND: client @0x7f 192.0.2.1#5353 (name): view x: query: name IN MX +E(0) (server)
        (
            rb".{0,120}?\bclient (?:@0x[0-9a-f]+ )?" + _CLIENT + rb"#\d+(?: \([^\s]*\))?: "
            rb"(?:view [^\s]+: )?query: \S+ \S+ " + _TYPE + rb"(?= |$)"
        ),
        # dnsmasq: query[MX] name from 192.0.2.1, with log-queries=extra 7 192.0.2.1/5353 query[MX]
        (
            rb".{0,60}?\bdnsmasq\[\d+\]: (?:\d+ [^\s]+ )?(?:query|auth)\[" + _TYPE + rb"\] \S+ "
            rb"from " + _CLIENT
        ),
        # unbound: info: 192.0.2.1 name. MX IN
        (
            rb".{0,60}?\bunbound\[[\d:]+\]:? (?:\[[\d:]+\] )?(?:info|query): "
            + _CLIENT
            + rb" \S+ "
            + _TYPE
            + rb" (?:IN|CH|HS|ANY)\b"
        ),
        # dnstap-read: CQ 192.0.2.1:5353 -> 192.0.2.53:53 UDP 40b name/IN/MX
        (
            rb"\S+ \S+ [CA]Q " + _CLIENT + rb":\d+ -> \S+ [A-Za-z]+ \d+b "
            rb"\S+/[A-Z0-9]+/" + _TYPE
        ),
        # dnstap-ldns, and "dnstap -j" made a line: CQ 192.0.2.1 UDP 40b "name." IN MX
        (
            rb"\S+ \S+ [CA]Q " + _CLIENT + rb" [A-Za-z]+ \d+b "
            rb"\"(?:[^\"\\]|\\.)*\" [A-Z0-9]+ " + _TYPE
        ),
        # iplog: UDP: dgram to [server:]domain from 192.0.2.1:5353 (40 data bytes)
        (
            rb".{0,60}?\bUDP: dgram to (?:\S+:)?(?:domain|port 53) from "
            rb"(?P<client>[0-9A-Za-z_.:-]+):\d+ \("
        ),
        # and TCP: [server:]domain connection attempt from [user@]192.0.2.1:5353
        (
            rb".{0,60}?\bTCP: (?:domain|port 53) connection attempt (?:to \S+ )?from (?:\S*@)?"
            rb"(?P<client>[0-9A-Za-z_.:-]+):\d+$"
        ),
    )
)
_EPOCH = re.compile(rb"^\[(\d{9,11})\] ", re.MULTILINE)
# Lines that are no queries but belong into such logs.
_NO_QUERY = re.compile(
    rb"reply|cached|forwarded|config|response|\b(?:[A-Z]R|[RFSUT]Q) \S|notice|service|warning"
    rb"|\bunbound\[[\d:]+\]:? (?:\[[\d:]+\] )?info: [a-z]|\b(?:TCP|UDP|ICMP): "
)
# Lines of the message that "dnstap-read -p" prints behind each query.
_PART = re.compile(rb";|\s*$|\S+\t+\d+\t(?:IN|CH|HS)\t")


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
    chunk, too_long = split_long_lines(chunk)
    if chunk[:1] == b"{":
        chunk = b"".join(_tapped(line, zone) for line in lines_of(chunk))
    dated = _EPOCH.sub(lambda match: _iso(match[1], zone), undress(chunk, zone))
    counted = [_scan_hour(hour, block) for hour, block, _ in split_hours(dated)]
    for head in too_long:
        counted.append(DnsEvents(b"", 1))
        counted[-1].unread.skip(head)
    return counted


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
            if not _PART.match(line) and not (hour and _NO_QUERY.search(line)):
                events.unread.add(line)
    return events


class _TapMessage(msgspec.Struct):
    type: str
    query_time: datetime | None = None
    query_address: str = ""
    query_message: str = ""


class _Tap(msgspec.Struct):
    """The fields of a line of ``dnstap -j`` that are used."""

    message: _TapMessage


_TAP = msgspec.json.Decoder(_Tap)
_QUESTION = re.compile(r"^;(?!;)(\S+)\s+([A-Z]+)\s+(\S+)$", re.MULTILINE)


def _tapped(line: bytes, zone: tzinfo | None) -> bytes:
    """Rewrite a line of ``dnstap -j`` to the short form; any other line is returned as it is."""
    try:
        message = _TAP.decode(line).message
    except msgspec.DecodeError:
        return line + b"\n"
    if message.type not in {"CLIENT_QUERY", "AUTH_QUERY"} or message.query_time is None:
        return b"\n"
    # Behind the title stand the questions; what is before it may hold a text of the client.
    question = _QUESTION.search(message.query_message.rpartition(";; QUESTION SECTION:")[2])
    name, kind_class, kind = question.groups() if question else ("?", "IN", UNKNOWN_TYPE)
    at = f"{message.query_time.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    return f'{at} CQ {message.query_address} UDP 0b "{name}" {kind_class} {kind}\n'.encode()


def _iso(seconds: bytes, zone: tzinfo | None) -> bytes:
    at = datetime.fromtimestamp(int(seconds), tz=UTC).astimezone(zone)
    return f"{at:%Y-%m-%dT%H:%M:%S} - ".encode()
