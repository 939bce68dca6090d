"""The common lines of Postfix, counted by the thousand.

Each line is followed from its head, part by part, as the pattern of ``postfix`` does. Only lines
that are sure to be read alike are taken; all others are handed back for it, so that what a line
means is said in one place.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from botprobe.observers.maillog.bystanders import count_bystanders
from botprobe.observers.maillog.events import HourEvents
from botprobe.observers.maillog.heads import Family
from botprobe.observers.maillog.hours import Hours
from botprobe.observers.maillog.postfix import POSTSCREEN_EVENTS, PostfixScanner
from botprobe.observers.maillog.rows import (
    MAX_ROW,
    Bytes,
    Places,
    Rows,
    Start,
    Truths,
    find,
    first_word,
)

# How far is looked for the end of a part; what is longer is left to the pattern: a program with
# its process id, a queue id, a client or relay, a mail address, a key of a delivery, a reply.
_PROGRAM, _WORD, _NAME, _ADDRESS, _KEY, _REPLY = 24, 24, 64, 128, 40, MAX_ROW
# A stamp, a host and a syslog name.
_MAX_HEAD = 180
# A program's name with its bracket.
_MAX_NAME = 16
# More keys of a delivery, or semicolons in a reply, are left to the pattern, too.
_MAX_PARTS = 6
# So far from the end of its line stands what tells an active mail, at most:
# ", size=123456789, nrcpt=10 (queue active)".
_SIZE_TO_END = 43

_MESSAGE = Start(b"]: ")
_CONNECT = Start(b"]: connect from ")
_WARNING = Start(b"]: warning: ")
_PASSED = tuple(map(Start, (b"]: disconnect", b"]: lost", b"]: Anonymous")))
_BLANK = Start(b" ")
_CLIENT = Start(b": client=")
_REJECT = Start(b": reject: RCPT from ")
_ENVELOPE = Start(b" from=<")
_RECIPIENT_END = Start(b">: ")
_SASL = Start(b"]: SASL ")
_FAILED = Start(b" authentication failed")
_MESSAGE_ID = Start(b": message-id=")
_FROM = Start(b": from=")
_REMOVED = Start(b": removed")
_SIZE = Start(b", size=")
_SCREENED = {event.decode(): Start(b"]: %s " % event) for event in POSTSCREEN_EVENTS}
_UID = Start(b": uid=")
_TO = Start(b": to=")
_ORIG_TO = Start(b", orig_to=")
_RELAY = Start(b", relay=")
_COMMA = Start(b", ")
_STATUS = Start(b"status=")
_STATUSES = {
    status: Start(b"status=%s " % status)
    for status in (b"sent", b"deferred", b"bounced", b"expired")
}


class _Lines:
    """Lines of one program: ``head program[pid]: word after``."""

    def __init__(self, rows: Rows, numbers: Places, bracket: Places) -> None:
        self.rows = rows
        self.numbers = numbers
        self.bracket = bracket
        """Where the process id ends; the end of the line where there is none."""

    @cached_property
    def ends(self) -> Places:
        """Where the lines end."""
        return self.rows.ends[self.numbers]

    @cached_property
    def text(self) -> Bytes:
        """What stands at the bracket: ``]: ``, then the message."""
        return self.rows.at(self.bracket, _MESSAGE.size + _WORD)

    @cached_property
    def word(self) -> Places:
        """How long the message's first word is, a queue id often; 0 if it is not known."""
        word = first_word(self.text[:, _MESSAGE.size : _MESSAGE.size + _WORD])
        return word * _MESSAGE.of(self.text)

    @cached_property
    def after(self) -> Bytes:
        """What follows the word."""
        return self.rows.at(self.bracket + _MESSAGE.size + self.word, 24)

    def where(self, wanted: Truths) -> tuple[Places, "_Lines"]:
        """Return some of the lines, and which they are."""
        chosen = np.flatnonzero(wanted)
        return chosen, _Lines(self.rows, self.numbers[chosen], self.bracket[chosen])

    def follows(self, text: Start) -> Truths:
        """Say in which lines a text follows the first word."""
        return text.of(self.after) & (self.word > 0)

    def behind(self, text: Start) -> Places:
        """Return where each line goes on behind its first word and a text."""
        return self.bracket + (_MESSAGE.size + text.size) + self.word

    def clients(self, places: Places) -> tuple[Places, Places, Truths]:
        """Look for ``name[address]`` at a place of each line.

        Returns:
            Where the address begins, how long it is, and whether it is there.
        """
        opening = find(self.rows.at(places, _NAME), b"[")
        address = places + opening + 1
        length = find(self.rows.at(address, _NAME), b"]")
        return address, length, (opening > 0) & (length > 0) & (address + length < self.ends)


