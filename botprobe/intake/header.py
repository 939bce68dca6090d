"""The header block of a message: bounded, tolerant, in one pass.

Fields end at the first empty line (RFC 5322, section 2.1). Survived are NUL and 8-bit bytes, bare
carriage returns, an mbox ``From `` line on top, lines that are no field, and headers without end.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

MAX_HEADER_BYTES = 64 * 1024

_NEXT_FIELD = re.compile(r"\n(?![ \t])")
NO_FIELD = "no header field found"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


Field = tuple[str, str]
"""Name in lower case, and value as it stands: folded."""


class Header(NamedTuple):
    """The wanted fields of a header block in their order, and what was wrong with it."""

    fields: list[Field]
    errors: tuple[str, ...]


def read_header(data: bytes, wanted: Collection[str]) -> Header:
    """Read header fields of a message, of which only the first 64 KiB are looked at.

    Args:
        data: the message, or at least its beginning.
        wanted: the names of the fields to return, in lower case.
    """
    block, errors = _header_block(data)
    text = block.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", " ")
    fields: list[Field] = []
    known = strangers = 0
    for line in _NEXT_FIELD.split(text):
        name, colon, value = line.partition(":")
        name = name.lower()
        if name in wanted and colon:
            fields.append((name, value))
        elif colon and name and " " not in name:
            known += 1
        elif colon and (name := name.rstrip()) in wanted:
            fields.append((name, value))
        elif line.strip() and (fields or known or not line.startswith("From ")):
            strangers += 1
    if not fields:  # binaries, too, have lines with a colon
        errors = (*errors, NO_FIELD)
    elif strangers:
        errors = (*errors, f"lines of the header that are no fields: {strangers}")
    return Header(fields, errors)


def _header_block(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Cut the header out of the message."""
    start = data[:MAX_HEADER_BYTES].removeprefix(_BYTE_ORDER_MARK).lstrip(b"\r\n")
    if b"\n" not in start:
        start = start.replace(b"\r", b"\n")
    end = _first_empty_line(start)
    if end >= 0:
        return start[:end], ()
    if len(data) > MAX_HEADER_BYTES:
        return start, (
            f"the header is longer than {MAX_HEADER_BYTES // 1024} KiB: the rest is cut",
        )
    return start, ()


def _first_empty_line(data: bytes) -> int:
    end = data.find(b"\n\n")
    if b"\r" in data:
        with_return = data.find(b"\n\r\n", 0, end if end >= 0 else None)
        return with_return if with_return >= 0 else end
    return end
