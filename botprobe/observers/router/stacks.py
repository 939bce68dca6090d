"""How many hosts stand behind an address, as far as the first packets of their connections tell.

Timestamps and IP identifications tell hosts apart no longer: both begin anew with each connection
today. What remains is the form of a SYN, which is that of the system: its hop limit, window and
options (p0f's documentation, "signature"). Two forms are two systems; several hosts of one system
look like one, so the answer is a lower bound.
"""

from bisect import bisect_left
from collections.abc import Collection
from typing import NamedTuple

# The options that systems differ in by order; values that differ by route or moment are left out.
_SCALE = 3
_END, _NOTHING = 0, 1
_START_LIMITS = (32, 64, 128, 255)


class Stack(NamedTuple):
    """The form of a SYN."""

    limit: int
    """The hop limit that it probably began with."""
    options: bytes
    """Kinds of the TCP options, in order."""
    scale: int
    """Window scale, -1 without."""


def count_systems(stacks: Collection[Stack]) -> int:
    """Return how many systems sent the SYNs, at least.

    A system that gets no answer tries again without its newer options, so a form without window
    scale is another system only if none with it has the same hop limit.
    """
    full = {stack for stack in stacks if stack.scale >= 0}
    limits = {stack.limit for stack in full}
    return len(full) + len({stack.limit for stack in stacks} - limits)


def read_stack(limit: int, options: bytes) -> Stack:
    """Read the form of a SYN.

    Args:
        limit: hop limit or time to live, as it came.
        options: those of TCP, as far as they were captured.
    """
    start = _START_LIMITS[bisect_left(_START_LIMITS, limit)]
    kinds, scale, at = bytearray(), -1, 0
    while at < len(options):
        kind = options[at]
        kinds.append(kind)
        if kind == _END:
            break
        if kind == _NOTHING:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2:
            break
        if kind == _SCALE and length == 3 and at + 2 < len(options):
            scale = options[at + 2]
        at += length
    return Stack(start, bytes(kinds), scale)
