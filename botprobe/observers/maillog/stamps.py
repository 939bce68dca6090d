"""From the start of a time stamp to a day and an hour; the year of RFC 3164 stamps is inferred.

Days and hours are those of the log's own clock, because weekdays and holidays are.
"""

from datetime import date

_MONTHS = {
    name: number
    for number, name in enumerate(
        b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1
    )
}
# A jump of the month by more than half a year crosses New Year.
_HALF_YEAR = 6


class YearClock:
    """Gives stamps without a year their year, while they come in the order of the log.

    The first one gets the latest year that does not put it behind ``reference`` (the file's time
    of modification, or today); a later one gets the next year when its month falls back by more
    than half a year.
    """

    def __init__(self, reference: date, first_year: int | None = None) -> None:
        self._reference = reference
        self._year = first_year
        self._month: int | None = None

    def day(self, month: int, day: int) -> date:
        """Return the date of a stamp.

        Raises:
            ValueError: there is no such day.
        """
        if self._year is None:
            self._year = _latest_year(month, day, self._reference)
        elif self._month is not None and month < self._month - _HALF_YEAR:
            self._year += 1
        elif self._month is not None and month > self._month + _HALF_YEAR:
            # A straggler of last December; the clock itself stays in January.
            return date(self._year - 1, month, day)
        self._month = month
        return date(self._year, month, day)


def parse_hour(stamp: bytes, clock: YearClock) -> tuple[date, int]:
    """Read a stamp that ends with its hour.

    Forms: ``Oct 22 02``, ``2023-03-14T00``, ``2023-03-14 00``, BIND's ``12-Nov-2015 23``.

    Raises:
        ValueError: it is none of them, or there is no such day or hour.
    """
    hour = int(stamp[-2:])
    if hour > 23:
        raise ValueError(f"no such hour: {stamp!r}")
    if stamp[2:3] == b"-":
        return date(int(stamp[7:11]), _month(stamp[3:6]), int(stamp[:2])), hour
    if stamp[:1].isdigit():
        return date.fromisoformat(stamp[:10].decode()), hour
    return clock.day(_month(stamp[:3]), int(stamp[3:-2])), hour


def _month(name: bytes) -> int:
    month = _MONTHS.get(name)
    if month is None:
        raise ValueError(f"no such month: {name!r}")
    return month


def _latest_year(month: int, day: int, reference: date) -> int:
    year = reference.year
    if (month, day) > (reference.month, reference.day):
        year -= 1
    while (month, day) == (2, 29) and (year % 4 or (year % 100 == 0 and year % 400)):
        year -= 1
    return year
