"""Lines in other dress, rewritten to ``2023-03-14T00:00:31+01:00 host tag[pid]: message``.

RFC 5424 lines, lines with a leading priority, and the JSON of ``journalctl -o json``. What the
syslogd of FreeBSD puts behind the stamp (``<mail.info>``, ``<2.6>``) and that of Solaris before the
message (``[ID 197553 mail.info]``) is taken out.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo

import msgspec

from botprobe.observers.maillog.heads import lines_of

_RFC5424 = re.compile(
    rb"^<\d{1,3}>1 (\S++) (\S++) (\S++) (\S++) \S++ "
    rb"(?:-|(?>(?:\[(?>(?:[^\]\\\n]|\\.)*)\])+)) ?(?:\xef\xbb\xbf)?",
    re.MULTILINE,
)
_PRIORITY = re.compile(rb"^<\d{1,3}>(?!1 )", re.MULTILINE)
# Both from the head of a line on: a sender may write the same behind it.
_STAMP = rb"^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
_FACILITY = re.compile(_STAMP + rb") <[a-z0-9]{1,10}\.[a-z0-9]{1,10}>(?= )", re.MULTILINE)
_MESSAGE_ID = re.compile(
    _STAMP + rb" [^ \n]++ [^\[ \n]++\[\d++\]: )\[ID \d++ [a-z0-9.]++\] ", re.MULTILINE
)
# So much of a chunk is looked at: a line in it may be of a program that writes otherwise.
_LOOKED_AT = 4_096


class _Entry(msgspec.Struct):
    """The fields of a journal entry that are used (systemd.journal-fields(7))."""

    at: str = msgspec.field(name="__REALTIME_TIMESTAMP")
    message: str | list[int] | None = msgspec.field(name="MESSAGE")
    host: str = msgspec.field(name="_HOSTNAME", default="-")
    identifier: str = msgspec.field(name="SYSLOG_IDENTIFIER", default="-")
    pid: str = msgspec.field(name="SYSLOG_PID", default="")
    own_pid: str = msgspec.field(name="_PID", default="0")


def undress(chunk: bytes, zone: tzinfo | None = None) -> bytes:
    """Rewrite a chunk whose first lines are in another dress; any other is returned as it is.

    Args:
        chunk: whole lines.
        zone: the zone whose days are counted where a stamp is in UTC; None is the system's.
    """
    match chunk[:1]:
        case b"<":
            return _PRIORITY.sub(b"", _RFC5424.sub(rb"\1 \2 \3[\4]: ", chunk))
        case b"{":
            return b"".join(_journal_lines(lines_of(chunk), zone))
        case _:
            return _without_facility(chunk)


def _without_facility(chunk: bytes) -> bytes:
    head = chunk[:_LOOKED_AT]
    if _FACILITY.search(head):
        chunk = _FACILITY.sub(rb"\1", chunk)
    if _MESSAGE_ID.search(head):
        chunk = _MESSAGE_ID.sub(rb"\1", chunk)
    return chunk


def _journal_lines(lines: Iterable[bytes], zone: tzinfo | None) -> Iterable[bytes]:
    decoder = msgspec.json.Decoder(_Entry)
    for line in lines:
        try:
            entry = decoder.decode(line)
            at = datetime.fromtimestamp(int(entry.at) / 1_000_000, tz=UTC).astimezone(zone)
        except (msgspec.DecodeError, ValueError, OverflowError, OSError):
            yield line + b"\n"
            continue
        head = f"{at:%Y-%m-%dT%H:%M:%S} {entry.host} {entry.identifier}"
        text = bytes(entry.message) if isinstance(entry.message, list) else entry.message or ""
        message = text if isinstance(text, bytes) else text.encode()
        pid = entry.pid or entry.own_pid
        yield f"{head}[{pid}]: ".encode() + message.replace(b"\n", b" ") + b"\n"
