"""From counts to conclusions: figures, model, alarms, drivers, what to do."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_network

from botprobe.model.mail import IpAddress
from botprobe.observers.maillog.alarms import Alarm, find_alarms
from botprobe.observers.maillog.baseline import WINDOW
from botprobe.observers.maillog.calendar import HolidayCalendar
from botprobe.observers.maillog.clients import address_of
from botprobe.observers.maillog.dnstally import DnsTally, MxAsker
from botprobe.observers.maillog.drivers import Attribution, attribute
from botprobe.observers.maillog.effect import BeforeAfter, Effect, before_and_after, foretell
from botprobe.observers.maillog.figures import (
    Figures,
    Network,
    client_days,
    clients_in,
    daily,
    hourly,
    monitors,
)
from botprobe.observers.maillog.fit import pearson
from botprobe.observers.maillog.model import Model, fit_model
from botprobe.observers.maillog.surges import USUAL_DAYS, with_surges
from botprobe.observers.maillog.tally import LogTally
from botprobe.observers.reading import ReadNotes

# Where a content filter hands mails back: counted, each mail would count twice.
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
TOP_CLIENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the operator chose."""

    exclude: tuple[Network, ...] = ()
    without_monitors: bool = False
    with_loopback: bool = False
    calendar: HolidayCalendar = field(default_factory=HolidayCalendar)
    acted: date | None = None
    """Since when a filter is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSummary:
    """One client over the whole log."""

    client: str
    connects: int
    accepted: int
    rejects: Mapping[str, int]
    sasl_failures: int
    share: float
    """Of N_c."""
    correlation: float | None
    """Of N_c(A) with N_c over the days."""
    series: tuple[int, ...]
    """N_c(A) per day."""

    @property
    def address(self) -> IpAddress | None:
        """The client's address; None for all those beyond a million."""
        return address_of(self.client.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An alarm, who drove it, and what would be without them."""

    alarm: Alarm
    attribution: Attribution | None = None
    drivers: tuple[str, ...] = ()
    """The drivers' addresses, in the order of the attribution."""
    effect: Effect | None = None

    @property
    def driver_numbers(self) -> tuple[int, ...]:
        """The drivers' numbers in the tally."""
        if self.attribution is None:
            return ()
        return tuple(driver.client for driver in self.attribution.drivers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All that the logs say."""

    days: tuple[Figures, ...]
    hours: tuple[Figures, ...]
    model: Model
    incidents: tuple[Incident, ...]
    clients: tuple[ClientSummary, ...]
    """The busiest, and all drivers."""
    monitors: tuple[str, ...]
    mx_askers: tuple[MxAsker, ...]
    query_types: Mapping[str, int]
    change: BeforeAfter | None
    client_count: int
    lines: int
    unread: int
    too_long: int
    """Of these, lines that were skipped as too long."""
    unread_samples: tuple[bytes, ...]
    read: ReadNotes

    @property
    def unknown(self) -> int:
        """Connections of clients whose address the log does not tell."""
        return sum(day.unknown for day in self.days)

    @property
    def drivers(self) -> tuple[str, ...]:
        """The addresses of all drivers, each once, worst first."""
        return tuple(dict.fromkeys(name for one in self.incidents for name in one.drivers))


def analyse(
    tally: LogTally, dns: DnsTally | None, choices: Choices, notes: ReadNotes | None = None
) -> Analysis:
    """Draw the conclusions.

    Args:
        tally: what was counted.
        dns: the queries; None without a DNS log.
        choices: what the operator chose.
        notes: of the files that were read.
    """
    tally.settle()
    watched = monitors(tally)
    left_out = _left_out(tally, watched, choices)
    queries = None if dns is None else dns.days()
    days = with_surges(daily(tally, left_out, queries, choices.calendar), tally, left_out)
    hours = hourly(tally, None if dns is None else dns.hours, choices.calendar)
    model = fit_model(days)
    log = _Log(tally, days, model, left_out)
    incidents = [log.incident(alarm) for alarm in find_alarms(days, hours)]
    effects = [one.effect for one in incidents if one.effect is not None and one.drivers]
    unread = [tally.unread] if dns is None else [tally.unread, dns.unread]
    return Analysis(
        days=tuple(days),
        hours=tuple(hours),
        model=model,
        incidents=tuple(incidents),
        clients=log.summaries({n for one in incidents for n in one.driver_numbers}),
        monitors=tuple(log.names[number] for number in sorted(watched)),
        mx_askers=tuple(dns.mx_askers()) if dns else (),
        query_types=dict(dns.types) if dns else {},
        change=None if choices.acted is None else before_and_after(days, effects, choices.acted),
        client_count=len(tally.clients),
        lines=tally.lines + (dns.lines if dns else 0),
        unread=sum(one.count for one in unread),
        too_long=sum(one.too_long for one in unread),
        unread_samples=tuple(sample for one in unread for sample in one.samples),
        read=notes or ReadNotes(),
    )


def _left_out(tally: LogTally, watched: frozenset[int], choices: Choices) -> frozenset[int]:
    networks = list(choices.exclude)
    if not choices.with_loopback:
        networks += LOOPBACK
    left_out = clients_in(tally.clients, networks)
    return left_out | watched if choices.without_monitors else left_out


@dataclass(slots=True)
class _Log:
    tally: LogTally
    days: list[Figures]
    model: Model
    left_out: frozenset[int]
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [name.decode("ascii", "replace") for name in self.tally.clients.names()]

    def incident(self, alarm: Alarm) -> Incident:
        """Find who drove an abnormal day."""
        if alarm.alpha is None:
            return Incident(alarm=alarm)
        today = next(day for day in self.days if day.day == alarm.day)
        alike = [d for d in self.days if d.holiday == today.holiday and d.day != today.day]
        near = sorted(alike, key=lambda d: abs(d.day - today.day))[:USUAL_DAYS]
        usual = [client_days(self.tally, d.day) for d in near if abs(d.day - today.day) <= WINDOW]
        clients = client_days(self.tally, today.day)
        found = attribute(today, clients, usual, alarm, self.left_out)
        numbers = [driver.client for driver in found.drivers]
        return Incident(
            alarm=alarm,
            attribution=found,
            drivers=tuple(self.names[number] for number in numbers),
            effect=foretell(today, clients, numbers, self.model),
        )

    def summaries(self, drivers: set[int]) -> tuple[ClientSummary, ...]:
        """Describe the busiest clients and the drivers."""
        connects: Counter[int] = Counter()
        accepted: Counter[int] = Counter()
        refused: Counter[int] = Counter()
        for clients in self.tally.days.values():
            connects.update(clients.connects.counter())
            accepted.update(clients.accepted.counter())
            refused.update(clients.rejects.counter())
        # Where no connection is logged, who is busy shows by mails and refusals.
        activity = connects or accepted + refused
        busiest = [number for number in activity if number not in self.left_out]
        busiest = heapq.nlargest(TOP_CLIENTS, busiest, key=activity.__getitem__)
        wanted = sorted({*busiest, *drivers}, key=lambda number: -activity[number])
        series = self._series(wanted)
        all_connects = [day.connects for day in self.days]
        total = sum(all_connects)
        return tuple(
            ClientSummary(
                client=self.names[number],
                connects=connects[number],
                accepted=accepted[number],
                rejects=self._rejects_of(number),
                sasl_failures=self.tally.sasl_clients[number],
                share=connects[number] / total if total else 0.0,
                correlation=pearson(series[number], all_connects),
                series=tuple(series[number]),
            )
            for number in wanted
        )

    def _series(self, wanted: Sequence[int]) -> dict[int, list[int]]:
        series: dict[int, list[int]] = {number: [] for number in wanted}
        for day in self.days:
            counts = self.tally.days[day.day].connects.counter()
            for number in wanted:
                series[number].append(counts[number])
        return series

    def _rejects_of(self, number: int) -> dict[str, int]:
        kinds = self.tally.reject_kinds.items()
        return {kind: counts[number] for kind, counts in kinds if counts[number]}
