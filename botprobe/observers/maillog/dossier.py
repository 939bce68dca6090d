"""What the logs know about single hosts, for their dossiers."""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from botprobe.model.mail import IpAddress
from botprobe.model.observation import Observation
from botprobe.model.results import MailLogTraffic
from botprobe.observers.maillog.analysis import Analysis
from botprobe.observers.maillog.clients import address_of
from botprobe.observers.maillog.tally import DayClients, LogTally

# A flood of clients must not fill the store: of these many, the busiest, the log tells.
MAX_CLIENTS = 10_000


def suspects(analysis: Analysis) -> dict[IpAddress, str]:
    """Return whom the logs suspect and why: the drivers, and who asks for MX records itself."""
    found: dict[IpAddress | None, str] = {}
    for asker in analysis.mx_askers:
        why = f"asked for {asker.mx_queries:,} MX records itself on {asker.day}"
        found[address_of(asker.client.encode())] = why
    for incident in analysis.incidents:
        for name in incident.drivers:
            why = f"drove the abnormal load of {incident.alarm.day}"
            found[address_of(name.encode())] = why
    return {address: why for address, why in found.items() if address is not None}


def observations(
    tally: LogTally, analysis: Analysis, zone: tzinfo | None = None
) -> list[Observation]:
    """Return what the log knows of its busiest clients and of all suspects.

    Args:
        tally: what was counted.
        analysis: what was concluded from it.
        zone: the zone of the log's days; None is the system's.
    """
    seen = _Seen()
    for day, clients in sorted(tally.days.items()):
        seen.add(day, clients)
    if not seen.last:
        return []
    names, wanted = tally.clients.names(), suspects(analysis)
    total = sum(day.connects for day in analysis.days)
    newest = max(tally.hours)
    busiest = set(heapq.nlargest(MAX_CLIENTS, seen.activity, key=seen.activity.__getitem__))
    found = []
    for number, day in seen.last.items():
        address = address_of(names[number])
        if address is None or (number not in busiest and address not in wanted):
            continue
        saw = MailLogTraffic(
            connects=seen.connects[number],
            accepted=seen.accepted[number],
            rejects=_rejects(tally, number),
            share=round(seen.connects[number] / total, 6) if total else 0.0,
            driver_days=_driven(analysis, number),
            mx_queries=_asked(analysis, address),
        )
        moment = _last_moment(day, newest, zone)
        found.append(Observation(address=address, seen=moment, saw=saw))
    return found


@dataclass(slots=True)
class _Seen:
    """What the clients did over all days."""

    connects: Counter[int] = field(default_factory=Counter)
    accepted: Counter[int] = field(default_factory=Counter)
    activity: Counter[int] = field(default_factory=Counter)
    """All of it, because not every server logs connections."""
    last: dict[int, date] = field(default_factory=dict)

    def add(self, day: date, clients: DayClients) -> None:
        """Add a day; later days come later."""
        self.connects.update(clients.connects.counter())
        self.accepted.update(clients.accepted.counter())
        for counts in (clients.connects, clients.accepted, clients.rejects):
            self.activity.update(counts.counter())
            self.last.update(dict.fromkeys((client for client, _ in counts), day))


def _rejects(tally: LogTally, client: int) -> tuple[tuple[str, int], ...]:
    kinds = sorted(tally.reject_kinds.items())
    return tuple((kind, counts[client]) for kind, counts in kinds if counts[client])


def _driven(analysis: Analysis, client: int) -> tuple[date, ...]:
    return tuple(one.alarm.day for one in analysis.incidents if client in one.driver_numbers)


def _asked(analysis: Analysis, address: IpAddress) -> int:
    asked = (
        one.mx_queries for one in analysis.mx_askers if address_of(one.client.encode()) == address
    )
    return max(asked, default=0)


def _last_moment(day: date, newest: tuple[date, int], zone: tzinfo | None) -> datetime:
    """Return the end of a day, or of the hour in which the log ends.

    The same log read again says the same moment.
    """
    end = datetime.combine(day, time()) + timedelta(days=1)
    if day == newest[0]:
        end = datetime.combine(day, time(newest[1])) + timedelta(hours=1)
    return (end.astimezone() if zone is None else end.replace(tzinfo=zone)).astimezone(UTC)
