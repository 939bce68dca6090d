"""Dates as mail servers write them: RFC 5322, section 3.3, and the spellings around it.

A date is never completed from today or from a default: without a day, a month, a year and a time
of day there is none. A date without a zone is read as UTC, as RFC 5322 reads ``-0000``.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}

# RFC 5322, section 4.3, and the European and Asian names met most often in trace fields. Names
# that stand for several zones (IST, AST) are left out: no date is better than an invented one.
_ZONES = {
    "ut": 0, "utc": 0, "gmt": 0, "z": 0,
    "est": -300, "edt": -240, "cst": -360, "cdt": -300,
    "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
    "wet": 0, "west": 60, "bst": 60, "cet": 60, "met": 60, "mez": 60,
    "cest": 120, "mest": 120, "mesz": 120, "eet": 120, "eest": 180, "msk": 180, "msd": 240,
    "jst": 540, "kst": 540, "hkt": 480, "nzst": 720, "nzdt": 780, "aest": 600, "aedt": 660,
}  # fmt: skip

IMPOSSIBLE = "impossible date: "
"""How a fault begins."""

# Kiritimati is 14 hours ahead of UTC, Baker Island 12 behind.
_EAST, _WEST = 14 * 60, -12 * 60

_TIME = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?(?![0-9:])"
    r"(?:\s*(?P<half>[AaPp])[Mm]\b)?"
)
_ZONE = (
    r"(?:\s*(?P<sign>[+-])(?P<offset>[0-9]{2}:?[0-9]{2})(?![0-9])"
    r"|\s+(?!for\b)(?P<zone>[A-Za-z]{1,5})(?![A-Za-z]))?"
)
_END = r"(?=\s*+(?:$|[(;:]|[A-Za-z]))"
_WEEKDAY = r"\s*(?:[A-Za-z]{2,9}\.?,?\s*)?"
_DAY = r"(?P<day>[0-9]{1,2})"
_MONTH = r"(?P<month>[A-Za-z]{3})[a-z]{0,6}\.?"
_YEAR = r"(?P<year>[0-9]{2,4})"

_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"{_WEEKDAY}{_DAY}[\s-]+{_MONTH}[\s-]+{_YEAR}\s+{_TIME}{_ZONE}{_END}",
        rf"{_WEEKDAY}{_MONTH},?\s+{_DAY},?\s+{_YEAR}\s+{_TIME}{_ZONE}{_END}",
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+{_TIME}\s+(?P<year>[0-9]{{4}})(?![0-9]){_ZONE}{_END}",
        rf"\s*(?P<month>[0-9]{{1,2}})([/-]){_DAY}\2(?P<year>[0-9]{{4}})\s+{_TIME}{_ZONE}{_END}",
        rf"\s*(?P<year>[0-9]{{4}})([/-])(?P<month>[0-9]{{1,2}})\2{_DAY}[T\s]+{_TIME}{_ZONE}{_END}",
    )
)

# Nearly all dates are written like this one; the long way leads to the same result.
USUAL_DATE = (
    r" ?(?:[A-Z][a-z]{2}, ++)?([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-][0-9]{4})(?=$| \()"
)
_USUAL = re.compile(USUAL_DATE)
_OFFSETS = {
    f"{'-' if east < 0 else '+'}{abs(east) // 60:02}{abs(east) % 60:02}": timedelta(minutes=east)
    for east in range(_WEST, _EAST + 1, 15)
} | {"-0000": timedelta()}

# What SendGrid and a few others put at the very end, without the semicolon before it.
_TRAILING = re.compile(
    r"\s((?:[A-Za-z]{3}, [0-9]{1,2} [A-Za-z]{3} [0-9]{4}|[0-9]{4}-[0-9]{2}-[0-9]{2}) "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})? [+-][0-9]{4}(?: \(?[A-Z]{1,5}\)?)?)\s*$"
)
_MAX_TRAILING = 80


class Stamp(NamedTuple):
    """A date that was read, or what is wrong with one that has the form of a date."""

    at: datetime | None
    fault: str = ""


def parse_date(text: str) -> datetime | None:
    """Read a date as an aware time in UTC; None where it is none or an impossible one."""
    return parse_stamp(text).at


def parse_stamp(text: str) -> Stamp:
    """Read a date and say which fault makes it impossible; text after the date is not looked at."""
    usual = _USUAL.match(text)
    if usual is not None and (at := usual_date(usual.groups())) is not None:
        return Stamp(at)
    return _long_way(text)


def _long_way(text: str) -> Stamp:
    for form in _FORMS:
        match = form.match(text)
        if match is not None:
            return _stamp(match)
    return Stamp(None)


def trailing_date(text: str) -> str:
    """Find the date that ends a field without a semicolon before it; empty where there is none."""
    match = _TRAILING.search(text[-_MAX_TRAILING:])
    return "" if match is None else match[1]


def usual_date(parts: Sequence[str]) -> datetime | None:
    """The moment that the groups of ``USUAL_DATE`` name; None leaves it to the long way."""
    day, name, year, hour, minute, second, offset = parts
    month, east = _MONTHS.get(name.lower()), _OFFSETS.get(offset)
    if month is None or east is None:
        return None
    try:
        local = datetime(
            int(year), month, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
        return local - east
    except (ValueError, OverflowError):
        return None


def _stamp(match: re.Match[str]) -> Stamp:
    part = match.groupdict()
    month = part["month"]
    number = int(month) if month.isdigit() else _MONTHS.get(month.lower())
    if number is None:
        return Stamp(None)
    offset = _offset(part["sign"], part["offset"], part["zone"])
    if offset is None:
        return Stamp(None)
    if not _WEST <= offset <= _EAST or abs(offset) % 15:
        return Stamp(None, f"{IMPOSSIBLE}no time zone is {part['sign']}{part['offset']}")
    try:
        local = datetime(
            _year(part["year"]),
            number,
            int(part["day"]),
            _hour(int(part["hour"]), part["half"]),
            int(part["minute"]),
            min(int(part["second"] or 0), 60) - (part["second"] == "60"),  # a leap second
            int((part["fraction"] or "0")[:6].ljust(6, "0")),
            tzinfo=UTC,
        )
        return Stamp(local - timedelta(minutes=offset))
    except (ValueError, OverflowError):
        return Stamp(None, f"{IMPOSSIBLE}not in the calendar")


def _offset(sign: str | None, digits: str | None, zone: str | None) -> int | None:
    """Minutes east of UTC; None for a name that stands for no zone or for several."""
    if digits is not None:
        minutes = int(digits[:2]) * 60 + int(digits[-2:])
        return -minutes if sign == "-" else minutes
    return 0 if zone is None else _ZONES.get(zone.lower())


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("hour of a twelve-hour clock")
    return hour % 12 + (12 if half in "pP" else 0)


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    # RFC 5322, section 4.3: two digits below 50 are of this century, three digits count from 1900.
    return year + (2000 if len(digits) == 2 and year < 50 else 1900)