_Counting = Callable[[_Lines, Hours], Truths]


class BulkScanner:
    """Counts what is common in the lines of one family."""

    def __init__(self, postfix: PostfixScanner) -> None:
        self._postfix = postfix
        self._rows = Rows()
        delivering = (b"smtp", b"lmtp", b"local", b"virtual", b"pipe", b"error", b"relay")
        # Nothing is counted of what these log.
        silent = (b"bounce", b"anvil", b"scache", b"dnsblog", b"verify", b"master", b"tlsproxy")
        self._countings: tuple[tuple[tuple[Start, ...], _Counting], ...] = (
            (_programs(b"smtpd"), self._count_sessions),
            (_programs(b"cleanup"), _pass_cleanup),
            (_programs(b"qmgr"), _count_queue),
            (_programs(*delivering, b"discard"), self._count_deliveries),
            (_programs(b"pickup"), _count_pickups),
            (_programs(b"postscreen"), _count_screened),
            (_programs(*silent), _pass),
        )

    def scan(self, chunk: bytes, family: Family) -> list[tuple[HourEvents, bytes]]:
        """Count the lines of a family that are surely understood.

        Returns:
            For each hour its counts, and the lines that are still to be counted. Nothing if the
            chunk is not of whole lines in order, with stamps and heads of a usual size.
        """
        rows = self._rows
        loaded = _size(family) <= _MAX_HEAD and rows.load(chunk)
        hours = rows.hours(family.hour_width) if loaded else []
        if not hours:
            return []
        into = Hours(hours, family.hour_width)
        rest = ~self._count(rows, family, into)
        return [
            (events, rows.lines(np.flatnonzero(rest[hour.first : hour.behind]) + hour.first))
            for events, hour in zip(into.events, hours, strict=True)
        ]

    def _count(self, rows: Rows, family: Family, into: Hours) -> Truths:
        """Count lines and say which."""
        tag = Start(b" %s %s/" % (family.host, family.instance))
        head = rows.starts + family.stamp_width
        program = rows.at(head + tag.size, _PROGRAM)
        pid = find(program, b"]")
        nobody = (pid == 0) | (program[np.arange(len(pid)), pid - 1] == ord("["))
        bracket = np.where(nobody, rows.ends, np.minimum(head + tag.size + pid, rows.ends))
        name = np.ascontiguousarray(program[:, :_MAX_NAME])
        stamped = _stamped(rows, family) & into.usual
        ours = tag.of(rows.at(head, tag.size)) & stamped
        others = np.flatnonzero(~ours & stamped)
        counted = np.zeros(len(head), np.bool_)
        for names, count in self._countings:
            chosen = np.flatnonzero(ours & _any(names, name))
            if len(chosen):
                counted[chosen] = count(_Lines(rows, chosen, bracket[chosen]), into)
        if len(others):
            counted[others] = count_bystanders(rows, others, family, into)
        return counted

    def _count_sessions(self, lines: _Lines, into: Hours) -> Truths:
        sure = _any(_PASSED, lines.text)
        connects = _CONNECT.of(lines.text)
        chosen, those = lines.where(connects)
        sure[chosen] = _count_connects(those, into)
        chosen, those = lines.where(~connects & ~sure)
        sure[chosen] = self._count_events(those, into)
        return sure

    def _count_events(self, lines: _Lines, into: Hours) -> Truths:
        # No event but a connect has a blank behind its first word.
        sure = lines.follows(_BLANK)
        for wanted, count in (
            (lines.follows(_CLIENT), _count_accepted),
            (lines.follows(_REJECT), self._count_rejects),
            (_WARNING.of(lines.text), _count_sasl_failures),
        ):
            chosen, those = lines.where(wanted)
            if len(chosen):
                sure[chosen] |= count(those, into)
        return sure

    def _count_rejects(self, lines: _Lines, into: Hours) -> Truths:
        rows = lines.rows
        address, length, sure = lines.clients(lines.behind(_REJECT))
        sure &= _MESSAGE.of(rows.at(address + length, 8))
        reason, size = _reason(rows, address + length + 1, lines.ends)
        sure &= size > 0
        clients = rows.texts(address[sure], length[sure])
        reasons = rows.texts(reason[sure], size[sure])
        for events, part in into.parts(lines.numbers[sure]):
            self._postfix.count_rejects(clients[part], reasons[part], events)
        return sure

    def _count_deliveries(self, lines: _Lines, into: Hours) -> Truths:
        # What begins with a word and does not go on with to= is no delivery.
        sure = lines.word > 0
        chosen, those = lines.where(lines.follows(_TO))
        if len(chosen):
            sure[chosen] = self._count_recipients(those, into)
        return sure

    def _count_recipients(self, lines: _Lines, into: Hours) -> Truths:
        rows = lines.rows
        relay, length = _relay(rows, lines.behind(_TO))
        keys = relay + length + _COMMA.size
        ending = _skip(rows, keys, b" ", _STATUS, _KEY)
        sure = (length > 0) & _COMMA.of(rows.at(relay + length, 8)) & (ending < lines.ends)
        text = rows.at(ending, 24)
        counted = np.zeros(len(sure), np.bool_)
        for status, start in _STATUSES.items():
            same = start.of(text) & sure
            counted |= same
            relays = rows.texts(relay[same], length[same])
            for events, part in into.parts(lines.numbers[same]):
                self._postfix.count_deliveries(relays[part], status, events)
        return counted


