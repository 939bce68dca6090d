"""Adds up the events of chunk after chunk to hours, days and clients.

Memory stays small by design: the queue ids of mails that are still in the queue, one number per
client, and packed counts per client and day.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from botprobe.observers.maillog.clients import ClientNames, PackedCounts, is_address
from botprobe.observers.maillog.events import HourEvents, Unread, Way
from botprobe.observers.maillog.stamps import YearClock, parse_hour

# More mails than this in a queue at once are not told from retries any more.
MAX_QUEUE = 500_000


@dataclass(slots=True)
class HourCounts:
    """Counts of one hour, all clients together."""

    connects: int = 0
    accepted: int = 0
    queued: int = 0
    """Mails that became active for the first time: N_f."""
    activations: int = 0
    """All ``from=`` lines of the queue manager; a deferred mail has one for each retry."""
    rejects: Counter[str] = field(default_factory=Counter)
    deliveries: Counter[tuple[Way, str]] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    pickups: int = 0
    sasl_failures: int = 0
    logins: Counter[str] = field(default_factory=Counter)
    postscreen: Counter[str] = field(default_factory=Counter)

    def update(self, other: "HourCounts") -> None:
        """Add another hour."""
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, name, mine + theirs)


@dataclass(slots=True)
class DayClients:
    """What each client did on one day."""

    connects: PackedCounts = field(default_factory=PackedCounts)
    accepted: PackedCounts = field(default_factory=PackedCounts)
    rejects: PackedCounts = field(default_factory=PackedCounts)
    unknown: int = 0
    """Connections of clients whose address the log does not tell."""


@dataclass(slots=True)
class _OpenDay:
    """The day that is being added to: clients by name, because that is fast."""

    day: date
    connects: Counter[bytes] = field(default_factory=Counter)
    accepted: Counter[bytes] = field(default_factory=Counter)
    rejects: dict[str, Counter[bytes]] = field(default_factory=dict)
    sasl_failures: Counter[bytes] = field(default_factory=Counter)


class LogTally:
    """All that was counted so far; settle it before its clients and days are looked at."""

    def __init__(self) -> None:
        self.hours: dict[tuple[date, int], HourCounts] = {}
        self.days: dict[date, DayClients] = {}
        self.clients = ClientNames()
        self.reject_kinds: dict[str, Counter[int]] = {}
        """Refused commands per kind and client."""
        self.sasl_clients: Counter[int] = Counter()
        self.lines = 0
        self.unread = Unread()
        self._in_queue: set[bytes] = set()
        self._open: _OpenDay | None = None

    def add(self, events: Iterable[HourEvents], clock: YearClock) -> None:
        """Add the events of a chunk, in the order of the log."""
        for hour in events:
            self.lines += hour.lines
            self.unread.update(hour.unread)
            if not hour.stamp:
                continue
            try:
                day, number = parse_hour(hour.stamp, clock)
            except ValueError:
                self.unread.count += hour.lines
                continue
            self._add_hour(self.hours.setdefault((day, number), HourCounts()), hour)
            self._add_clients(day, hour)

    def _add_hour(self, counts: HourCounts, events: HourEvents) -> None:
        counts.connects += len(events.connects)
        counts.accepted += len(events.accepted)
        counts.pickups += events.pickups
        counts.sasl_failures += events.sasl_failures.total()
        counts.logins.update(events.logins)
        counts.postscreen.update(events.postscreen)
        counts.actions.update(events.actions)
        counts.deliveries.update(events.deliveries)
        for kind, clients in events.rejects.items():
            counts.rejects[kind] += len(clients)
        self._follow_queue(counts, events)

    def _follow_queue(self, counts: HourCounts, events: HourEvents) -> None:
        in_queue, queued = self._in_queue, 0
        enter, leave = in_queue.add, in_queue.discard
        for queue_id, active in zip(events.queue, events.active, strict=True):
            if not active:
                leave(queue_id)
            elif queue_id not in in_queue:
                queued += 1
                enter(queue_id)
        counts.activations += sum(events.active)
        counts.queued += queued
        if len(in_queue) > MAX_QUEUE:
            in_queue.clear()

    def _add_clients(self, day: date, events: HourEvents) -> None:
        if self._open is None or self._open.day != day:
            self.settle()
            self._open = _OpenDay(day)
        self._open.connects.update(events.connects)
        self._open.accepted.update(events.accepted)
        for kind, clients in events.rejects.items():
            self._open.rejects.setdefault(kind, Counter()).update(clients)
        self._open.sasl_failures.update(events.sasl_failures)

    def settle(self) -> None:
        """Bring the day that is still being added to among the others."""
        if self._open is None:
            return
        opened, self._open = self._open, None
        day = self.days.setdefault(opened.day, DayClients())
        day.unknown += self._take_unknown(opened.connects)
        day.connects.add(self.clients.count_by_id(opened.connects))
        self._take_unknown(opened.accepted)
        day.accepted.add(self.clients.count_by_id(opened.accepted))
        for kind, clients in opened.rejects.items():
            self._take_unknown(clients)
            numbered = self.clients.count_by_id(clients)
            day.rejects.add(numbered)
            self.reject_kinds.setdefault(kind, Counter()).update(numbered)
        self._take_unknown(opened.sasl_failures)
        self.sasl_clients.update(self.clients.count_by_id(opened.sasl_failures))

    def _take_unknown(self, counts: Counter[bytes]) -> int:
        """Take out whoever has no address, and return how much that was.

        Each name is looked at once for all of its lines, not line by line: that costs nothing.
        """
        new = self.clients.without_number(counts)
        return sum(counts.pop(client) for client in new if not is_address(client))
