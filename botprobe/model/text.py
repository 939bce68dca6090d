"""Text from outside, made harmless for a terminal, a log line or a page.

Headers are written by the people we investigate: escape sequences, bidirectional overrides and
invisible letters in them can forge what an operator sees (Unicode Technical Report 36).
"""

import re

_CONTROL = "\x00-\x1f\x7f-\x9f"
_SEPARATORS = "\u2028\u2029"
_SURROGATES = "\ud800-\udfff"
_PRIVATE = "\ue000-\uf8ff\U000f0000-\U0010ffff"
# Default_Ignorable_Code_Point of Unicode 16: bidirectional controls, variation selectors, tags and
# fillers; they are drawn as nothing. So is the empty Braille pattern.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# The other letters of category Cf change the look of their neighbours.
_FORMAT = (
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f"
)

# A spreadsheet would run what begins with one of these (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_HARMFUL = re.compile(f"[{_CONTROL}{_SEPARATORS}{_SURROGATES}{_PRIVATE}{_INVISIBLE}{_FORMAT}]")


def visible(text: str) -> str:
    r"""Write control, format, invisible, private and surrogate characters as ``\x1b``-like escapes.

    Everything else, a backslash included, stays as it is; the result is one line.
    """
    if text.isascii() and text.isprintable():
        return text  # nearly every text, and the class below is slow
    return _HARMFUL.sub(_escape, text)


def spreadsheet_cell(text: str) -> str:
    """Make text visible, and harmless for a spreadsheet: a formula sign in front is quoted."""
    return f"'{visible(text)}" if text.startswith(_FORMULA) else visible(text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def counted(count: int, noun: str, many: str | None = None) -> str:
    """Write a number with what it counts: ``1 address``, ``2,000 addresses``.

    Args:
        count: how many.
        noun: one of it.
        many: several of it, where that is not made by an s.
    """
    if count != 1:
        noun = many or (f"{noun}es" if noun.endswith("s") else f"{noun}s")
    return f"{count:,} {noun}"