def _any(texts: tuple[Start, ...], rows: Bytes) -> Truths:
    """Say which rows begin with one of some texts."""
    found = texts[0].of(rows)
    for text in texts[1:]:
        found |= text.of(rows)
    return found


def _stamped(rows: Rows, family: Family) -> Truths:
    """Say which stamps end, as stamps do, at the first blank behind their hour."""
    width = family.stamp_width - family.hour_width
    blank = find(rows.at(rows.starts + family.hour_width, width + 1), b" ")
    stamped: Truths = (blank == width) & (rows.starts + family.stamp_width < rows.ends)
    return stamped


def _size(family: Family) -> int:
    return family.stamp_width + len(family.host) + len(family.instance)


def _programs(*names: bytes) -> tuple[Start, ...]:
    return tuple(Start(name + b"[") for name in names)


def _count_connects(lines: _Lines, into: Hours) -> Truths:
    address, length, sure = lines.clients(lines.bracket + _CONNECT.size)
    clients = lines.rows.texts(address[sure], length[sure])
    for events, part in into.parts(lines.numbers[sure]):
        events.connects += clients[part]
    return sure


def _count_accepted(lines: _Lines, into: Hours) -> Truths:
    address, length, sure = lines.clients(lines.behind(_CLIENT))
    clients = lines.rows.texts(address[sure], length[sure])
    for events, part in into.parts(lines.numbers[sure]):
        events.accepted += clients[part]
    return sure


def _count_sasl_failures(lines: _Lines, into: Hours) -> Truths:
    rows = lines.rows
    name = lines.bracket + _WARNING.size
    address, length, sure = lines.clients(name)
    # Else the name is an event, and the warning its queue id.
    sure &= (name + find(rows.at(name, _NAME), b" ") > address) & ~lines.follows(_CLIENT)
    sure &= _SASL.of(rows.at(address + length, 8))
    mechanism = address + length + _SASL.size
    failed = mechanism + find(rows.at(mechanism, _WORD), b" ")
    sure &= _FAILED.of(rows.at(failed, 24)) & (failed < lines.ends)
    clients = rows.texts(address[sure], length[sure])
    for events, part in into.parts(lines.numbers[sure]):
        events.sasl_failures.update(clients[part])
    return sure


