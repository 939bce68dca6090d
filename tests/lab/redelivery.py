"""Delivers the samples anew: copies with the dates of mails that came a moment ago.

``python -m tests.lab.redelivery MAILDIR COPY`` leaves all else of each mail as it is, and the times
between its lines too, so that a week's report has something to show.
"""

import re
import sys
from datetime import UTC, datetime, timedelta
from email.utils import mktime_tz, parsedate_tz
from pathlib import Path

# Between two mails, the newest first.
PAUSE = timedelta(seconds=40)

_FOLDERS = ("new", "cur", "tmp")

# RFC 5322, section 3.3, wherever a line is folded; the zone stays as it is.
_DATE_TIME = re.compile(
    rb"(?:[A-Z][a-z]{2},\s+)?(?P<local>\d{1,2}\s+[A-Z][a-z]{2}\s+\d{4}\s+\d\d:\d\d:\d\d)"
    rb"(?=\s+(?:(?P<zone>[+-]\d{4})|GMT))"
)
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")


def redelivered(mail: bytes, arrival: datetime) -> bytes:
    """Move all dates of a header by the same time, so that the topmost becomes ``arrival``.

    Args:
        mail: one message; without a date it is returned as it is.
        arrival: when it is to have come, aware.
    """
    end = _END_OF_HEADER.search(mail)
    header, rest = (mail[: end.start()], mail[end.start() :]) if end else (mail, b"")
    newest = _DATE_TIME.search(header)
    if newest is None:
        return mail
    moved = arrival - datetime.fromtimestamp(_timestamp(newest), UTC)
    return _DATE_TIME.sub(lambda date: _shifted(date, moved), header) + rest


def redeliver(source: Path, copy: Path, now: datetime) -> int:
    """Copy a Maildir as one whose mails came shortly before ``now``; return how many there are."""
    for folder in _FOLDERS:
        (copy / folder).mkdir(parents=True)
    mails = sorted(path for folder in _FOLDERS for path in (source / folder).glob("[!.]*"))
    for number, path in enumerate(reversed(mails), 1):
        fresh = redelivered(path.read_bytes(), now - number * PAUSE)
        (copy / path.relative_to(source)).write_bytes(fresh)
    return len(mails)


def _timestamp(date: re.Match[bytes]) -> float:
    parts = parsedate_tz(f"{date['local'].decode()} {(date['zone'] or b'+0000').decode()}")
    if parts is None:
        raise ValueError(f"not a date: {date[0].decode()!r}")
    return mktime_tz(parts)


def _shifted(date: re.Match[bytes], moved: timedelta) -> bytes:
    local = datetime.strptime(b" ".join(date["local"].split()).decode(), "%d %b %Y %H:%M:%S")  # noqa: DTZ007  # its zone stands beside it
    return f"{local + moved:%a, %d %b %Y %H:%M:%S}".encode()


if __name__ == "__main__":
    redeliver(Path(sys.argv[1]), Path(sys.argv[2]), datetime.now(UTC))
