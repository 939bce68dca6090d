"""The clauses of a ``Received`` field: ``from``, ``by``, ``via``, ``with``, ``id``, ``for``, date.

RFC 5321, section 4.4, gives the grammar; here it is read as loosely as mail servers write it, yet
a keyword counts only outside of comments, quoted strings and brackets, and what stands directly
behind ``from`` is data whatever it reads like. Every step takes linear time.
"""

import re
from typing import NamedTuple

from botprobe.intake.dates import trailing_date

_FLAT = r"\((?>(?:[^()\\]++|\\.)*)\)"
_NESTED = r"\((?>(?:[^()\\]++|\\.|{})*)\)"
# Postfix and Sendmail nest comments twice; deeper than four levels is an attack.
_COMMENT = _NESTED.format(_NESTED.format(_NESTED.format(_FLAT)))
_QUOTED = r'"(?>(?:[^"\\]++|\\.)*)"'
_BRACKETED = r"\[[^\[\]()\"\\]*+\]"
_PLAIN = r"[^ ()\"\[\];\\]++"
# A backslash takes its letter along here as in quotes and comments. So an open quotation mark that
# has no partner is found out once and not for each mark behind it, which would cost quadratic time.
_WORD = rf"(?>(?:{_PLAIN}|\\[^ ]?|{_QUOTED}|{_BRACKETED})+)"
_TOKEN = re.compile(rf" ?({_PLAIN}(?![^ (])|\([^()\\]*+\)|{_WORD}|{_COMMENT}" r'|[;()"\[\]])')

# The second reading of a field whose parentheses have no partners: in quotes they need none.
_QUOTING = rf"\((?>(?:[^()\\\"]++|\\.|{_QUOTED}|\"|{_COMMENT})*)\)"
_QUOTING_TOKEN = re.compile(rf" ?({_QUOTING}|{_WORD}|[;()\"\[\]])")

_STRAY = frozenset('()"[]')
_MARKS = _STRAY | {";"}

_KEYWORDS = {
    spelling: keyword
    for keyword in ("from", "by", "via", "with", "id", "for")
    for spelling in (keyword, keyword.capitalize(), keyword.upper())
}

# How many semicolons are tried from the right for the one that begins the date.
_MAX_SEMICOLONS = 8


class Clauses(NamedTuple):
    """A field taken apart; of a clause that occurs twice, the first. Comments lack parentheses."""

    lead: str = ""
    """The word or comment that stands before the first keyword."""
    sender: tuple[str, ...] | None = None
    """The words behind ``from``, an empty one for a first that is missing; None without it."""
    comment: str | None = None
    """The first comment behind ``from``."""
    second_comment: str | None = None
    by: str | None = None
    """The first word behind ``by``, empty where there is none; None without it."""
    by_comment: str | None = None
    protocol: str | None = None
    """All words behind ``with``, or behind ``via`` where that is all there is."""
    protocol_comments: str = ""
    """The comments behind it, with their parentheses."""
    id: str | None = None
    recipient: str | None = None
    """The first word behind ``for``."""
    second_sender: str | None = None
    """The first word behind a second ``from``: XMail puts the envelope sender there."""
    date: str = ""
    """What follows the last semicolon."""
    damaged: bool = False
    """Whether a parenthesis, bracket or quotation mark before ``by`` has no partner."""


# Most fields are of this form; the tokens of the long way lead to the same result.
_INSIDE = r"(?>(?:[^()\\]++|\([^()\\]*+\))*)"
COMMENTS = rf"(?>(?: \({_INSIDE}\))*)"
NO_KEYWORD = r"(?!(?i:from|by|via|with|id|for)(?![^ (;]))"
_NAME = rf"{NO_KEYWORD}{_PLAIN}"
_USUAL = re.compile(
    rf"(?>(?:from ((?:{_PLAIN}|\[[^ \[\]()\"\\]*+\])(?![^ ]))"
    rf"(?: \(({_INSIDE})\)(?: \(({_INSIDE})\){COMMENTS})?)? )?)"
    rf"by ({_NAME})(?: ?\(({_INSIDE})\){COMMENTS})?"
    rf"(?: with ({_NAME}(?>(?: (?!tls(?![^ (;])){_NAME})*))((?>(?: \({_INSIDE}\)| tls {_NAME})*)))?"
    rf"(?: id ({_NAME}){COMMENTS})?"
    rf"( via (?>(?:{_NAME} ?)+))?"
    rf"(?: for ({_NAME}){COMMENTS})? ?"
    r";([^;()]*+(?>(?:\([^;()]*+\)[^;()]*+)*))"
)