def _pass_cleanup(lines: _Lines, _into: Hours) -> Truths:
    return lines.follows(_MESSAGE_ID) & ~_WARNING.of(lines.text)


def _count_queue(lines: _Lines, into: Hours) -> Truths:
    # The order counts: from the first line on that is not sure, all are left to the pattern.
    sure = ~np.logical_or.accumulate(lines.word == 0)
    active = _active(lines)
    counted = (lines.follows(_REMOVED) | active) & sure
    places, lengths = lines.bracket[counted] + _MESSAGE.size, lines.word[counted]
    queue_ids, states = lines.rows.texts(places, lengths), active[counted].tolist()
    for events, part in into.parts(lines.numbers[counted]):
        events.queue += queue_ids[part]
        events.active += states[part]
    return sure


def _active(lines: _Lines) -> Truths:
    """Say in which lines a size stands behind the sender."""
    entered, sender = lines.follows(_FROM), lines.behind(_FROM)
    comma = np.maximum(lines.ends - _SIZE_TO_END, sender)
    comma += find(lines.rows.at(comma, _SIZE_TO_END), b",")
    active = entered & _SIZE.of(lines.rows.at(comma, 8)) & (comma < lines.ends)
    chunk = lines.rows.chunk
    for line in np.flatnonzero(entered & ~active).tolist():
        active[line] = chunk.find(b", size=", sender[line], lines.ends[line]) >= 0
    return active


def _count_pickups(lines: _Lines, into: Hours) -> Truths:
    sure = lines.follows(_UID)
    for events, part in into.parts(lines.numbers[sure]):
        events.pickups += part.stop - part.start
    return sure


def _count_screened(lines: _Lines, into: Hours) -> Truths:
    sure = np.zeros(len(lines.numbers), np.bool_)
    for name, start in _SCREENED.items():
        found = start.of(lines.text)
        sure |= found
        for events, part in into.parts(lines.numbers[found]):
            events.postscreen[name] += part.stop - part.start
    return sure


def _pass(lines: _Lines, _into: Hours) -> Truths:
    return np.ones(len(lines.numbers), np.bool_)


def _reason(rows: Rows, reply: Places, ends: Places) -> tuple[Places, Places]:
    """Look for the words of the server in replies, as ``rejects.reason_of`` cuts them out.

    Returns:
        Where they begin, and how long they are; 0 if that is not sure.
    """
    envelope = _skip(rows, reply, b";", _ENVELOPE, _REPLY)
    sure = _ENVELOPE.of(rows.at(envelope, 8)) & (envelope < ends)
    closing = reply + find(rows.at(reply, _REPLY), b">")
    named = (closing > reply) & (closing < envelope)
    # An address before the reason ends with the only ">" there.
    next_one = closing + 1 + find(rows.at(closing + 1, _REPLY), b">")
    sure &= ~named | (_RECIPIENT_END.of(rows.at(closing, 8)) & (next_one > envelope))
    reason = np.where(named, closing + _RECIPIENT_END.size, reply)
    size = envelope - 1 - reason
    return reason, np.where(sure & (size <= MAX_ROW), size, 0)


def _relay(rows: Rows, address: Places) -> tuple[Places, Places]:
    """Look for the relay behind the address of a delivery.

    Returns:
        Where it begins, and how long it is; 0 if it is not there.
    """
    comma = address + find(rows.at(address, _ADDRESS), b",")
    aliased = np.flatnonzero(_ORIG_TO.of(rows.at(comma, 16)))
    original = comma[aliased] + _ORIG_TO.size
    comma[aliased] = original + find(rows.at(original, _ADDRESS), b",")
    relay = comma + _RELAY.size
    return relay, find(rows.at(relay, _NAME), b",") * _RELAY.of(rows.at(comma, 8))


def _skip(rows: Rows, place: Places, mark: bytes, text: Start, width: int) -> Places:
    """Go on behind each mark until a text stands there; without it, to some other place."""
    place, going = place.copy(), np.arange(len(place))
    for _ in range(_MAX_PARTS):
        row = rows.at(place[going], width)
        length = np.where(text.of(row), 0, find(row, mark))
        going, length = going[length > 0], length[length > 0]
        if not len(going):
            break
        place[going] += length + 1
    return place
