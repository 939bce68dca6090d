"""One ``Received`` field (RFC 5321, section 4.4) read into a hop.

The order of the work is the defence: the writer and so the format first, then each value from
the slot that this writer fills itself. Three results are told apart: a line that names no sending
host by design is *ignored*, a line with a place for an address but none in it is *parsed* without
one, and a line that has no recognisable form is *unparseable*.
"""

import re

from botprobe.intake.clauses import Clauses, comments_in, named_words, split_clauses
from botprobe.intake.dates import parse_stamp
from botprobe.intake.fromclause import FromClause, read_from_clause
from botprobe.intake.literals import parse_literal
from botprobe.intake.networks import is_loopback
from botprobe.intake.usual import read_usual
from botprobe.intake.writers import Writer, writer_of
from botprobe.model.mail import Hop, HopStatus, Trust

# Honest fields have a few hundred characters; certificates and recipients make a few thousand.
MAX_VALUE = 16 * 1024

_MERGED = re.compile(r"\sReceived:\s")
# RFC 3848 and RFC 6531, the older "asmtp" of Exim, and webmail.
_AUTH_PROTOCOLS = re.compile(
    r"(?:E?SMTPS?A|UTF8(?:SMTP|LMTP)S?A|LMTPS?A|ASMTP|HTTPU?)", re.IGNORECASE
)
_WEB = frozenset(("HTTP", "HTTPU"))
_AUTH_COMMENT = re.compile(
    r"(?:\w+ )?[Aa]uthenticated(?: (?:sender|user|as|id)\b)?[:=]?\s*+(?!bits=)([^\s(),;=]*)"
    r"|(?:\w+ )?[Aa]uthenticated\b"
    r"|(?:AUTH: [A-Z0-9-]+|smtp-auth username) ([^\s,()]+)"
)
_ENVELOPE = re.compile(
    r"(?:envelope-(?:from|sender)|return-path:?)[ =]\s*<?([^\s<>(),]*)", re.IGNORECASE
)
_HELO_BEHIND = re.compile(r"\([EH]{2}LO ([^\s()]+)\)")
_NO_HANDOVER = frozenset((Writer.FETCHER, Writer.NO_TRANSPORT))
_NO_HELO = frozenset((Writer.FETCHER, Writer.LOCAL))


def parse_received(value: str, index: int) -> Hop:
    """Read one field.

    Args:
        value: what stands behind ``Received:``, folded or not.
        index: its position in the header, 0 is the newest.

    Returns:
        The hop. By itself a line is a mere claim; ``trust.judge_hops`` can tell more from the
        chain. It never fails: what cannot be read has the status ``unparseable`` and a reason.
    """
    raw = " ".join(value.replace("\0", "").split())
    if len(raw) > MAX_VALUE:
        return _unparseable(index, raw[-MAX_VALUE:], f"longer than {MAX_VALUE} characters")
    return read_usual(raw, index) or read_any(raw, index)


def read_any(raw: str, index: int) -> Hop:
    """Read a field of any form, on one line."""
    merged = _MERGED.search(raw) if "Received:" in raw else None
    clauses = split_clauses(raw if merged is None else raw[: merged.start()])
    writer = writer_of(clauses)
    said = _from_clause(clauses, writer, raw)
    if said is None:
        return _unparseable(index, raw, "not a form of a Received field", clauses.date)
    if said.ip is None and clauses.sender is not None and clauses.damaged:
        reason = "a parenthesis, bracket or quotation mark has no partner"
        return _unparseable(index, raw, reason, clauses.date)
    status = _status(said, clauses, writer)
    greeted = status is HopStatus.PARSED or writer not in _NO_HELO
    protocol = clauses.protocol and clauses.protocol.rstrip(",")
    stamp = parse_stamp(clauses.date)
    oddities: list[str] = []
    if said.remark or stamp.fault or merged:
        merged_in = "another Received field is merged into it" if merged else ""
        oddities += filter(None, (said.remark, stamp.fault, merged_in))
    return Hop(
        index=index,
        status=status,
        raw=raw,
        ip=said.ip if status is HopStatus.PARSED else None,
        rdns=said.rdns,
        rdns_verified=said.verified,
        helo=_helo(said, protocol, clauses.protocol_comments) if greeted else None,
        by=_host(clauses.by),
        ident=said.ident,
        auth=_auth(said, protocol, raw),
        protocol=protocol,
        id=_bare(clauses.id),
        envelope_from=_envelope_from(clauses, raw),
        recipient=_bare(clauses.recipient),
        at=stamp.at,
        trust=Trust.CLAIMED if status is HopStatus.PARSED else None,
        reasons=tuple(oddities),
    )


