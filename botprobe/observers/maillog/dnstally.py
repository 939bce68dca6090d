"""Adds up DNS queries: D_q of the mail server, and who else asks for MX records."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, tzinfo
from pathlib import Path

from botprobe.model.mail import IpAddress
from botprobe.observers.maillog.clients import ClientNames, address_of
from botprobe.observers.maillog.dnscapture import is_capture, scan_capture
from botprobe.observers.maillog.dnslog import DnsEvents, scan_dns_log
from botprobe.observers.maillog.events import Unread
from botprobe.observers.maillog.files import chunks, in_order, reading, reference_day
from botprobe.observers.maillog.stamps import YearClock, parse_hour
from botprobe.observers.reading import ReadNotes

# A user's machine asks for hardly any MX record; a mass mailer for one per recipient's domain.
MIN_MX_QUERIES = 10


@dataclass(frozen=True, slots=True)
class MxAsker:
    """A client of the DNS server that looks up mail exchangers itself."""

    client: str
    mx_queries: int
    """On its busiest day."""
    day: date
    share: float
    """Of all its queries on that day."""


class DnsTally:
    """All queries counted so far."""

    def __init__(self, mail_hosts: frozenset[IpAddress] = frozenset()) -> None:
        self.hours: Counter[tuple[date, int]] = Counter()
        """Queries of the mail server; of all clients if none was named."""
        self.types: Counter[str] = Counter()
        self.lines = 0
        self.unread = Unread()
        self._mail_hosts = mail_hosts
        self._clients = ClientNames()
        self._mx: Counter[tuple[date, int]] = Counter()
        self._all: Counter[tuple[date, int]] = Counter()

    def add(self, events: Iterable[DnsEvents], clock: YearClock) -> None:
        """Add the events of a chunk."""
        for hour in events:
            self.lines += hour.lines
            self.unread.update(hour.unread)
            if not hour.queries:
                continue
            try:
                day, number = parse_hour(hour.stamp, clock)
            except ValueError:
                self.unread.count += hour.lines
                continue
            for (client, kind), count in hour.queries.items():
                self._add(day, number, client, kind, count)

    def days(self) -> Counter[date]:
        """Return D_q per day."""
        days: Counter[date] = Counter()
        for (day, _), count in self.hours.items():
            days[day] += count
        return days

    def mx_askers(self) -> list[MxAsker]:
        """Return the clients that ask for MX records without being a mail host, busiest first.

        Who is a mail host has to be named: otherwise the server itself would be the first suspect.
        """
        if not self._mail_hosts:
            return []
        names = self._clients.names()
        busiest: dict[int, tuple[int, date]] = {}
        for (day, client), count in self._mx.items():
            busiest[client] = max(busiest.get(client, (0, day)), (count, day))
        askers = [
            MxAsker(names[client].decode("ascii", "replace"), n, d, n / self._all[d, client])
            for client, (n, d) in busiest.items()
            if n >= MIN_MX_QUERIES
        ]
        return sorted(askers, key=lambda asker: -asker.mx_queries)

    def _add(self, day: date, hour: int, client: bytes, kind: str, count: int) -> None:
        if not self._mail_hosts or address_of(client) in self._mail_hosts:
            self.hours[day, hour] += count
            self.types[kind] += count
            return
        number = self._clients.id_of(client)
        self._all[day, number] += count
        if kind == "MX":
            self._mx[day, number] += count


def read_dns_logs(
    paths: Iterable[Path], tally: DnsTally, first_year: int | None, zone: tzinfo | None
) -> ReadNotes:
    """Count all queries of the files, logs or captures, and note what could not be read."""
    notes = ReadNotes()
    for path in in_order(paths, notes):
        with reading(path, notes, lambda: (tally.lines, tally.unread.count)):
            clock = YearClock(reference_day(path), first_year)
            if is_capture(path):
                tally.add(scan_capture(path, zone), clock)
            else:
                for chunk in chunks(path):
                    tally.add(scan_dns_log(chunk, zone), clock)
    return notes
