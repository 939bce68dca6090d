"""What a store counts for a report: whole weeks, and how the hosts of a period stand.

A week is that of ISO 8601: it begins on Monday, 00:00 UTC, and the week that holds the first
Thursday of a year is its number 1. Counts carry no percentages: shares belong to the report.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

from botprobe.errors import UsageError
from botprobe.model.results import RouterAction
from botprobe.model.verdict import Label

_MONDAY = date(1969, 12, 29)
"""The Monday of the week that holds the epoch."""

# So that the period before a period is on the calendar, too.
_YEARS = range(1970, 3000)
_ISO_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """A week of ISO 8601, in UTC."""

    number: int
    """Weeks since the one that holds 1970-01-01."""

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """Return the week that holds an aware time."""
        return cls((moment.astimezone(UTC).date() - _MONDAY).days // 7)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2026-W47``, or a date, which stands for the week that it is in.

        Raises:
            UsageError: it is neither, or in no year of which there could be mail.
        """
        match = _ISO_WEEK.fullmatch(text)
        try:
            if match:
                day = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            else:
                day = date.fromisoformat(text)
        except ValueError as error:
            raise UsageError(f"neither a week (2026-W47) nor a date: {text!r}") from error
        if day.year not in _YEARS:
            raise UsageError(f"not between {_YEARS[0]} and {_YEARS[-1]}: {text!r}")
        return cls((day - _MONDAY).days // 7)

    def __str__(self) -> str:
        year, week, _ = self.monday.isocalendar()
        return f"{year:04}-W{week:02}"

    def __add__(self, weeks: int) -> Self:
        return type(self)(self.number + weeks)

    @property
    def monday(self) -> date:
        """Its first day."""
        return _MONDAY + timedelta(weeks=self.number)

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime(self.monday.year, self.monday.month, self.monday.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment of the week after."""
        return self.start + timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole weeks, the first and the last one included."""

    first: Week
    last: Week

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise UsageError(f"the period ends ({self.last}) before it begins ({self.first})")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2026-W47`` or ``2026-W44..2026-W47``, dates for weeks.

        Raises:
            UsageError: it is neither.
        """
        first, _, last = text.partition("..")
        return cls(Week.parse(first), Week.parse(last or first))

    def __str__(self) -> str:
        return str(self.first) if self.weeks == 1 else f"{self.first} to {self.last}"

    @property
    def weeks(self) -> int:
        """How many weeks it has."""
        return self.last.number - self.first.number + 1

    @property
    def before(self) -> "Period":
        """The period of the same length that ends where this one begins."""
        return Period(self.first + -self.weeks, self.last + -self.weeks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a host stands after its latest look; all None for one that was only named by mails."""

    label: Label | None = None
    family: str | None = None
    """nmap's OS family, None where the matches do not agree or there are none."""
    generation: str | None = None
    role: str | None = None
    """An ``OsRole``; None where the system was not measured at all."""
    refused: str | None = None
    """Why no packet was sent, without what differs from host to host."""
    decided_by: str | None = None
    """Rule of the heaviest evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGroup:
    """Hosts that stand alike, in the period and in the one it is compared with."""

    now: Standing | None
    """None: neither named nor looked at in the period."""
    before: Standing | None
    hosts: int
    delivered: int
    """Mails that these hosts handed to our own servers in the period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedHost:
    """One host as a list of the report shows it."""

    ip: str
    network: str
    standing: Standing
    delivered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCount:
    """What came from one network or country."""

    name: str
    hosts: int
    bots: int
    delivered: int
    """Mails that its hosts handed to us."""
    origin: str = ""
    """Autonomous system and country of a network, where they were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCounts:
    """The mails of a period, and their hops."""

    mails: int = 0
    without_boundary: int = 0
    """Mails of which it is not known who handed them to us."""
    hops: tuple[tuple[str, int], ...] = ()
    """Number of hops by trust; ``none`` are lines that name no sending host."""
    addresses: tuple[tuple[str, int], ...] = ()
    """Distinct outside addresses by the trust of a hop that named them; one may be in several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSuspect:
    """A host that a router suspected, as it was last seen in a period."""

    ip: str
    credit: int
    action: RouterAction
    stopped: int
    """Connections that it tried after the router acted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterCounts:
    """What routers saw and did in a period, of the hosts that were kept."""

    hosts: int = 0
    suspects: int = 0
    dropped: int = 0
    """Hosts whose mail was dropped."""
    redirected: int = 0
    stopped: int = 0
    """Connections that the hosts tried after that."""
    listed: tuple[RouterSuspect, ...] = ()
    """The suspects with most credit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekGroup:
    """Hosts that stood alike in one week."""

    week: Week
    standing: Standing
    hosts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """All that a report counts about a period, and about the one it is compared with."""

    period: Period
    compared: Period
    mails: MailCounts = MailCounts()
    mails_before: MailCounts = MailCounts()
    undated: int = 0
    """Mails of the whole store whose date of delivery is not known: they are in no week."""
    groups: tuple[HostGroup, ...] = ()
    lags: tuple[tuple[int, int], ...] = ()
    """Whole seconds from delivery to probe, rising, and how many hosts had them."""
    networks: tuple[PlaceCount, ...] = ()
    """The networks with most bots, /24 or /48."""
    countries: tuple[PlaceCount, ...] = ()
    new_bots: tuple[ListedHost, ...] = ()
    """Bots that were none in the period before; the busiest first, not all of them."""
    vanished_bots: tuple[ListedHost, ...] = ()
    """Bots of the period before that are none now."""
    router: RouterCounts = RouterCounts()
    router_before: RouterCounts = RouterCounts()
    trend: tuple[WeekGroup, ...] = ()
