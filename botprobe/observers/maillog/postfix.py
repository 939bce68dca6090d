"""Postfix's own log lines, counted many lines at a time.

An attacker chooses much of what Postfix logs (HELO, addresses, pipelined data, subjects), and may
write ``/smtpd[1]: connect from x[192.0.2.1]`` there to blame somebody else. So each pattern
begins at the head of its line: time, host, syslog name, program. Neighbouring lines nearly always
share host and name, which is what makes this fast: one pattern per such family of heads.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from re import Pattern

from botprobe.observers.maillog.events import HourEvents, Way
from botprobe.observers.maillog.heads import Family
from botprobe.observers.maillog.rejects import CONTENT, RejectKind, reject_kind

# What the actions of access tables and milters are called in the log (access(5)).
_ACTION = (
    rb"(?:(?:milter-|proxy-)?reject|discard|hold|filter|redirect|reject_warning|warn|bcc|prepend): "
)

# postscreen(8) and POSTSCREEN_README.
_SCREEN = (
    rb"(?:DIS)?CONNECT|PASS (?:OLD|NEW)|PREGREET|HANGUP|DNSBL|(?:BLACK|DENY|WHITE|ALLOW)LISTED"
    rb"|(?:WHITE|ALLOW)LIST VETO|NON-SMTP COMMAND|BARE NEWLINE"
    rb"|COMMAND (?:(?:TIME|COUNT|LENGTH) LIMIT|PIPELINING)"
)

# The words in braces are filled in. What follows an event is optional, so that an
# event in a form that we do not know is seen too, and counted as unread.
# Groups: event, client, rest of the line; event without a client; relay, status.
_EVENTS = rb"""
\n{head}(?:
 (?:smtpd|cleanup|postscreen)\[\d++\]:\ (?!disconnect|lost)(?:{id}:\ )?
  (connect\ from\ |client=|{action}[A-Z-]++\ from[ ]
  |warning:\ (?=[^\[\n]*+\[[^\]\n]*+\][:\d]*+\ SASL\ ))
  (?>(?:[^\[\n]*+\[([^\]\n]++)\](?>(?::\d++)?)([^\n]*+))?)
|(?:(?:cleanup|pickup)\[\d++\]:\ {id}|postscreen\[\d++\]):\ ({action}|uid=|(?:{screen})(?=\ ))
|(?:smtp|local|lmtp|virtual|pipe|error|relay|discard)\[\d++\]:\ {id}:\ to=
  (?>(?:[^,\n]*+,\ (?>(?:orig_to=[^,\n]*+,\ )?)relay=([^,\n]*+),\ {keys}status=([a-z]++))?)
)"""

# Groups: queue id, "s" where the mail becomes active; a line of another family.
_QUEUE = rb"""
\n(?:{head}[no]?qmgr\[\d++\]:\ ({id}):\ (?:removed|from=<?[^>\n]*+[^\n]*?,\ (s)ize=)
|(?!{head}[^/\[\n]*+\[)([^\n]++))"""

_LOOPBACK = re.compile(rb"\[(?:127\.|::1\])|^(?:127\.|localhost)")
# A log that changes host or syslog name more often than this builds patterns anew.
_MAX_FAMILIES = 256
# So many relays are remembered, to look at each of them once.
_MAX_RELAYS = 10_000


@dataclass(frozen=True, slots=True)
class _Patterns:
    events: Pattern[bytes]
    queue: Pattern[bytes]


class PostfixScanner:
    """Counts the events of one family of lines after the other."""

    def __init__(self, own_kinds: Sequence[RejectKind] = ()) -> None:
        self._own_kinds = own_kinds
        self._patterns: dict[Family, _Patterns] = {}
        self._ways: dict[bytes, Way] = {}

    def scan(self, block: bytes, family: Family, into: HourEvents) -> list[bytes]:
        """Count the lines of a family and return all other lines.

        Args:
            block: whole lines, with a line feed before the first.
            family: the family to count.
            into: where to add the counts.
        """
        patterns = self._patterns_of(family)
        connects: list[bytes] = []
        accepted: list[bytes] = []
        deliveries: list[tuple[bytes, bytes]] = []
        for event, client, rest, bare, relay, status in patterns.events.findall(block):
            if event == b"connect from ":
                connects.append(client)
            elif event == b"client=":
                accepted.append(client)
            elif event:
                self._session_event(event, client, rest, into)
            elif bare:
                _bare_event(bare, into)
            else:
                deliveries.append((relay, status))
        into.connects += _known(connects, into)
        into.accepted += _known(accepted, into)
        self._count_deliveries(deliveries, into)
        found = patterns.queue.findall(block)
        into.queue += [(queue_id, active == b"s") for queue_id, active, _ in found if queue_id]
        return [other for _, _, other in found if other]

    def _count_deliveries(self, deliveries: list[tuple[bytes, bytes]], into: HourEvents) -> None:
        ways = self._ways
        if len(ways) > _MAX_RELAYS:
            ways.clear()
        for (relay, status), count in Counter(deliveries).items():
            if status:
                way = ways.get(relay) or ways.setdefault(relay, _way(relay))
                into.deliveries[way, status.decode()] += count
            else:
                for _ in range(count):
                    into.unread.add(b"to= without relay= and status=")

    def _session_event(self, event: bytes, client: bytes, rest: bytes, into: HourEvents) -> None:
        if event == b"warning: ":
            if b" authentication failed" in rest:
                into.sasl_failures[client] += 1
        elif not client:
            into.unread.add(event)
        elif b"reject: " in event:
            kind = reject_kind(rest, self._own_kinds)
            milter = event.startswith(b"milter-")
            into.refuse(client, CONTENT if milter and kind == "other" else kind)
        else:
            into.actions[event.partition(b":")[0].decode()] += 1

    def _patterns_of(self, family: Family) -> _Patterns:
        patterns = self._patterns.get(family)
        if patterns is None:
            if len(self._patterns) >= _MAX_FAMILIES:
                self._patterns.clear()
            patterns = self._patterns[family] = _Patterns(
                _compile(_EVENTS, family), _compile(_QUEUE, family)
            )
        return patterns


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
        b"{head}": rb".{%d}%s" % (family.stamp_width, tag),
        b"{id}": rb"[0-9A-Za-z]++",
        # Not possessive as a whole: before 3.11.5, Python then forgets what is inside.
        b"{keys}": rb'(?:(?!status=)[a-z_]++=[^,\n]*+,"?+\ )*',
        b"{action}": _ACTION.replace(b" ", rb"\ "),
        b"{screen}": _SCREEN.replace(b" ", rb"\ "),
    }
    for name, pattern in parts.items():
        template = template.replace(name, pattern)
    return re.compile(template, re.VERBOSE)


def _way(relay: bytes) -> Way:
    if _LOOPBACK.search(relay):
        return Way.LOOPBACK
    # smtp(8) writes host[address]:port; local(8), pipe(8) and lmtp(8) over a socket have no port.
    return Way.REMOTE if relay[-1:].isdigit() and b"]:" in relay else Way.LOCAL


def _known(clients: list[bytes], into: HourEvents) -> list[bytes]:
    if b"" not in clients:
        return clients
    for _ in range(clients.count(b"")):
        into.unread.add(b"connect from or client= without an [address]")
    return [client for client in clients if client]
