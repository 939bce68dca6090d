"""The figures of the method for each day: N_c, N_f, N_p, D_q, alpha.

N_c is the number of SMTP connections, N_f that of mails taken into the queue, N_p that of POP3
accesses, D_q that of the queries the mail server sent to its DNS server; alpha = N_f / N_c is the
mail exchange efficiency (MEE).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from statistics import median

from botprobe.observers.maillog.calendar import HolidayCalendar
from botprobe.observers.maillog.clients import ClientNames, address_of
from botprobe.observers.maillog.events import Way
from botprobe.observers.maillog.tally import HourCounts, LogTally

Network = IPv4Network | IPv6Network

# A monitor asks on every day, at least hourly, hardly varies, and never hands in a mail.
MONITOR_MIN_PER_DAY = 24
MONITOR_MIN_DAYS = 3
MONITOR_MAX_SPREAD = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """A client far above its own usual."""

    client: int
    """Its number in the tally."""
    connects: int
    """Of this day."""
    usual: float
    """Connections on a day of this kind."""
    surplus: float
    """Connections above the usual that handed in no mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one day, or of one hour of it."""

    day: date
    hour: int | None = None
    until: int | None = None
    """The last hour that is counted of a day that is not over; None is a whole day."""
    holiday: bool = False
    connects: int = 0
    """N_c, without the clients that are left out."""
    unknown: int = 0
    """Of these, connections of clients whose address the log does not tell; of days only."""
    mails: int = 0
    """N_f: mails that entered the queue, retries not counted again."""
    activations: int = 0
    """``from=`` lines of the queue manager, retries included."""
    pickups: int = 0
    received: int = 0
    """N_rec: deliveries to this host."""
    transmitted: int = 0
    """N_tr: deliveries to other hosts."""
    statuses: Mapping[str, int]
    rejects: Mapping[str, int]
    logins: int = 0
    """N_p."""
    sasl_failures: int = 0
    postscreen: Mapping[str, int]
    queries: int | None = None
    """D_q; None is not measured."""
    surge: Surge | None = None
    """The client with the most useless connections above its own usual, if there is one."""
    strangers: int | None = None
    """Connections without a mail of clients never seen before; None while the log is young."""
    newcomers: int | None = None
    """How many clients these were."""

    @property
    def measured_connects(self) -> int | None:
        """N_c of a day; None where clients were served and no connection was logged.

        Exim and sendmail log connections on request only.
        """
        served = self.mails > self.pickups or self.rejected or self.sasl_failures
        return None if served and not self.connects else self.connects

    @property
    def alpha(self) -> float | None:
        """Mails per connection, None without connections."""
        return self.mails / self.connects if self.connects else None

    @property
    def rejected(self) -> int:
        """Refused commands of all kinds."""
        return sum(self.rejects.values())


@dataclass(frozen=True, slots=True)
class ClientDay:
    """What one client did on one day."""

    connects: int = 0
    accepted: int = 0
    rejects: int = 0

    @property
    def wasted(self) -> int:
        """Connections that handed in no mail."""
        return max(0, self.connects - self.accepted)


def clients_in(clients: ClientNames, networks: Iterable[Network]) -> frozenset[int]:
    """Return the numbers of the clients within some networks."""
    wanted = tuple(networks)
    return frozenset(
        number
        for number, name in enumerate(clients.names())
        if (address := address_of(name)) and any(address in network for network in wanted)
    )


def monitors(tally: LogTally) -> frozenset[int]:
    """Recognise monitors: many connections, as many every day, and never a mail or a reject."""
    busy: dict[int, list[int]] = {}
    active: set[int] = set()
    # The first and the last day are cut off by the log.
    whole_days = sorted(tally.days)[1:-1]
    for day in whole_days:
        clients = tally.days[day]
        for client, count in clients.connects:
            if count >= MONITOR_MIN_PER_DAY:
                busy.setdefault(client, []).append(count)
        active.update(client for client, _ in clients.accepted)
        active.update(client for client, _ in clients.rejects)
    return frozenset(
        client
        for client, counts in busy.items()
        if client not in active
        and len(counts) == len(whole_days) >= MONITOR_MIN_DAYS
        and max(counts) - min(counts) <= MONITOR_MAX_SPREAD * median(counts)
    )


def daily(
    tally: LogTally,
    left_out: frozenset[int],
    queries: Mapping[date, int] | None,
    calendar: HolidayCalendar,
) -> list[Figures]:
    """Return the figures of each day of the log, in order.

    Args:
        tally: what was counted.
        left_out: clients that do not count, for N_c and for N_f.
        queries: D_q per day; None where it was not measured.
        calendar: which days are no working days.
    """
    by_day: dict[date, HourCounts] = {}
    for (day, _), counts in tally.hours.items():
        by_day.setdefault(day, HourCounts()).update(counts)
    figures = []
    for day in sorted(by_day):
        clients = tally.days[day]
        connects = sum(count for client, count in clients.connects if client not in left_out)
        not_ours = sum(count for client, count in clients.accepted if client in left_out)
        counts = by_day[day]
        counts.connects = connects + clients.unknown
        counts.queued = max(0, counts.queued - not_ours)
        asked = None if queries is None else queries.get(day, 0)
        found = _figures(counts, day, None, asked, holiday=calendar.is_holiday(day))
        figures.append(replace(found, unknown=clients.unknown))
    return figures


def hourly(
    tally: LogTally, queries: Mapping[tuple[date, int], int] | None, calendar: HolidayCalendar
) -> list[Figures]:
    """Return the figures of each hour, all clients counted."""
    return [
        _figures(
            counts,
            day,
            hour,
            None if queries is None else queries.get((day, hour), 0),
            holiday=calendar.is_holiday(day),
        )
        for (day, hour), counts in sorted(tally.hours.items())
    ]


def client_days(tally: LogTally, day: date) -> dict[int, ClientDay]:
    """Return what each client did on a day."""
    clients = tally.days.get(day)
    if clients is None:
        return {}
    connects = clients.connects.counter()
    accepted = clients.accepted.counter()
    rejects = clients.rejects.counter()
    return {
        client: ClientDay(connects[client], accepted[client], rejects[client])
        for client in connects.keys() | accepted.keys() | rejects.keys()
    }


def _figures(
    counts: HourCounts, day: date, hour: int | None, queries: int | None, *, holiday: bool
) -> Figures:
    statuses: Counter[str] = Counter()
    ways: Counter[Way] = Counter()
    for (way, status), count in counts.deliveries.items():
        statuses[status] += count
        ways[way] += count if status == "sent" else 0
    return Figures(
        day=day,
        hour=hour,
        holiday=holiday,
        connects=counts.connects,
        mails=counts.queued,
        activations=counts.activations,
        pickups=counts.pickups,
        received=ways[Way.LOCAL],
        transmitted=ways[Way.REMOTE],
        statuses=dict(statuses),
        rejects=dict(counts.rejects),
        logins=counts.logins["pop3"],
        sasl_failures=counts.sasl_failures,
        postscreen=dict(counts.postscreen),
        queries=queries,
    )
