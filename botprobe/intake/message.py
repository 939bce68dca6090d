"""A message's header block read into a mail with its chain of hops.

Pure: bytes in, values out. Nothing that a message contains raises an error; what is damaged is
named in ``Mail.errors``.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from botprobe.intake.dates import parse_date
from botprobe.intake.header import Field, read_header
from botprobe.intake.literals import parse_literal
from botprobe.intake.mailaddresses import find_addresses
from botprobe.intake.received import parse_received
from botprobe.intake.trust import TrustSettings, judge_hops
from botprobe.model.mail import Boundary, Hop, HopStatus, Mail, Trust

# RFC 5321, section 6.3, takes a hundred hops for a loop. The newest are kept: the oldest are
# those that a sender can add at will.
MAX_HOPS = 100

MAX_TEXT = 1_000

_INFER = TrustSettings()

# Fields that the author's program writes; honest servers put their trace above them.
_AUTHOR_FIELDS = frozenset(
    ("from", "to", "cc", "subject", "date", "message-id", "mime-version", "content-type")
)
_ONCE = _AUTHOR_FIELDS | {"return-path", "delivered-to"}

# Where webmail and big providers write the address of their client, as SpamAssassin lists them.
_ORIGIN_FIELDS = {
    name.lower(): name
    for name in (
        "X-Yahoo-Post-IP",
        "X-Originating-IP",
        "X-Apparently-From",
        "X-SenderIP",
        "X-AOL-IP",
        "X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp",
    )
}
_WANTED = frozenset(_ONCE | {"received"} | _ORIGIN_FIELDS.keys())
_ORIGIN = re.compile(r"(?:\s*|.*?\bIp=)\[?([0-9A-Fa-f:.]{2,45})\]?\s*(?:[;,(]|$)", re.DOTALL)


def read_mail(data: bytes, file: str, settings: TrustSettings | None = None) -> Mail:
    """Read a message.

    Args:
        data: the message, or its first 64 KiB: no more is looked at.
        file: where it came from.
        settings: what is known about the own side; None infers it.
    """
    header = read_header(data, _WANTED)
    once: dict[str, str] = {}
    received: list[str] = []
    late: set[int] = set()
    origins: list[Field] = []
    for name, value in header.fields:
        if name == "received":
            if not _AUTHOR_FIELDS.isdisjoint(once):
                late.add(len(received))
            received.append(value)
        elif name in _ORIGIN_FIELDS:
            origins.append((name, value))
        else:
            once.setdefault(name, value)
    errors = header.errors
    if len(received) > MAX_HOPS:
        errors = (*errors, f"{len(received)} Received fields: only the newest {MAX_HOPS} are read")
    hops = [parse_received(value, index) for index, value in enumerate(received[:MAX_HOPS])]
    hops += _synthetic_hops(origins, len(hops))
    judged, boundary = judge_hops(hops, settings or _INFER, frozenset(late))
    return _mail(file, once, judged, boundary, errors)


def _mail(
    file: str,
    once: dict[str, str],
    hops: tuple[Hop, ...],
    boundary: Boundary,
    errors: tuple[str, ...],
) -> Mail:
    return Mail(
        file=file,
        message_id=_text(once.get("message-id")),
        sender=_first_address(once.get("from")),
        recipients=find_addresses(once["to"]) if "to" in once else (),
        subject=_decoded(once.get("subject")),
        date=parse_date(once["date"]) if "date" in once else None,
        envelope_from=_first_address(once.get("return-path")),
        envelope_to=_first_address(once.get("delivered-to")),
        delivered_at=_delivered_at(hops, boundary),
        boundary=boundary,
        hops=hops,
        errors=errors,
    )


def _synthetic_hops(fields: Iterable[Field], count: int) -> list[Hop]:
    """One hop for each field in which a provider wrote the address of its client."""
    hops: list[Hop] = []
    for name, value in fields:
        match = _ORIGIN.match(value)
        address = None if match is None else parse_literal(match[1])
        if address is None or count + len(hops) >= MAX_HOPS:
            continue
        hops.append(
            Hop(
                index=count + len(hops),
                status=HopStatus.PARSED,
                raw=f"{_ORIGIN_FIELDS[name]}: {_text(value)}",
                ip=address,
                trust=Trust.SYNTHETIC,
                reasons=("anybody can write this field: believe it only from a trusted host",),
            )
        )
    return hops


def _delivered_at(hops: Iterable[Hop], boundary: Boundary) -> datetime | None:
    """The date of the newest line, down to the boundary."""
    last = boundary.hop or 0
    for hop in hops:
        if hop.index > last:
            break
        if hop.at is not None and hop.status is not HopStatus.UNPARSEABLE:
            return hop.at
    return None


def _text(value: str | None) -> str | None:
    """A value on one line, of a length that can be shown."""
    return " ".join(value[: 2 * MAX_TEXT].split())[:MAX_TEXT] or None if value else None


def _decoded(value: str | None) -> str | None:
    """A text with its encoded words (RFC 2047) decoded, or as written where they are broken."""
    text = _text(value)
    if text is None or "=?" not in text:
        return text
    try:
        return _text(str(make_header(decode_header(text)))) or text
    except (HeaderParseError, LookupError, ValueError):
        return text


def _first_address(value: str | None) -> str | None:
    addresses = find_addresses(value) if value else ()
    return addresses[0] if addresses else None
