"""Which days are working days: weekends, an own list of holidays, a country's calendar."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from botprobe.errors import ConfigError, InputError, UsageError, why_unread


@dataclass(frozen=True, slots=True)
class HolidayCalendar:
    """Days on which an organisation's mail is that of a Sunday."""

    listed: frozenset[date] = frozenset()
    country: str | None = None
    """Two-letter code of ISO 3166-1; needs the package holidays."""

    def __post_init__(self) -> None:
        if self.country is not None:
            _holidays_of(self.country, 2000)  # any year: told before hours of reading

    def is_holiday(self, day: date) -> bool:
        """Say whether the day is a Saturday, a Sunday or a holiday."""
        if day.weekday() >= 5 or day in self.listed:
            return True
        return self.country is not None and day in _holidays_of(self.country, day.year)


def read_holidays(path: Path) -> frozenset[date]:
    """Read a file of holidays: one ISO date per line, ``#`` starts a comment.

    Raises:
        InputError: the file cannot be read, or a line is no date.
    """
    days = set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {why_unread(error)}") from error
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            try:
                days.add(date.fromisoformat(text))
            except ValueError as error:
                raise InputError(f"{path}, line {number}: not a date: {text!r}") from error
    return frozenset(days)


def _holidays_of(country: str, year: int) -> frozenset[date]:
    try:
        import holidays  # noqa: PLC0415  # optional
    except ImportError as error:
        raise ConfigError("--country needs the package holidays (botprobe[maillog])") from error
    try:
        return frozenset(holidays.country_holidays(country.upper(), years=year))
    except NotImplementedError as error:
        raise UsageError(f"--country: no calendar for {country!r}") from error
