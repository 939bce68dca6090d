"""The sending host as a ``Received`` field names it: address, HELO, reverse DNS, ident, login.

Each value is taken from the slot that the writing server fills itself. The address is never
looked for: what the sender can write (its HELO, its ident reply, names in its certificate) may
look like an address too. So the first comment behind the first word decides, except that a
comment with a HELO marker, as of qmail and CommuniGate, hands on to the next.
"""

import re
from typing import NamedTuple

from botprobe.intake.clauses import Clauses
from botprobe.intake.literals import parse_literal
from botprobe.intake.writers import Writer
from botprobe.model.mail import IpAddress


class FromClause(NamedTuple):
    """What a field says about the host that sent the mail to its writer."""

    ip: IpAddress | None = None
    helo: str | None = None
    rdns: str | None = None
    verified: bool | None = None
    """Whether the writer resolved the name back to the address; None is unknown."""
    ident: str | None = None
    user: str | None = None
    """Who authenticated."""
    has_slot: bool = True
    """Whether the field has a place for an address at all."""
    remark: str = ""
    """What is odd about the form."""


# [1.2.3.4], [[1.2.3.4], [1.2.3.4:25], [1.2.3.4]:25 and what follows up to the end of the comment.
_BRACKET_FIRST = re.compile(
    r"\s*+\[\[?([^\[\]\s]{0,90})(?:\](?::[0-9]{1,5}\b)?|$)\s*+(.*)", re.DOTALL
)
# name [1.2.3.4], name[1.2.3.4], ident@name [1.2.3.4], ident@[1.2.3.4] (may be forged); an ident may
# hold brackets of its own. The keys of other forms are no names.
_ADDRESS_BEHIND = r"\s*+\[([^\[\]\s]{0,90})(?:\sport:[0-9]+)?\](?=[\s(:]|$)(.*)"
_NAME_FIRST = re.compile(
    rf"\s*+(?!(?:helo|HELO|ident|port)=|account\s)()([^\s@\[\]\"]++){_ADDRESS_BEHIND}", re.DOTALL
)
_SENDMAIL_IDENT = re.compile(rf"\s*+(\S{{0,1000}})@([^\s@\[\]\"]*+){_ADDRESS_BEHIND}", re.DOTALL)
_IDENT_FIRST = re.compile(
    rf"(?!\s*(?:helo|HELO|ident|port)=|\s*account\s){_SENDMAIL_IDENT.pattern}", re.DOTALL
)
# 1.2.3.4, ident@1.2.3.4, 1.2.3.4:25, 1.2.3.4 with login; "1.2.3.4, HELO x" of smap
_BARE = re.compile(
    r"\s*+/?(?:(\S*)@)?((?:[Ii][Pp][Vv]6:)?[0-9A-Fa-f:.]{2,45})(?:%[^\s@\[\]]+)?(?:_trustedrelay)?"
    r"(?:\s+with\s+(\S+)|,\s*(?:HELO|EHLO)\s+(\S*))?\s*+"
)
# ident@[1.2.3.4] of qmail-ldap and IronPort; the third group is that of _BARE
_IDENT_BRACKET = re.compile(r"\s*+(?:(\S{0,1000})@)?\[([^\[\]\s]{0,90})\]()\s*+")
# Old OpenSMTPD writes the name and a bare IPv6 address.
_NAME_BARE_V6 = re.compile(r"(\S+)\s+((?:IPv6:)?[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]+)")

MARKERS = frozenset(("HELO", "EHLO", "LHLO"))
_ACCOUNT = re.compile(
    r"account\s+<?([^\s<>]*)>?(?:\s+(?:HELO|EHLO)\s+(.*)|\s+\[[^\[\]]*\]\s+(?:un)?verified)?",
    re.DOTALL,
)
# The keys of Exim, ecelerity and ZMailer behind the address.
_KEY_HELO = re.compile(r"(?:^|\s|\")(?:helo=|HELO=|HELO |EHLO |LHLO )([^\s\"]*|\"[^\"]*\")")
_KEY_IDENT = re.compile(r"(?:^|\s)ident=(\S*)")
_KEYS_ONLY = re.compile(r"(?>(?:(?:port|helo|ident)=\S*+(?: |$))+)")

