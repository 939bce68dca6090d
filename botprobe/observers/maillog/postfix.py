"""Postfix's own log lines, counted many lines at a time.

An attacker chooses much of what Postfix logs (HELO, addresses, pipelined data, subjects), and may
write ``/smtpd[1]: connect from x[192.0.2.1]`` there to blame somebody else. So each pattern
begins at the head of its line: time, host, syslog name, program. Neighbouring lines nearly always
share host and name, which is what makes this fast: one pattern per such family of heads.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from re import Pattern
from typing import TypeVar

from botprobe.observers.maillog.events import HourEvents, Way
from botprobe.observers.maillog.heads import Family
from botprobe.observers.maillog.rejects import (
    CONTENT,
    OTHER,
    RATE,
    RejectKind,
    reason_of,
    reject_kind,
)

# What the actions of access tables and milters are called in the log (access(5)).
_ACTION = (
    rb"(?:(?:milter-|proxy-)?reject|discard|hold|filter|redirect|reject_warning|warn|bcc|prepend): "
)

# postscreen(8) and POSTSCREEN_README.
POSTSCREEN_EVENTS = (
    *(b"CONNECT", b"DISCONNECT", b"PASS OLD", b"PASS NEW", b"PREGREET", b"HANGUP", b"DNSBL"),
    *(b"BLACKLISTED", b"DENYLISTED", b"WHITELISTED", b"ALLOWLISTED"),
    *(b"WHITELIST VETO", b"ALLOWLIST VETO", b"NON-SMTP COMMAND", b"BARE NEWLINE"),
    *(b"COMMAND TIME LIMIT", b"COMMAND COUNT LIMIT", b"COMMAND LENGTH LIMIT"),
    b"COMMAND PIPELINING",
)

# The words in braces are filled in. What follows an event is optional, so that an event in a
# form that we do not know is seen too, and counted as unread. A single pattern for all of them,
# because finding the heads of the lines is what takes the time.
# Groups: event, client, rest of the line; queue id, "s" where the mail becomes active; relay and
# status of a delivery; an event without a client; a line of another family.
_EVENTS = rb"""
\n(?:{head}(?:
 (?:smtpd\[{pid}\ (?!disconnect|lost|Anonymous)|cleanup\[{pid}\ |postscreen\[{pid}\ )
  (?:{id}\ )?(connect\ from\ |client=|{action}[A-Z-]++\ from[ ]
  |warning:\ (?=[^\[\n]*+\[[^\]\n]*+\][:\d]*+\ (?:SASL|for\ service)\ ))
  (?:[^\[\n]*+\[([^\]\n]++)\](?>(?::\d++)?)(.*+))?
 |[no]?qmgr\[{pid}\ ([0-9A-Za-z]++):\ (?:removed|from=.*,\ (s)ize=)
 |(?:smtp|local|lmtp|virtual|pipe|error|relay|discard)\[{pid}\ {id}\ to=
  (?:[^,\n]*+,\ (?>(?:orig_to=[^,\n]*+,\ )?)relay=([^,\n]*+),\ {keys}status=([a-z]++))?
 |(?:(?:cleanup|pickup)\[{pid}\ {id}|postscreen\[{pid})\ ({action}|uid=|(?:{screen})(?=\ ))
 )
|(?!{head}[^/\[\n]*+\[)(.++))"""

_LOOPBACK = re.compile(rb"\[(?:127\.|::1\])|^(?:127\.|localhost)")
# A log that changes host or syslog name more often than this builds patterns anew.
_MAX_FAMILIES = 256
# So many relays and replies are remembered, to look at each of them once.
_MAX_REMEMBERED = 10_000


_T = TypeVar("_T")


class _Remembered(dict[bytes, _T]):
    """What a function says of texts: most replies and relays come again and again."""

    def __init__(self, function: Callable[[bytes], _T]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, text: bytes) -> _T:
        if len(self) >= _MAX_REMEMBERED:
            self.clear()
        found = self[text] = self._function(text)
        return found


class PostfixScanner:
    """Counts the events of one family of lines after the other."""

    def __init__(self, own_kinds: Sequence[RejectKind] = ()) -> None:
        self._own_kinds = own_kinds
        self._patterns: dict[Family, Pattern[bytes]] = {}
        self._ways = _Remembered(_way)
        self._kinds = _Remembered(partial(reject_kind, own=own_kinds))

    def scan(self, block: bytes, family: Family, into: HourEvents) -> list[bytes]:
        """Count the lines of a family and return all other lines.

        Args:
            block: whole lines.
            family: the family to count.
            into: where to add the counts.
        """
        connects, accepted = into.connects, into.accepted
        sessions: list[tuple[bytes, bytes, bytes]] = []
        deliveries: defaultdict[bytes, list[bytes]] = defaultdict(list)
        others: list[bytes] = []
        pattern = self._pattern_of(family)
        # The pattern begins with the end of the line before; a copy of the block would cost more.
        first = b"\n" + block[: block.find(b"\n") + 1]
        found = chain(pattern.findall(first), pattern.findall(block))
        for event, client, rest, queue_id, active, relay, status, bare, other in found:
            if event == b"connect from " and client:
                connects.append(client)
            elif queue_id:
                into.queued(queue_id, active=active == b"s")
            elif event == b"client=" and client:
                accepted.append(client)
            elif event:
                sessions.append((event, client, rest))
            elif other:
                others.append(other)
            elif bare:
                _bare_event(bare, into)
            else:
                deliveries[status].append(relay)
        self._count_sessions(sessions, into)
        for _ in deliveries.pop(b"", ()):
            into.unread.add(b"to= without relay= and status=")
        for status, relays in deliveries.items():
            self.count_deliveries(relays, status, into)
        return others

    def count_deliveries(self, relays: Iterable[bytes], status: bytes, into: HourEvents) -> None:
        """Count deliveries that ended alike, given by their relays."""
        for way, count in Counter(map(self._ways.__getitem__, relays)).items():
            into.deliveries[way, status.decode()] += count

    def count_rejects(
        self, clients: Iterable[bytes], reasons: Iterable[bytes], into: HourEvents
    ) -> None:
        """Count refused commands, given by client and the words of the server."""
        kinds, rejects = self._kinds, into.rejects
        for client, reason in zip(clients, reasons, strict=True):
            rejects[kinds.get(reason) or self._kind_of(reason, client)].append(client)

    def _kind_of(self, reason: bytes, client: bytes) -> str:
        """Look a reason up; one that names the client is remembered for all clients."""
        # Our own words for kinds have no dots or colons, so an address is no part of them.
        if not self._own_kinds and (b"." in client or b":" in client):
            reason = reason.replace(client, b"*")
        return self._kinds[reason]

    def _count_sessions(self, sessions: list[tuple[bytes, bytes, bytes]], into: HourEvents) -> None:
        kinds = self._kinds
        for event, client, rest in sessions:
            if event == b"warning: ":
                if b" authentication failed" in rest:
                    into.sasl_failures[client] += 1
                elif rest.startswith(b" for service "):  # anvil(8): refused without a reject
                    into.refuse(client, RATE)
            elif not client:
                into.unread.add(event + b"without an [address]")
            elif b"reject: " in event:
                kind = kinds[reason_of(rest)]
                milter = kind == OTHER and event.startswith(b"milter-")
                into.refuse(client, CONTENT if milter else kind)
            else:
                into.actions[event.partition(b":")[0].decode()] += 1

    def _pattern_of(self, family: Family) -> Pattern[bytes]:
        pattern = self._patterns.get(family)
        if pattern is None:
            if len(self._patterns) >= _MAX_FAMILIES:
                self._patterns.clear()
            pattern = self._patterns[family] = _compile(_EVENTS, family)
        return pattern


def _bare_event(event: bytes, into: HourEvents) -> None:
    if event == b"uid=":
        into.pickups += 1
    elif event[:1].isupper():
        into.postscreen[event.decode()] += 1
    elif b"reject: " in event:
        # The subject, which the sender wrote, stands before the client here.
        into.refuse(b"", CONTENT)
    else:
        into.actions[event.partition(b":")[0].decode()] += 1


def _compile(template: bytes, family: Family) -> Pattern[bytes]:
    tag = re.escape(b" %s %s/" % (family.host, family.instance))
    parts = {
        # A stamp ends at the first blank behind its hour: what a sender wrote never stands there.
        b"{head}": rb".{%d}[^\ \n]{%d}%s"
        % (family.hour_width, family.stamp_width - family.hour_width, tag),
        b"{id}": rb"[0-9A-Za-z]++:",
        # Not [0-9]: a loop over all but a few characters is much faster.
        b"{pid}": rb"[^\]\n]++\]:",
        b"{keys}": rb"(?>(?:(?!status=)[^\ \n]++\ )*)",
        b"{action}": _ACTION.replace(b" ", rb"\ "),
        b"{screen}": b"|".join(map(re.escape, POSTSCREEN_EVENTS)),
    }
    for name, pattern in parts.items():
        template = template.replace(name, pattern)
    return re.compile(template, re.VERBOSE)


def _way(relay: bytes) -> Way:
    if _LOOPBACK.search(relay):
        return Way.LOOPBACK
    # smtp(8) writes host[address]:port; local(8), pipe(8) and lmtp(8) over a socket have no port.
    return Way.REMOTE if relay[-1:].isdigit() and b"]:" in relay else Way.LOCAL
