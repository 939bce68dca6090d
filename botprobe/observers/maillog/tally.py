"""Adds up the events of chunk after chunk to hours, days and clients.

Memory stays small by design: the queue ids of mails that are still in the queue, one number per
client, and packed counts per client and day.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from botprobe.observers.maillog.clients import ClientNames, PackedCounts
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

    def pack(self) -> None:
        """Give back the memory that only adding needs."""
        for counts in (self.connects, self.accepted, self.rejects):
            counts.pack()


class LogTally:
    """All that was counted so far."""

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
        self._open_day: date | None = None

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
        counts.connects += events.connects.total()
        counts.accepted += events.accepted.total()
        counts.pickups += events.pickups
        counts.sasl_failures += events.sasl_failures.total()
        counts.logins.update(events.logins)
        counts.postscreen.update(events.postscreen)
        counts.actions.update(events.actions)
        counts.deliveries.update(events.deliveries)
        for (_, kind), count in events.rejects.items():
            counts.rejects[kind] += count
        self._follow_queue(counts, events.queue)

    def _follow_queue(self, counts: HourCounts, queue: Iterable[tuple[bytes, bool]]) -> None:
        in_queue = self._in_queue
        for queue_id, active in queue:
            if not active:
                in_queue.discard(queue_id)
                continue
            counts.activations += 1
            if queue_id not in in_queue:
                counts.queued += 1
                if len(in_queue) < MAX_QUEUE:
                    in_queue.add(queue_id)

    def _add_clients(self, day: date, events: HourEvents) -> None:
        if day != self._open_day:
            if self._open_day is not None:
                self.days[self._open_day].pack()
            self._open_day = day
        clients = self.days.setdefault(day, DayClients())
        id_of = self.clients.id_of
        clients.connects.add((id_of(name), n) for name, n in events.connects.items())
        clients.accepted.add((id_of(name), n) for name, n in events.accepted.items())
        refused = [(id_of(name), kind, n) for (name, kind), n in events.rejects.items() if name]
        clients.rejects.add((client, n) for client, _, n in refused)
        for client, kind, n in refused:
            self.reject_kinds.setdefault(kind, Counter())[client] += n
        for name, n in events.sasl_failures.items():
            self.sasl_clients[id_of(name)] += n
