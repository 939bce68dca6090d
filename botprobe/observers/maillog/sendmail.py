"""sendmail's log lines: connections (where the log level tells them), mails, rejects, deliveries.

sendmail logs a connection only from LogLevel 10 on ("connect from"); without these lines there is
no N_c. Text of the sender stands before ``relay=``, which is therefore looked for from the right.
"""

import re

from botprobe.observers.maillog.events import HourEvents, Way
from botprobe.observers.maillog.rejects import PROTOCOL, RejectKind, reject_kind

_PROGRAMS = (b"sendmail", b"sm-", b"mta")
# check_relay refuses a connection before it has a queue id.
_MESSAGE = re.compile(rb"(?:\[\d++\])?: (?:\[ID [^\]\n]*+\] )?(?:([0-9A-Za-z]++): )?(.*)")
_CONNECT = re.compile(rb"connect from (?:[^\[\n]*+)\[([^\]\n]++)\]")
_RELAY = re.compile(rb", relay=[^\[\n,]*+\[([^\]\n]++)\]")
# Who looks for users, and who talks before the greeting, is refused without reject=.
_REFUSED = re.compile(
    rb"(?:rejecting commands from )?[^\[\n]*+\[([^\]\n]++)\](?: \(may be forged\))?"
    rb"(?: due to pre-greeting traffic|: (?:EXPN|VRFY) .*\[rejected\]$)",
    re.IGNORECASE,
)
_STATUS = re.compile(rb"to=.*, dsn=[\d.]++, stat=(\w++)")


def count_sendmail_line(
    rest: bytes, into: HourEvents, own_kinds: tuple[RejectKind, ...] = ()
) -> None:
    """Count one line of sendmail.

    Args:
        rest: what follows the program's name.
        into: where to add the counts.
        own_kinds: the operator's own kinds of rejects.
    """
    message = _MESSAGE.match(rest)
    if message is None:
        return
    queue_id, text = message.groups()
    connect = _CONNECT.match(text)
    if connect is not None:
        into.connects.append(connect[1])
    elif queue_id and text.startswith(b"from="):
        _count_mail(queue_id, text, into)
    elif queue_id and text.startswith(b"to="):
        _count_delivery(queue_id, text, into)
    elif text.startswith(b"AUTH failure "):
        into.sasl_failures[_relay(text) or b""] += 1
    elif b", reject=" in text:
        before, _, reply = text.rpartition(b", reject=")
        into.refuse(_relay(before + b",") or b"", reject_kind(reply, own_kinds))
    elif text.startswith(b"<") and b"... " in text:
        into.refuse(b"", reject_kind(text.rpartition(b"... ")[2], own_kinds))
    elif refused := _REFUSED.match(text):
        into.refuse(refused[1], PROTOCOL)


def is_sendmail(program: bytes) -> bool:
    """Say whether a tag is one of sendmail's: its daemons are called as the operator likes."""
    return program.startswith(_PROGRAMS)


def _count_mail(queue_id: bytes, text: bytes, into: HourEvents) -> None:
    client = _relay(text)
    # A local submission names user@localhost: the daemon logs it again as a mail from 127.0.0.1.
    if client is not None:
        into.accepted.append(client)
        into.queued(queue_id, active=True)


def _count_delivery(queue_id: bytes, text: bytes, into: HourEvents) -> None:
    status = _STATUS.match(text)
    relay = _relay(text)
    if status is None or (relay is not None and relay.startswith((b"127.", b"IPv6:::1"))):
        return
    way = Way.LOCAL if relay is None or b"mailer=local" in text else Way.REMOTE
    into.deliveries[way, status[1].decode().lower()] += 1
    if status[1] == b"Sent":
        into.queued(queue_id, active=False)


def _relay(text: bytes) -> bytes | None:
    position = text.rfind(b", relay=")
    found = _RELAY.match(text, position) if position >= 0 else None
    return found[1] if found else None
