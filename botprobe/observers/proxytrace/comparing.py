"""How well two legs fit: the same bytes in the same places, or the same times and sizes."""

import re
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from botprobe.observers.packets.streams import Content, Half, common_bytes
from botprobe.observers.proxytrace.legs import ClientLeg, MailLeg
from botprobe.observers.proxytrace.orders import Way

# An index over so many first bytes tells nearly all sessions apart; what is shorter proves nothing.
KEY_BYTES = 32
MIN_ALIGN = 16
# A proxy hands on within this time, in seconds; clocks of a capture's two ports differ by less.
MAX_LAG = 0.5
CLOCK_SLACK = 0.002
# What a record of TLS 1.0 to 1.3 adds to its content, in bytes: header, nonce, tag or MAC, padding.
TLS_OVERHEADS = frozenset(range(17, 90))

_HELLO = re.compile(rb"(?:EHLO|HELO) ", re.IGNORECASE)


class SameBytes(NamedTuple):
    """Bytes that both legs carried."""

    up: int
    down: int


class Symmetry(NamedTuple):
    """How alike the times and sizes of two legs are."""

    share: float
    """Of the mail leg's segments, those that have a counterpart in time, 0 to 1."""
    lag: float
    """Mean seconds between counterparts."""
    sizes: float
    """Of the mail leg's segments, those that the other carries longer by one amount, 0 to 1."""
    segments: int


def same_bytes(mail: MailLeg, client: ClientLeg) -> SameBytes | None:
    """Compare what went through both legs; None if they contradict each other."""
    if client.encrypted or (client.order is not None and client.order.way is Way.URI):
        return SameBytes(0, 0)
    up = _same_up(mail, client)
    down = None if up is None else _same_down(mail.answered, client.answered)
    return None if up is None or down is None else SameBytes(up, down)


def tunnel_key(client: ClientLeg) -> bytes | None:
    """Return the first bytes of a tunnel, None if its beginning is not known."""
    head = client.sent.head
    if client.order is None:
        hello = _HELLO.search(head)
        head = head[hello.start() :] if hello else b""
    return head[:KEY_BYTES] if len(head) >= KEY_BYTES else None


def _same_up(mail: MailLeg, client: ClientLeg) -> int | None:
    if client.order is not None and mail.up.from_start:
        return common_bytes(client.sent, mail.sent)
    shift = _shift(client.sent, mail.sent)
    if shift is None:  # the mail leg may begin before the client's, if the capture began between
        back = _shift(mail.sent, client.sent)
        return 0 if back is None else common_bytes(client.sent, mail.sent, -back)
    return common_bytes(client.sent, mail.sent, shift)


def _same_down(mail: Content, client: Content) -> int | None:
    shift = _shift(client, mail)
    return 0 if shift is None else common_bytes(client, mail, shift)


def _shift(whole: Content, part: Content) -> int | None:
    """Find where in one stream another one begins."""
    if not part.spans:
        return None
    start, data = part.spans[0]
    key = bytes(data[:KEY_BYTES])
    if len(key) < MIN_ALIGN:
        return None
    for place, span in whole.spans:
        at = span.find(key)
        if at >= 0:
            return place + at - start
    return None


def symmetry(mail: MailLeg, client: ClientLeg) -> Symmetry:
    """Compare times of what went through both legs, and sizes if one of them is encrypted."""
    count = len(mail.up.times) + len(mail.down.times)
    lags: list[float] = []
    for upwards, inner, outer in ((True, mail.up, client.up), (False, mail.down, client.down)):
        found = (_counterpart(outer, at, upwards=upwards) for at in inner.times)
        pairs = zip(found, inner.times, strict=True)
        lags += [abs(at - outer.times[place]) for place, at in pairs if place is not None]
    if not lags:
        return Symmetry(0, MAX_LAG, 0, count)
    fitting = 0
    if client.encrypted:
        fitting = _fitting(mail.up, client.up, upwards=True)
        fitting += _fitting(mail.down, client.down, upwards=False)
    return Symmetry(len(lags) / count, sum(lags) / len(lags), fitting / count, count)


def _fitting(inner: Half, outer: Half, *, upwards: bool) -> int:
    """Count the segments that come in the same order, each longer by the same few bytes."""
    first = inner.sizes[:2]
    longer = {large - small for small in first for large in outer.sizes} & TLS_OVERHEADS
    return max((_in_order(inner, outer, more, upwards=upwards) for more in longer), default=0)


def _in_order(inner: Half, outer: Half, more: int, *, upwards: bool) -> int:
    place, found = 0, 0
    for at, size in zip(inner.times, inner.sizes, strict=True):
        for here in range(place, len(outer.sizes)):
            # What came in goes out afterwards: sessions that say the same tell apart by this alone.
            lag = at - outer.times[here] if upwards else outer.times[here] - at
            if -CLOCK_SLACK <= lag <= MAX_LAG and outer.sizes[here] == size + more:
                place, found = here + 1, found + 1
                break
    return found


def _counterpart(outer: Half, at: float, *, upwards: bool) -> int | None:
    """The nearest segment that a proxy has handed on at a moment, or of which it is the origin."""
    if upwards:  # came in before
        last = bisect_right(outer.times, at + CLOCK_SLACK) - 1
        return last if last >= 0 and at - outer.times[last] <= MAX_LAG else None
    first = bisect_left(outer.times, at - CLOCK_SLACK)
    late = first >= len(outer.times) or outer.times[first] - at > MAX_LAG
    return None if late else first
