"""The weekly roll-up: counts per host and week, kept in the transaction that adds a mail or a case.

A year of sightings is too much to count when somebody opens a report; a few rows per host are not.
Nothing here is a source of truth: ``rebuild`` makes all of it anew from mails and cases.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from botprobe.classify.oscatalog import read_os
from botprobe.contract.case import case_from_document
from botprobe.model.mail import IpAddress, Trust
from botprobe.model.outcome import Measured
from botprobe.model.verdict import Case
from botprobe.model.weekly import Standing, Week
from botprobe.store.dialects import upsert
from botprobe.store.schema import cases, hops, host_weeks, mails, standings, week_tallies

UNDATED = -1_000_000
"""The week of mails whose delivery has no believable date: no calendar reaches it."""

MAILS = "mails"
WITHOUT_BOUNDARY = "no boundary"
WITHOUT_ADDRESS = "none"

# Trust of a hop and the counter that its address gets; our own hosts are nobody's suspects.
COUNTERS = {
    Trust.BOUNDARY: "delivered",
    Trust.CLAIMED: "claimed",
    Trust.FORGED: "forged",
    Trust.SYNTHETIC: "synthetic",
}

# Longer than any name of ours; a database row is not the place for more.
MAX_NAME = 80

_NETWORK = re.compile(r"\S+/\d+")

# Of a store from before there was a roll-up; it may not fit into memory.
_ROWS_AT_ONCE = 1_000

Named = Iterable[tuple[str | None, str | None]]


@dataclass(slots=True)
class MailTally:
    """Counts new mails, to add them to their weeks all at once."""

    _weeks: Counter[tuple[int, str]] = field(default_factory=Counter)
    _hosts: defaultdict[str, Counter[tuple[str, int]]] = field(
        default_factory=lambda: defaultdict(Counter)
    )

    def add(self, delivered: float | None, source_ip: str | None, named: Named) -> None:
        """Count a new mail.

        Args:
            delivered: seconds since the epoch, None if the date is not known.
            source_ip: who handed the mail to us, None if that is not known.
            named: trust and address of each hop.
        """
        week = _week(delivered)
        names = [MAILS] if source_ip else [MAILS, WITHOUT_BOUNDARY]
        addresses: set[tuple[str, str]] = set()
        for trust, ip in named:
            names.append(trust or WITHOUT_ADDRESS)
            if trust in COUNTERS and ip is not None:
                addresses.add((COUNTERS[Trust(trust)], str(_plain(ip_address(ip)))))
        self._weeks.update((week, name) for name in names)
        if week != UNDATED:
            for counter, ip in addresses:
                self._hosts[counter][ip, week] += 1

    def write(self, connection: Connection) -> None:
        """Add what was counted, in the transaction that inserts the mails."""
        if self._weeks:
            statement = upsert(connection, week_tallies)
            more = week_tallies.c.count + statement.excluded.count
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["week", "name"], set_={"count": more}
                ),
                [
                    {"week": week, "name": name, "count": count}
                    for (week, name), count in sorted(self._weeks.items())
                ],
            )
        for counter, hosts in self._hosts.items():
            statement = upsert(connection, host_weeks)
            more = host_weeks.c[counter] + statement.excluded[counter]
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["ip", "week"], set_={counter: more}
                ),
                [
                    {"ip": ip, "week": week, "network": _network(ip_address(ip)), counter: count}
                    for (ip, week), count in sorted(hosts.items())
                ],
            )


def count_mail(
    connection: Connection, delivered: float | None, source_ip: str | None, named: Named
) -> None:
    """Add one new mail to its week, as ``MailTally`` does."""
    tally = MailTally()
    tally.add(delivered, source_ip, named)
    tally.write(connection)


def count_case(connection: Connection, kept: Case) -> None:
    """Let a host stand as its newest case says; a refusal never hides a look."""
    count_cases(connection, [kept])


def count_cases(connection: Connection, kept: Sequence[Case]) -> None:
    """Let hosts stand as their newest cases say; a refusal never hides a look."""
    numbers: dict[Standing, int] = {}
    looks: list[dict[str, Any]] = []
    refusals: list[dict[str, Any]] = []
    for case in kept:
        standing = standing_of(case)
        if standing not in numbers:
            numbers[standing] = _standing_id(connection, standing)
        rows = looks if case.refused is None else refusals
        rows.append(_week_row(case, numbers[standing]))
    unseen = host_weeks.c.looked.is_(None)
    for rows, is_look in ((looks, True), (refusals, False)):
        if not rows:
            continue
        statement = upsert(connection, host_weeks)
        new = statement.excluded
        set_ = {"looked": new.looked, "lag_seconds": new.lag_seconds, "standing": new.standing}
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["ip", "week"],
                set_=set_,
                where=or_(unseen, host_weeks.c.looked <= new.looked) if is_look else unseen,
            ),
            sorted(rows, key=itemgetter("ip", "week")),
        )


def _week_row(case: Case, standing: int) -> dict[str, Any]:
    looked = case.refused is None
    return {
        "ip": str(case.target),
        "week": Week.of(case.started).number,
        "network": _network(case.target.address),
        "looked": case.started.timestamp() if looked else None,
        "lag_seconds": case.lag_seconds if looked else None,
        "standing": standing,
    }


def rebuild(connection: Connection) -> None:
    """Count everything anew from the mails and cases of the store."""
    for table in (host_weeks, week_tallies, standings):
        connection.execute(delete(table))
    rows = connection.execute(
        select(
            mails.c.id,
            mails.c.delivered,
            mails.c.source_ip,
            hops.c.position,
            hops.c.trust,
            hops.c.ip,
        )
        .outerjoin_from(mails, hops)
        .order_by(mails.c.id, hops.c.position)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    for (_, delivered, source_ip), lines in groupby(rows, key=itemgetter(0, 1, 2)):
        named = [(line.trust, line.ip) for line in lines if line.position is not None]
        count_mail(connection, delivered, source_ip, named)
    documents = connection.scalars(
        select(cases.c.document)
        .order_by(cases.c.started, cases.c.id)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    for document in documents:
        count_case(connection, case_from_document(json.loads(document)))


def needs_rebuild(connection: Connection) -> bool:
    """Say whether the store has mails or cases from before there was a roll-up."""
    counted = select(week_tallies.c.week).limit(1), select(host_weeks.c.week).limit(1)
    kept = select(mails.c.id).limit(1), select(cases.c.id).limit(1)
    return not any(map(connection.scalar, counted)) and any(map(connection.scalar, kept))


def standing_of(kept: Case) -> Standing:
    """Say how a host stands after a case."""
    verdict, family, generation, role = kept.verdict, None, None, None
    match kept.facts.os:
        case Measured(result):
            reading = read_os(result)
            family, generation, role = reading.family, reading.generation, str(reading.role)
    return Standing(
        label=verdict.label,
        family=family,
        generation=generation,
        role=role,
        refused=None if kept.refused is None else refusal_kind(kept.refused),
        decided_by=verdict.evidence[0].rule if verdict.evidence else None,
    )


def refusal_kind(reason: str) -> str:
    """Shorten a reason to what many hosts have in common: no times, no networks."""
    return _NETWORK.sub("a network", reason.partition(":")[0])[:MAX_NAME]


def _standing_id(connection: Connection, standing: Standing) -> int:
    row = {
        part.name: str(getattr(standing, part.name) or "")[:MAX_NAME] for part in fields(standing)
    }
    known = select(standings.c.id).where(*(standings.c[name] == row[name] for name in row))
    found: int | None = connection.scalar(known)
    if found is None:
        statement = upsert(connection, standings).values(row)
        connection.execute(statement.on_conflict_do_nothing())
        found = connection.scalars(known).one()
    return found


def _week(delivered: float | None) -> int:
    return UNDATED if delivered is None else Week.of(datetime.fromtimestamp(delivered, UTC)).number


def _network(address: IpAddress) -> str:
    return str(ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False))


def _plain(address: IpAddress) -> IpAddress:
    """Return the IPv4 address inside an IPv4-mapped one: one host is counted once."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