def _unparseable(index: int, raw: str, reason: str, date: str = "") -> Hop:
    """A line of which at most the date can be told."""
    at = parse_stamp(date).at if date else None
    return Hop(index=index, status=HopStatus.UNPARSEABLE, raw=raw, at=at, reasons=(reason,))


def _from_clause(clauses: Clauses, writer: Writer, raw: str) -> FromClause | None:
    """Read the sending host; None where the field has no clause at all."""
    lead, sender = clauses.lead, clauses.sender
    if sender is not None and not lead:
        attached = bool(sender) and raw.startswith(f"{sender[0]}(", len("from "))
        return read_from_clause(clauses, writer, attached=attached)
    if lead[:6].lower() == "(from ":
        inner = split_clauses(lead[1:-1])  # (from x [1.2.3.4]) by gateway
        return read_from_clause(inner, writer, attached=False)
    spoken = clauses.by is not None or clauses.protocol or lead[:1] == "("
    return FromClause(has_slot=False) if spoken else None


def _status(said: FromClause, clauses: Clauses, writer: Writer) -> HopStatus:
    """Tell a handover from a line that names no sending host by design."""
    if writer in _NO_HANDOVER:
        return HopStatus.IGNORED
    if said.ip is None:
        slot = said.has_slot and writer is not Writer.LOCAL
        return HopStatus.PARSED if slot else HopStatus.IGNORED
    submitted = writer is Writer.LOCAL and said.ident is not None
    on_the_spot = clauses.by is None and is_loopback(said.ip)
    return HopStatus.IGNORED if submitted or on_the_spot else HopStatus.PARSED


def _auth(said: FromClause, protocol: str | None, raw: str) -> str | None:
    """Who authenticated, or how where the writer does not say who."""
    if said.user is not None:
        return said.user
    if " auth=yes user=" in raw:  # OpenSMTPD has no parentheses
        return raw.partition(" auth=yes user=")[2].partition(" ")[0]
    if "uthenticated" in raw or "AUTH:" in raw or "smtp-auth" in raw:
        comments = comments_in(raw)
        # The first comment holds what the sender is called, unless there is no address in it.
        for comment in comments[1:] if comments and "[" in comments[0] else comments:
            match = _AUTH_COMMENT.match(comment)
            if match is not None:
                return match[1] or match[2] or protocol or "authenticated"
    return protocol if protocol and _AUTH_PROTOCOLS.fullmatch(protocol) else None


def _envelope_from(clauses: Clauses, raw: str) -> str | None:
    second = clauses.second_sender
    if second is not None and second[0] == "<":
        return _bare(second)  # XMail: for <u> from <s>
    if "nvelope-" not in raw and "eturn-path" not in raw:
        return None
    # Exim's place for it; the others have as many places as there are.
    for part in (clauses.protocol_comments, raw):
        for comment in comments_in(part):
            if (match := _ENVELOPE.match(comment)) is not None:
                return match[1] or None
    words = named_words(raw)
    if "envelope-from" in words[:-1]:
        return _bare(words[words.index("envelope-from") + 1])  # Haraka has no parentheses
    return None


def _helo(said: FromClause, protocol: str | None, behind: str) -> str | None:
    """The HELO; webmail has none and repeats the client's address in its place."""
    if said.helo is None and (match := _HELO_BEHIND.match(behind.lstrip())) is not None:
        return match[1]  # ArGoSoft
    if protocol and said.helo and protocol.upper() in _WEB and parse_literal(said.helo):
        return None
    return said.helo or None


def _host(word: str | None) -> str | None:
    return word.strip("[]<>,") or None if word else None


def _bare(word: str | None) -> str | None:
    """A word without angle brackets and the comma behind it."""
    return word.rstrip(",").removeprefix("<").removesuffix(">") or None if word else None
