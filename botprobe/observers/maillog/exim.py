"""Exim's main log: connections, mails, rejects, deliveries (specification, chapter 52).

Connections are logged only with ``log_selector = +smtp_connection``.
"""

import re

from botprobe.observers.maillog.events import HourEvents, Way
from botprobe.observers.maillog.rejects import PROTOCOL, RejectKind, reject_kind

# The stamp, also where Exim's line came through syslog; zone and process id are optional.
_MESSAGE = re.compile(
    rb"(?:\[\d++\])?(?:: )?(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d++)? )?"
    rb"(?:[+-]\d{4} )?(?:[^ \n]++ exim\[\d++\]: )?(?:\[\d++\] )?(.*)"
)
# Exim writes the HELO in parentheses, and a HELO may be an address in brackets.
_HOST = rb"(?:[^\s(\[]++ )?(?:\([^)\n]*+\) )?\[([^\]\n]++)\]"
_CONNECT = re.compile(rb"SMTP connection from " + _HOST + rb".*\(TCP/IP connection")
_ARRIVAL = re.compile(rb'(\S++) <= (?:"[^"\n]*+"@)?\S++ (?>(?:H=' + _HOST + rb")?)")
_DELIVERY = re.compile(rb"\S++ (=>|->|\*\*|==) ")
_REJECT = re.compile(
    rb"(?:\S++ )?(?:F=\S++ )?H=" + _HOST + rb".*? (?:(?:temporarily )?rejected (?:after |by )?"
    rb"(?:[A-Z]++|local_scan|connection in)|dropped by)(.*)"
)
# The reason first: protocol errors, calls that were dropped.
_DROPPED = re.compile(
    rb"(?:\S++ )?(SMTP (?:call|connection) from "
    + _HOST
    + rb".* (?:dropped: .*|closed by DROP in ACL.*))"
)
# What the client sent stands in quotes, before its address or behind it.
_BROKE_PROTOCOL = re.compile(
    rb'SMTP protocol (?:error in ".*"|synchronization error \([^)\n]*+\): '
    rb'rejected (?:connection from|"[^"\n]*+")) H=' + _HOST
)
_AUTHENTICATOR = re.compile(rb"\S++ authenticator failed for " + _HOST)
_STATUS = {b"=>": "sent", b"->": "sent", b"**": "bounced", b"==": "deferred"}


def count_exim_line(line: bytes, into: HourEvents, own_kinds: tuple[RejectKind, ...] = ()) -> None:
    """Count one line of Exim, with its own stamp or behind a syslog head.

    Args:
        line: the line, or what follows the program's name.
        into: where to add the counts.
        own_kinds: the operator's own kinds of rejects.
    """
    message = _MESSAGE.match(line)
    if message is None:
        return
    text = message[1]
    if connect := _CONNECT.match(text):
        into.connects.append(connect[1])
    elif arrival := _ARRIVAL.match(text):
        _count_arrival(arrival[1], arrival[2], into)
    elif reject := _REJECT.match(text):
        into.refuse(reject[1], reject_kind(reject[2], own_kinds))
    elif dropped := _DROPPED.match(text):
        into.refuse(dropped[2], reject_kind(dropped[1].partition(b" dropped: ")[2], own_kinds))
    elif broke := _BROKE_PROTOCOL.match(text):
        into.refuse(broke[1], PROTOCOL)
    elif delivery := _DELIVERY.match(text):
        way = Way.REMOTE if b" H=" in text else Way.LOCAL
        into.deliveries[way, _STATUS[delivery[1]]] += 1
    elif failed := _AUTHENTICATOR.match(text):
        into.sasl_failures[failed[1]] += 1
    elif text.endswith(b" Completed"):
        into.queued(text.partition(b" ")[0], active=False)


def _count_arrival(message_id: bytes, client: bytes | None, into: HourEvents) -> None:
    into.queued(message_id, active=True)
    if client is None:
        into.pickups += 1
    else:
        into.accepted.append(client)
