"""One ``Received`` field (RFC 5321, section 4.4) read into a hop.

The order of the work is the defence: the writer and so the format first, then each value from
the slot that this writer fills itself. Three results are told apart: a line that names no sending
host by design is *ignored*, a line with a place for an address but none in it is *parsed* without
one, and a line that has no recognisable form is *unparseable*.
"""

import re
from itertools import pairwise

from botprobe.intake.clauses import Clause, Clauses, split_clauses
from botprobe.intake.dates import parse_stamp
from botprobe.intake.literals import parse_literal
from botprobe.intake.origin import Origin, read_origin
from botprobe.intake.writers import Writer, writer_of
from botprobe.model.mail import Hop, HopStatus

# Honest fields have a few hundred characters; certificates and recipients make a few thousand.
MAX_VALUE = 16 * 1024

_SPACE = re.compile(r"\s+")
_MERGED = re.compile(r"\sReceived:\s", re.IGNORECASE)
# RFC 3848, the older "asmtp" of Exim, and webmail.
_AUTH_PROTOCOL = re.compile(
    r"(?:E?SMTPS?A|ASMTP|LMTPS?A|UTF8SMTPS?A|UTF8LMTPS?A|HTTPU?)$", re.IGNORECASE
)
_AUTH_COMMENT = re.compile(
    r"(?:\w+ )?[Aa]uthenticated(?: (?:sender|user|as|id)\b)?[:=]?\s*+(?!bits=)([^\s(),;=]*)"
    r"|(?:\w+ )?[Aa]uthenticated\b"
    r"|AUTH: (?:[A-Z0-9-]+) ([^\s,()]+)"
)
_ENVELOPE = re.compile(
    r"(?:envelope-(?:from|sender)|return-path:?)[ =]\s*<?([^\s<>(),]*)", re.IGNORECASE
)
_HTTP = frozenset(("http", "httpu"))


def parse_received(value: str, index: int) -> Hop:
    """Read one field.

    Args:
        value: what stands behind ``Received:``, folded or not.
        index: its position in the header, 0 is the newest.

    Returns:
        The hop, without a judgement on its trust. It never fails: what cannot be read has the
        status ``unparseable`` and a reason.
    """
    raw = _SPACE.sub(" ", value.replace("\0", "")).strip()
    if len(raw) > MAX_VALUE:
        return _unparseable(index, raw[-MAX_VALUE:], f"longer than {MAX_VALUE} characters")
    merged = _MERGED.search(raw)
    clauses = split_clauses(raw if merged is None else raw[: merged.start()])
    writer = writer_of(clauses)
    origin = _origin(clauses, writer, raw)
    if origin is None:
        return _unparseable(index, raw, "not a form of a Received field")
    sender = clauses.get("from")
    if clauses.damaged and sender.words and not (origin.ip and sender.comments):
        return _unparseable(index, raw, "a parenthesis, bracket or quotation mark has no partner")
    protocol = _protocol(clauses)
    stamp = parse_stamp(clauses.date)
    reasons = (
        origin.remark,
        stamp.fault,
        "another Received field is merged into this line" if merged else "",
    )
    return Hop(
        index=index,
        status=_status(origin, clauses, writer),
        raw=raw,
        ip=None if writer in _NO_HANDOVER else origin.ip,
        rdns=origin.rdns,
        rdns_verified=origin.verified,
        helo=_helo(origin, protocol),
        by=_host(clauses.get("by").word),
        ident=origin.ident,
        auth=_auth(clauses, origin, protocol),
        protocol=protocol,
        id=_bare(clauses.get("id").word),
        envelope_from=_envelope_from(clauses, raw),
        recipient=_bare(clauses.get("for").word),
        at=stamp.at,
        reasons=tuple(filter(None, reasons)),
    )


_NO_HANDOVER = frozenset((Writer.FETCHER, Writer.LOCAL))


def _unparseable(index: int, raw: str, reason: str) -> Hop:
    return Hop(index=index, status=HopStatus.UNPARSEABLE, raw=raw, reasons=(reason,))


def _origin(clauses: Clauses, writer: Writer, raw: str) -> Origin | None:
    """Read the sending host; None where the field has neither ``from`` nor ``by``."""
    lead, sender = clauses.lead, clauses.by_keyword.get("from")
    if sender is not None and not lead.comments and not lead.words:
        attached = bool(sender.words) and f"{sender.words[0]}(" in raw
        return read_origin(sender, writer, attached=attached)
    if lead.comments and lead.comments[0][:5].lower() == "from ":
        inner = split_clauses(lead.comments[0]).get("from")  # (from x [1.2.3.4]) by gateway
        return read_origin(inner, writer, attached=False)
    if lead.comments or "by" in clauses.by_keyword:
        return Origin(has_slot=False)
    return None


def _status(origin: Origin, clauses: Clauses, writer: Writer) -> HopStatus:
    if writer in _NO_HANDOVER or (origin.ip is None and not origin.has_slot):
        return HopStatus.IGNORED
    if origin.ip is not None and origin.ip.is_loopback and "by" not in clauses.by_keyword:
        return HopStatus.IGNORED
    return HopStatus.PARSED


def _protocol(clauses: Clauses) -> str | None:
    words = clauses.get("with").words or clauses.get("via").words
    if "tls" in words:
        words = words[: words.index("tls")]  # Exim: with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384
    return " ".join(words).rstrip(",") or None


def _auth(clauses: Clauses, origin: Origin, protocol: str | None) -> str | None:
    """Who authenticated, or how where the writer does not say who."""
    if origin.user is not None:
        return origin.user
    sender = clauses.get("from").comments
    # The first comment holds the sender's name and address, unless there is none in it.
    own = sender if origin.ip is None or "[" not in "".join(sender[:1]) else sender[1:]
    for clause in (Clause([], own), clauses.get("by"), clauses.get("id")):
        for comment in clause.comments:
            match = _AUTH_COMMENT.match(comment)
            if match is not None:
                return match[1] or match[2] or protocol or "authenticated"
    return protocol if protocol and _AUTH_PROTOCOL.match(protocol) else None


def _envelope_from(clauses: Clauses, raw: str) -> str | None:
    if "envelope-" not in raw and "eturn-path" not in raw:
        again = clauses.repeated.get("from")  # XMail: for <u> from <s>
        return _bare(again.word) if again and again.word and again.word[0] == "<" else None
    for clause in clauses.by_keyword.values():
        for comment in clause.comments:
            if (match := _ENVELOPE.match(comment)) is not None:
                return match[1] or None
        for word, following in pairwise(clause.words):
            if word.lower() == "envelope-from":
                return _bare(following)
    match = _ENVELOPE.search(clauses.date)
    return match[1] or None if match else None


def _helo(origin: Origin, protocol: str | None) -> str | None:
    """The HELO; webmail has none and repeats the client's address in its place."""
    if protocol and protocol.lower() in _HTTP and origin.helo and parse_literal(origin.helo):
        return None
    return origin.helo


def _host(word: str | None) -> str | None:
    return word.strip("[]<>,") or None if word else None


def _bare(word: str | None) -> str | None:
    """A word without angle brackets and the comma behind it."""
    return word.rstrip(",").removeprefix("<").removesuffix(">") or None if word else None
