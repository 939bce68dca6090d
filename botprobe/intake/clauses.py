"""The clauses of a ``Received`` field: ``from``, ``by``, ``via``, ``with``, ``id``, ``for``, date.

RFC 5321, section 4.4, gives the grammar; here it is read as loosely as mail servers write it, yet
a keyword counts only outside of comments, quoted strings and brackets, and what stands directly
behind ``from`` is data whatever it reads like. Every step takes linear time.
"""

import re
from typing import NamedTuple

from botprobe.intake.dates import trailing_date

_FLAT = r"\((?:[^()\\]++|\\.)*+\)"
_NESTED = r"\((?:[^()\\]++|\\.|{})*+\)"
# Postfix and Sendmail nest comments twice; deeper than four levels is an attack.
_COMMENT = _NESTED.format(_NESTED.format(_NESTED.format(_FLAT)))
_QUOTED = r'"(?:[^"\\]++|\\.)*+"'
_BRACKETED = r"\[[^\[\]()\"]*+\]"
_PLAIN = r"[^ ()\"\[\];]++"
# The first two alternatives are the plain cases of the next two, which are slower.
_TOKEN = re.compile(
    rf" ?({_PLAIN}(?![^ (])|\([^()\\]*+\)|(?:{_PLAIN}|{_QUOTED}|{_BRACKETED})++|{_COMMENT}"
    r'|[;()"\[\]])'
)
# The second reading of a field whose parentheses have no partners: in quotes they need none.
_QUOTING = rf"\((?:[^()\\\"]++|\\.|{_QUOTED}|\"|{_COMMENT})*+\)"
_QUOTING_TOKEN = re.compile(rf" ?({_QUOTING}|(?:{_PLAIN}|{_QUOTED}|{_BRACKETED})++|[;()\"\[\]])")
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
    """A field taken apart into tokens: words, and comments with their parentheses."""

    lead: list[str]
    """What stands before the first keyword."""
    sender: list[str] | None
    """``from``; None where the field has no such clause."""
    by: list[str] | None
    protocol: list[str]
    """``with``, or ``via`` where that is all there is."""
    id: list[str]
    recipient: list[str]
    """``for``."""
    second_sender: list[str]
    """A second ``from``: XMail puts the envelope sender there."""
    date: str
    """What follows the last semicolon."""
    tokens: list[str]
    """All of them, keywords included."""

    @property
    def damaged(self) -> bool:
        """Whether a parenthesis, bracket or quotation mark before ``by`` has no partner."""
        return not _STRAY.isdisjoint(self.lead + (self.sender or []))


_NOTHING: list[str] = []


def split_clauses(value: str) -> Clauses:
    """Take the value of a ``Received`` field apart; of a clause that occurs twice, the first.

    Args:
        value: on one line, words parted by single spaces.
    """
    body, date = _split_date(value)
    tokens = _TOKEN.findall(body)
    if '"' in body and not _STRAY.isdisjoint(tokens):
        again = _QUOTING_TOKEN.findall(body)
        tokens = again if _STRAY.isdisjoint(again) else tokens
    parts: dict[str, list[str]] = {}
    keyword, start, data = "", 0, -1
    for position, token in enumerate(tokens):
        if token in _KEYWORDS and position != data:
            parts.setdefault(keyword, tokens[start:position])
            keyword, start = _KEYWORDS[token], position + 1
            if keyword == "from":
                keyword = "second from" if "from" in parts else "from"
                data = start if "from" not in parts else data
    parts.setdefault(keyword, tokens[start:])
    get = parts.get
    return Clauses(
        parts[""],
        get("from"),
        get("by"),
        get("with") or get("via") or _NOTHING,
        get("id", _NOTHING),
        get("for", _NOTHING),
        get("second from", _NOTHING),
        date,
        tokens,
    )


def words_of(tokens: list[str]) -> list[str]:
    """The words of a clause."""
    return [token for token in tokens if token[0] != "(" and token not in _MARKS]


def comments_of(tokens: list[str]) -> list[str]:
    """The comments of a clause, without their parentheses."""
    return [token[1:-1] for token in tokens if token[0] == "(" and len(token) > 1]


def first_word(tokens: list[str]) -> str | None:
    """The first word of a clause."""
    if tokens and tokens[0][0] != "(" and tokens[0] not in _MARKS:
        return tokens[0]
    return next(iter(words_of(tokens)), None)


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
