"""Text from outside, made harmless for a terminal, a log line or a page.

Headers are written by the people we investigate: escape sequences, bidirectional overrides and
invisible letters in them can forge what an operator sees (Unicode Technical Report 36).
"""

import re

_CONTROL = "\x00-\x1f\x7f-\x9f"
_SEPARATORS = "\u2028\u2029"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = (
    "\u00ad\u115f\u1160\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff\ufff9-\ufffb"
)
_TAGS = "\U000e0000-\U000e0fff"
_SURROGATES = "\ud800-\udfff"

# A spreadsheet would run what begins with one of these (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_HARMFUL = re.compile(f"[{_CONTROL}{_SEPARATORS}{_BIDI}{_INVISIBLE}{_TAGS}{_SURROGATES}]")


def visible(text: str) -> str:
    r"""Write control, bidirectional, invisible and surrogate characters as ``\x1b``-like escapes.

    Everything else, a backslash included, stays as it is; the result is one line.
    """
    return _HARMFUL.sub(_escape, text)


def spreadsheet_cell(text: str) -> str:
    """Make text visible, and harmless for a spreadsheet: a formula sign in front is quoted."""
    return f"'{visible(text)}" if text.startswith(_FORMULA) else visible(text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