def split_clauses(value: str) -> Clauses:
    """Take the value of a ``Received`` field apart.

    Args:
        value: on one line, words parted by single spaces.
    """
    usual = _USUAL.fullmatch(value)
    if usual is None:
        return split_tokens(value)
    first, comment, second, by, by_comment, protocol, behind, queue_id, via, recipient, date = (
        usual.groups()
    )
    if protocol is None and via is not None:
        return split_tokens(value)
    return Clauses(
        "",
        None if first is None else (first,),
        comment,
        second,
        by,
        by_comment,
        protocol,
        behind or "",
        queue_id,
        recipient,
        None,
        date,
    )


def split_tokens(value: str) -> Clauses:
    """Take the value of any ``Received`` field apart, token by token."""
    body, date = _split_date(value)
    tokens = _field_tokens(body)
    parts: dict[str, list[str]] = {}
    keyword, start, data = "", 0, -1
    for position in [at for at, part in enumerate(tokens) if part in _KEYWORDS]:
        if position == data:
            continue
        parts.setdefault(keyword, tokens[start:position])
        keyword, start = _KEYWORDS[tokens[position]], position + 1
        if keyword == "from" and "from" in parts:
            keyword = "second from"
        elif keyword == "from":
            data = start
    parts.setdefault(keyword, tokens[start:])
    lead, sender, by = parts[""], parts.get("from"), parts.get("by")
    protocol = parts.get("with") or parts.get("via") or []
    comments = _comments(sender or [])
    return Clauses(
        lead=lead[0] if lead else "",
        sender=None if sender is None else _sender_words(sender),
        comment=comments[0] if comments else None,
        second_comment=comments[1] if len(comments) > 1 else None,
        by=None if by is None else _first_word(by) or "",
        by_comment=next(iter(_comments(by or [])), None),
        protocol=" ".join(_before_tls(_words(protocol))) or None,
        protocol_comments=" ".join(f"({comment})" for comment in _comments(protocol)),
        id=_first_word(parts.get("id", [])),
        recipient=_first_word(parts.get("for", [])),
        second_sender=_first_word(parts.get("second from", [])),
        date=date,
        damaged=not _STRAY.isdisjoint(lead + (sender or [])),
    )


def comments_in(value: str) -> list[str]:
    """All comments of a field or of a part of it, without their parentheses."""
    return _comments(_tokens(value))


def named_words(value: str) -> list[str]:
    """All words of a field, keywords included."""
    return _words(_tokens(value))


def _field_tokens(body: str) -> list[str]:
    """The tokens of a field; a HELO with a mark that has no partner goes up to the next space."""
    tokens = _tokens(body)
    if body[:5].lower() == "from " and not _STRAY.isdisjoint(tokens):
        helo, _, rest = body[5:].partition(" ")
        again = _tokens(rest) if rest[:1] == "(" else []
        sender = again[: again.index("by")] if "by" in again else again
        if sender and _STRAY.isdisjoint(sender):
            return [*tokens[:1], helo, *again]
    return tokens


def _tokens(body: str) -> list[str]:
    tokens = _TOKEN.findall(body)
    if '"' in body and not _STRAY.isdisjoint(tokens):
        again = _QUOTING_TOKEN.findall(body)
        tokens = again if _STRAY.isdisjoint(again) else tokens
    return tokens


def _words(tokens: list[str]) -> list[str]:
    return [token for token in tokens if token[0] != "(" and token not in _MARKS]


def _comments(tokens: list[str]) -> list[str]:
    return [token[1:-1] for token in tokens if token[0] == "(" and len(token) > 1]


def _first_word(tokens: list[str]) -> str | None:
    return next(iter(_words(tokens)), None)


def _sender_words(tokens: list[str]) -> tuple[str, ...]:
    if not tokens or tokens[0][0] == "(":
        return ("", *_words(tokens))
    return (tokens[0], *_words(tokens[1:]))


def _before_tls(words: list[str]) -> list[str]:
    """Exim goes on behind the protocol: with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384."""
    return words[: words.index("tls", 1)] if "tls" in words[1:] else words


def _split_date(value: str) -> tuple[str, str]:
    """Cut at the last semicolon outside of comments."""
    end = len(value)
    for _ in range(_MAX_SEMICOLONS):
        end = value.rfind(";", 0, end)
        if end < 0:
            break
        date = value[end + 1 :]
        if ")" not in date or date.count("(") >= date.count(")"):
            return value[:end], date
    date = trailing_date(value)
    return value.removesuffix(date), date
