"""Later looks: a host is asked again after an hour, a day, two months, as the study did."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from botprobe.errors import ConfigError

_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_INTERVAL = re.compile(r"([1-9][0-9]{0,4})([mhdw])")

# Nobody's address is the same machine's for longer.
LONGEST = timedelta(days=3660)


def parse_again(texts: Iterable[str], key: str = "watch.again") -> tuple[timedelta, ...]:
    """Read intervals such as ``1h``, ``24h``, ``60d``; a text may hold several, with commas.

    Args:
        texts: the intervals.
        key: the setting or option that they are of.

    Raises:
        ConfigError: one is none.
    """
    intervals = [_interval(part, key) for text in texts for part in text.split(",") if part.strip()]
    return tuple(sorted(set(intervals)))


def next_look(first: datetime, again: Iterable[timedelta], now: datetime) -> datetime | None:
    """Return when a host is to be looked at next, None if never.

    Looks that a down-time made late are all done by the one that comes first after it.

    Args:
        first: the first look, from which all intervals count.
        again: rising intervals.
        now: the time.
    """
    return next((first + interval for interval in again if first + interval > now), None)


def _interval(text: str, key: str) -> timedelta:
    match = _INTERVAL.fullmatch(text.strip())
    interval = int(match[1]) * _UNITS[match[2]] if match else LONGEST * 2
    if interval > LONGEST:
        raise ConfigError(f"{key}: {text.strip()!r} is not an interval such as 1h, 24h, 60d")
    return interval