# Formats without a HELO put the bare address first; such comments may follow it.
_AFTER_ADDRESS = re.compile(
    r"using TLS|(?:SquirrelMail|NaSMail) authenticated|proxying for|authenticated|account "
)
NO_NAME = frozenset(
    (
        *("unknown", "unverified", "unknownhost", "<unknown.domain>", ""),
        *("softdnserr", "nodnsquery", "nxdomain", "dnserror"),  # Courier, csmap, Haraka
    )
)
# The peer is a program on the same machine: a pipe, a socket file, a command.
_LOCAL = re.compile(
    r"(?:\S+@)?localhost(?:\.localdomain)?\s*$"
    r"|(?:\S+\s+)?\[{1,2}(?:local|unix\b|\?\.\?)|uid [0-9]|AUTH:",
    re.IGNORECASE,
)
_LOOPBACK = frozenset(("localhost", "127.0.0.1"))
_VERIFYING = frozenset((Writer.POSTFIX, Writer.EXIM))
_NOT_VERIFYING = frozenset((Writer.QMAIL, Writer.OPENSMTPD))
_QMAIL_LIKE = frozenset((Writer.QMAIL, Writer.CRITICAL_PATH, Writer.OTHER))


def read_from_clause(clauses: Clauses, writer: Writer, *, attached: bool) -> FromClause:
    """Read the ``from`` clause of a field.

    Args:
        clauses: the field.
        writer: who wrote it.
        attached: the first comment follows the first word without a space, as smap writes it.
    """
    words, comment = clauses.sender or (), clauses.comment
    if comment is None:
        return FromClause() if clauses.damaged else _without_comment(words, writer)
    first = words[0] or None
    if attached and first is not None:
        return _attached(clauses, first, comment, writer)
    if writer is Writer.EXIM and len(words) == 2 and (ip := _bracketed(words[1])) is not None:
        return FromClause(ip, comment, _name(first))  # Exim 3: rdns (helo) [1.2.3.4.25] (ident)
    if comment[:4].upper() in MARKERS and _is_marker(clauses, comment):
        return _with_marker(clauses, comment, writer)
    found = (
        _before_keys(words, comment, writer)
        or _helo_in_parentheses(clauses, comment, writer)
        or _with_comment(first, comment, writer)
        or _other_comment(words, comment, writer)
    )
    if found.ip is None and _LOCAL.match(comment) is not None:
        return found._replace(has_slot=False)
    return found


def _without_comment(words: tuple[str, ...], writer: Writer) -> FromClause:
    """``[1.2.3.4]``, ``1.2.3.4`` or ``name [1.2.3.4]``."""
    if len(words) == 1:
        # Postfix never leaves the comment out: such a word is a HELO, or the line is forged.
        ip = None if writer is Writer.POSTFIX else _literal(words[0])
        return FromClause(ip, None if ip else words[0], has_slot=ip is not None)
    if len(words) == 2 and (ip := _bracketed(words[1])) is not None:
        rdns = _name(words[0]) if writer is Writer.EXIM else None
        return FromClause(ip, words[0], rdns, True if rdns else None)
    if len(words) == 3 and writer is Writer.NOVELL:
        return FromClause(_bracketed(words[2]), words[0], user=words[1])
    if len(words) == 3 and words[1] == "-":
        return FromClause(parse_literal(words[2]), words[0])  # SMTPSVC 5.5
    # Several words are no HELO: mail pickup service, spooler of, account u.
    return FromClause(helo=words[0] if len(words) == 1 else None, has_slot=False)


def _attached(clauses: Clauses, first: str, comment: str, writer: Writer) -> FromClause:
    """``rdns(1.2.3.4, HELO x)`` and ``rdns(1.2.3.4), claiming to be "x"`` of smap, and others.

    A HELO may hold parentheses too, but then the true comment follows: two are one too many.
    """
    words = clauses.sender or ()
    if clauses.second_comment is not None:
        return FromClause(helo=first)
    if comment.startswith("mailfrom:"):  # Alibaba's relays, which leave out the HELO
        return FromClause(parse_literal(first))
    if (match := _BARE.fullmatch(comment)) is not None:
        claim = words[-1].strip('"') if "claiming" in words else match[4]
        return FromClause(
            parse_literal(match[2]), claim or None, _name(first), ident=match[1] or None
        )
    if writer is Writer.EXIM and len(words) == 1 and _KEYS_ONLY.fullmatch(comment) is not None:
        return _other_comment(words, comment, writer)
    return _with_comment(first, comment, writer) or FromClause(helo=first)


