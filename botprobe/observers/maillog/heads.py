"""The head of a syslog line: when, which host, which program.

Three forms are common in files: RFC 3164 (``Oct 22 02:13:41 host tag[pid]:``), the same with an
RFC 3339 stamp, and the stamp of an Exim main log. What comes in other dress (RFC 5424, journald's
JSON, a leading priority) is first rewritten to the second form by ``dress``.
"""

import re
from typing import NamedTuple

_SYSLOG_HOUR = rb"([A-Z][a-z]{2} [ \d]?\d \d\d|\d{4}-\d\d-\d\dT\d\d)"
_HEAD = re.compile(_SYSLOG_HOUR + rb"(:[^ \n]*+) ([^ \n]++) ([^\[: \n]++)")
_HOUR = re.compile(
    rb"(?:[A-Z][a-z]{2} [ \d]?\d|\d{4}-\d\d-\d\d(?=[T ])|\d\d-[A-Z][a-z]{2}-\d{4})[T ]\d\d(?=:)"
)

# Daemons that write lines which are counted, or at least tell that a tag is Postfix's.
POSTFIX_PROGRAMS = frozenset(
    b"smtpd qmgr nqmgr oqmgr cleanup postscreen pickup smtp lmtp local virtual pipe error relay"
    b" discard bounce anvil scache master".split()
)

# A chunk that changes the hour more often is not in order: it is sorted line by line.
_MAX_RUNS = 16


class Family(NamedTuple):
    """What the heads of lines that follow each other have in common."""

    hour_width: int
    """How much of the stamp tells the hour."""
    stamp_width: int
    host: bytes
    instance: bytes
    """Postfix's syslog name, as far as the last slash: ``postfix``, ``postfix/submission``."""


class HourBlock(NamedTuple):
    """Whole lines whose stamps are of one hour."""

    hour: bytes
    """The start of the stamps, hour included."""
    block: bytes
    lines: int


class Head(NamedTuple):
    """The head of one line."""

    hour_width: int
    stamp_width: int
    host: bytes
    instance: bytes | None
    """None if the program is not one of Postfix's."""
    program: bytes
    """The tag behind its last slash."""
    end: int
    """Where the tag ends in the line."""

    @property
    def family(self) -> Family | None:
        """What it has in common with other lines of Postfix; None if it is not one."""
        if self.instance is None:
            return None
        return Family(self.hour_width, self.stamp_width, self.host, self.instance)


def head_of(line: bytes) -> Head | None:
    """Read the head of a line, None if it has none."""
    match = _HEAD.match(line)
    if match is None:
        return None
    hour, rest, host, tag = match.groups()
    instance, slash, program = tag.rpartition(b"/")
    ours = instance if slash and program in POSTFIX_PROGRAMS else None
    return Head(len(hour), len(hour) + len(rest), host, ours, program, match.end())


def stamp_hour(block: bytes, position: int = 0) -> bytes:
    """Return the start of the stamp at a position, hour included; ``b""`` if there is none."""
    found = _HOUR.match(block, position)
    return found[0] if found else b""


def is_syslog_hour(hour: bytes) -> bool:
    """Say whether the start of a stamp may be that of a head, and not of an Exim main log."""
    return re.fullmatch(_SYSLOG_HOUR, hour) is not None


def lines_of(block: bytes) -> list[bytes]:
    """Split at line feeds only: ``splitlines`` would let a carriage return begin a line."""
    return block.removesuffix(b"\n").split(b"\n") if block else []


def split_hours(block: bytes) -> list[HourBlock]:
    """Split whole lines by the hour of their stamps; lines without a stamp have the hour ``b""``.

    A log is nearly always in order, so the block is of one hour or falls into few runs.
    """
    first = _HOUR.match(block)
    if first is not None:
        behind = block.count(b"\n", 0, -1)
        if block.count(b"\n%s:" % first[0]) == behind:
            return [HourBlock(first[0], block, behind + 1)]
    runs: list[HourBlock] = []
    position = 0
    while position < len(block) and len(runs) < _MAX_RUNS:
        hour = stamp_hour(block, position)
        end = _end_of_run(block, position, hour)
        runs.append(HourBlock(hour, block[position:end], block.count(b"\n", position, end - 1) + 1))
        position = end
    return runs + _sorted_by_hour(block[position:])


def _end_of_run(block: bytes, position: int, hour: bytes) -> int:
    if not hour:
        return (block.find(b"\n", position) + 1) or len(block)
    # In a log that is in order nothing else stands before the hour's last line.
    last = block.rfind(b"\n%s:" % hour, position)
    if last < 0:
        last = position
    elif block.count(b"\n%s:" % hour, position) != block.count(b"\n", position, last + 1):
        stop = re.compile(rb"\n(?!%s:)" % re.escape(hour)).search(block, position)
        return stop.end() if stop else len(block)
    return (block.find(b"\n", last + 1) + 1) or len(block)


def _sorted_by_hour(block: bytes) -> list[HourBlock]:
    hours: dict[bytes, list[bytes]] = {}
    for line in lines_of(block):
        hours.setdefault(stamp_hour(line), []).append(line)
    return [HourBlock(hour, b"\n".join(lines) + b"\n", len(lines)) for hour, lines in hours.items()]
