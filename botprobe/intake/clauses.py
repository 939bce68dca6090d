"""The clauses of a ``Received`` field: ``from``, ``by``, ``via``, ``with``, ``id``, ``for`` and the date.

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
_TOKEN = re.compile(
    rf"""{_COMMENT}|(?:[^\s()"\[\];]++|{_QUOTED}|{_BRACKETED})++|[;()"\[\]]""", re.DOTALL
)
_STRAY = frozenset('()"[]')

_KEYWORDS = frozenset(("from", "by", "via", "with", "id", "for"))

# How many semicolons are tried from the right for the one that begins the date.
_MAX_SEMICOLONS = 8


class Clause(NamedTuple):
    """The words and the comments (without their parentheses) behind one keyword."""

    words: list[str]
    comments: list[str]

    @property
    def word(self) -> str | None:
        """The first word."""
        return self.words[0] if self.words else None


class Clauses(NamedTuple):
    """A field taken apart; of a clause that occurs twice, the first."""

    lead: Clause
    """What stands before the first keyword."""
    by_keyword: dict[str, Clause]
    repeated: dict[str, Clause]
    """The second clause with the same keyword."""
    date: str
    """What follows the last semicolon."""
    damaged: bool
    """A parenthesis, bracket or quotation mark before "by" has no partner."""

    def get(self, keyword: str) -> Clause:
        """The clause, an empty one where the field has none."""
        return self.by_keyword.get(keyword, _EMPTY)


_EMPTY = Clause([], [])


def split_clauses(value: str) -> Clauses:
    """Take the value of a ``Received`` field apart."""
    body, date = _split_date(value)
    tokens = _TOKEN.findall(body)
    clause = lead = Clause([], [])
    first: dict[str, Clause] = {}
    repeated: dict[str, Clause] = {}
    damaged = False
    expects_data = False
    for token in tokens:
        if token[0] == "(" and len(token) > 1:
            clause.comments.append(token[1:-1])
            expects_data = False
        elif token in _STRAY:
            damaged = damaged or "by" not in first
        elif not expects_data and (keyword := token.lower()) in _KEYWORDS:
            clause = Clause([], [])
            (repeated if keyword in first else first).setdefault(keyword, clause)
            expects_data = keyword == "from" and len(first) == 1
        elif token != ";":
            clause.words.append(token)
            expects_data = False
    return Clauses(lead, first, repeated, date, damaged)


def _split_date(value: str) -> tuple[str, str]:
    """Cut at the last semicolon outside of comments."""
    end = len(value)
    for _ in range(_MAX_SEMICOLONS):
        end = value.rfind(";", 0, end)
        if end < 0:
            break
        date = value[end + 1 :]
        if date.count("(") >= date.count(")"):
            return value[:end], date
    date = trailing_date(value)
    return value.removesuffix(date), date