def _is_marker(clauses: Clauses, comment: str) -> bool:
    """Whether the first comment says the HELO; ``(helo [1.2.3.4])`` names a host called "helo"."""
    marker, _, rest = comment.partition(" ")
    if marker in MARKERS or marker.upper() not in MARKERS:
        return marker in MARKERS
    second = clauses.second_comment
    return rest[:1] != "[" or (second is not None and _BARE.fullmatch(second) is not None)


def _with_marker(clauses: Clauses, comment: str, writer: Writer) -> FromClause:
    """``rdns (HELO x) (ident@1.2.3.4)`` of qmail; ``[1.2.3.4] (HELO x)`` of CommuniGate."""
    helo = comment[5:].strip() or None
    words, second = clauses.sender or ("",), clauses.second_comment
    first = words[0] or None
    if second is not None:
        match = _BARE.fullmatch(second) or _IDENT_BRACKET.fullmatch(second)
        if match is not None:
            rdns = _name(first)
            verified = _verified(Writer.QMAIL if writer is Writer.OTHER else writer, rdns)
            ident, user = (None, match[1]) if match[3] else (match[1], None)
            return FromClause(parse_literal(match[2]), helo, rdns, verified, ident or None, user)
    if len(words) == 2 and (ip := _bracketed(words[1])) is not None:
        return FromClause(ip, helo, _name(first))
    return FromClause(_literal(first), helo)


def _before_keys(words: tuple[str, ...], comment: str, writer: Writer) -> FromClause | None:
    """``[1.2.3.4] (helo=x ident=y)`` of Exim; elsewhere it may also be an ident like a key."""
    if _KEYS_ONLY.fullmatch(comment) is None or _literal(words[0]) is None:
        return None
    if writer is not Writer.EXIM and _BARE.fullmatch(comment) is not None:
        return FromClause(helo=words[0])
    return _other_comment(words, comment, writer)


def _helo_in_parentheses(clauses: Clauses, comment: str, writer: Writer) -> FromClause | None:
    """``(x) (1.2.3.4)``: both may be addresses, and then the first is the HELO."""
    if clauses.second_comment is None or not clauses.sender or clauses.sender[0]:
        return None
    found = _with_comment(None, clauses.second_comment, writer)
    return found._replace(helo=f"({comment})") if found is not None and found.ip else None


def _with_comment(first: str | None, comment: str, writer: Writer) -> FromClause | None:
    """The forms whose first comment holds the address."""
    comment = comment.removeprefix("Not Verified")  # MailMarshal
    if (match := _NAME_FIRST.match(comment)) is not None and not _is_ident(match[4]):
        return _name_first(first, match, writer)
    if "@" not in comment and (found := _bracket_first(first, comment, writer)) is not None:
        return found
    ident_first = _SENDMAIL_IDENT if writer is Writer.SENDMAIL else _IDENT_FIRST
    if (match := ident_first.match(comment)) is not None and not _is_ident(match[4]):
        return _name_first(first, match, writer)
    if (match := _BARE.fullmatch(comment)) is not None:
        return _bare(first, match, writer)
    if (match := _NAME_BARE_V6.fullmatch(comment)) is not None:
        return FromClause(parse_literal(match[2]), first, _name(match[1]))
    return _bracket_first(first, comment, writer)


def _is_ident(rest: str) -> bool:
    """Whether what stood before was a sender's ident: the true address is behind its ``@``."""
    return "@" in rest.partition(" ")[0]


def _name_first(first: str | None, match: re.Match[str], writer: Writer) -> FromClause:
    """``(rdns [1.2.3.4] (may be forged))`` with an optional ``ident@`` before the name."""
    ident, name, literal, rest = match.groups()
    ip = parse_literal(literal)
    if first is None:
        return FromClause(ip, name)
    rdns = _name(name)
    verified = _verified(writer, rdns)
    if rdns and writer is Writer.SENDMAIL:
        verified = "may be forged" not in rest
    return FromClause(
        ip, first, rdns, verified, ident.removeprefix("IDENT:") or None if ident else None
    )


