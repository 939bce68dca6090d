"""Claims: which hosts a worker may investigate now, and nobody else.

All functions work inside the transaction of their caller.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Connection, Row, and_, literal, or_, select, update

from botprobe.model.target import Target
from botprobe.model.work import Claim, Rank
from botprobe.store.hosts import moment_of
from botprobe.store.schema import hosts
from botprobe.store.sightings import sightings_of_all

# Seconds for which a later look waits for a worker of another place than the look before.
OTHERS_FIRST = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """Who wants to claim hosts, and how many."""

    owner: str
    now: datetime
    lease_end: datetime
    most: int
    ranks: tuple[Rank, ...]
    vantage: str | None = None
    """Where the worker looks from, where there are several places."""


@dataclass(slots=True, kw_only=True)
class NetworkRoom:
    """How many hosts of each network may still be claimed."""

    network: Any = field(default_factory=lambda: literal(""))
    """Expression for the network of a host."""
    most: int | None = None
    """Claims that a network may have at the same time; None: as many as you like."""
    taken: dict[str, int] = field(default_factory=dict)

    def full(self) -> list[str]:
        """Return the networks that have no room."""
        return [name for name, count in self.taken.items() if not self._fits(count)]

    def take(self, network: str) -> bool:
        """Take a place, if there is one."""
        count = self.taken.get(network, 0)
        if self._fits(count):
            self.taken[network] = count + 1
            return True
        return False

    def _fits(self, count: int) -> bool:
        return self.most is None or count < self.most


def claim_hosts(connection: Connection, bid: Bid, room: NetworkRoom | None = None) -> list[Claim]:
    """Claim hosts that are due and that nobody has a live claim on, in the order of the ranks.

    A lease of the owner's own never ends by the clock: a step of the clock must not let it ask a
    host twice at the same time.
    """
    chosen: list[str] = []
    room = room or NetworkRoom()
    for rank in bid.ranks:
        if len(chosen) < bid.most:
            chosen += _choose(connection, bid, rank, bid.most - len(chosen), room)
    if not chosen:
        return []
    rows = _mark(connection, bid, chosen)
    sightings = sightings_of_all(connection, chosen)
    in_order = sorted(rows, key=lambda row: (bid.ranks.index(row.rank), row.due, row.ip))
    return [_claim(row, Target(ip_address(row.ip), sightings.get(row.ip, ()))) for row in in_order]


def _choose(
    connection: Connection, bid: Bid, rank: Rank, most: int, room: NetworkRoom
) -> Iterable[str]:
    now = bid.now.timestamp()
    # Who is due at once is due whatever the clock says: it may have been set back.
    due = hosts.c.due <= now if rank is Rank.LATER else hosts.c.due.is_not(None)
    free = or_(hosts.c.lease.is_(None), and_(hosts.c.lease < now, hosts.c.owner != bid.owner))
    query = (
        select(hosts.c.ip, room.network)
        .where(hosts.c.rank == int(rank), due, free)
        .order_by(hosts.c.due)
        .limit(most)
        .with_for_update(skip_locked=True)  # others take others
    )
    if rank is Rank.LATER and bid.vantage is not None:
        # Another place may see another host: it has some time to come first.
        elsewhere = or_(hosts.c.vantage.is_(None), hosts.c.vantage != bid.vantage)
        query = query.where(or_(elsewhere, hosts.c.due <= now - OTHERS_FIRST))
    if full := room.full():
        query = query.where(room.network.not_in(full))
    return [ip for ip, network in connection.execute(query).all() if room.take(network)]


def _mark(connection: Connection, bid: Bid, chosen: list[str]) -> list[Row[Any]]:
    return list(
        connection.execute(
            update(hosts)
            .where(hosts.c.ip.in_(chosen))
            .values(
                owner=bid.owner,
                lease=bid.lease_end.timestamp(),
                attempt=hosts.c.attempt + 1,
                tries=hosts.c.tries + 1,
            )
            .returning(
                *(hosts.c.ip, hosts.c.rank, hosts.c.due),
                *(hosts.c.attempt, hosts.c.tries, hosts.c.first_looked),
            )
        )
    )


def _claim(row: Row[Any], target: Target) -> Claim:
    return Claim(
        target=target,
        rank=Rank(row.rank),
        due=moment_of(row.due),
        attempt=row.attempt,
        tries=row.tries,
        first_looked=None if row.first_looked is None else moment_of(row.first_looked),
    )