def _bracket_first(first: str | None, comment: str, writer: Writer) -> FromClause | None:
    """``([1.2.3.4]:25 helo=x ident=y)``, ``([1.2.3.4] verified)`` and ``([1.2.3.4])``."""
    match = _BRACKET_FIRST.match(comment)
    if match is None:
        return None
    ip, rest = parse_literal(match[1]), match[2]
    if not rest and writer is not Writer.EXIM:
        return FromClause(ip, first)
    remark = ""
    if rest[:1] == "[" and (second := _BRACKET_FIRST.match(rest)) is not None:
        other = parse_literal(second[1])
        remark = "two different addresses in the place of one" if ip and ip != other else ""
        ip = ip or other  # ([unknown] [1.2.3.4])
    helo = _KEY_HELO.search(rest)
    ident = _KEY_IDENT.search(rest) if "ident=" in rest else None
    named = helo or writer is Writer.EXIM or rest.startswith("verified")
    rdns = _name(first) if named else None
    return FromClause(
        ip,
        first if helo is None else helo[1].strip('"') or None,
        rdns,
        True if rdns and helo is None else _verified(writer, rdns),
        ident[1] or None if ident else None,
        remark=remark,
    )


def _bare(first: str | None, match: re.Match[str], writer: Writer) -> FromClause:
    """``(1.2.3.4)``: the first word is reverse DNS for qmail, the HELO for Exchange."""
    ip, ident = parse_literal(match[2]), match[1] or None
    if match[3] is not None:
        return FromClause(ip, first, user=ident)  # (bob@1.2.3.4 with login)
    smap = match[4] is not None
    rdns = _name(first) if smap or (writer in _QMAIL_LIKE and match[0][:1] != " ") else None
    return FromClause(ip, match[4] if smap else first, rdns, _verified(writer, rdns), ident)


def _other_comment(words: tuple[str, ...], comment: str, writer: Writer) -> FromClause:
    """``[1.2.3.4] (helo=x)`` of Exim, CommuniGate, webmail, and comments without an address."""
    first = words[0] or None
    if (account := _ACCOUNT.fullmatch(comment)) is not None:
        helo = account[2].strip() or None if account[2] else None
        return FromClause(_literal(first), helo, user=account[1] or None)
    if _KEYS_ONLY.fullmatch(comment) is not None:
        key, ident = _KEY_HELO.search(comment), _KEY_IDENT.search(comment)
        helo = key[1] or None if key else None
        return FromClause(_literal(first), helo, ident=ident[1] or None if ident else None)
    if len(words) == 1 and _AFTER_ADDRESS.match(comment) is not None:
        ip = None if writer is Writer.POSTFIX else _literal(first)
        return FromClause(ip, None if ip else first)
    if len(words) == 2 and (ip := _bracketed(words[1])) is not None:
        return FromClause(ip, comment, _name(first))
    nothing_said = comment == first or comment.lower() in NO_NAME or first in _LOOPBACK
    return FromClause(helo=first, has_slot=not nothing_said)


def _verified(writer: Writer, rdns: str | None) -> bool | None:
    if rdns is None:
        return None
    if writer in _VERIFYING:
        return True
    return False if writer in _NOT_VERIFYING else None


def _name(text: str | None) -> str | None:
    """A reverse DNS name as written; None for the words that stand for "there is none"."""
    if text is None or text[:1] == "[" or text.lower() in NO_NAME:
        return None
    return text.removesuffix(".") or None


def _literal(text: str | None) -> IpAddress | None:
    """``[1.2.3.4]``, ``[1.2.3.4]:25`` or ``1.2.3.4``."""
    return _bracketed(text) or parse_literal(text) if text else None


def _bracketed(text: str | None) -> IpAddress | None:
    match = re.fullmatch(r"\[([^\[\]]*)\](?::[0-9]{1,5})?,?", text) if text else None
    return parse_literal(match[1].strip()) if match else None
