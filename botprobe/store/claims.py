"""Claims: which hosts a worker may investigate now, and nobody else.

All functions work inside the transaction of their caller.
"""

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, update

from botprobe.model.target import Target
from botprobe.model.work import Claim, Rank
from botprobe.store.hosts import moment_of
from botprobe.store.schema import hosts
from botprobe.store.sightings import sightings_of_all

# Seconds for which a later look waits for a worker of another place than the look before.
OTHERS_FIRST = 600.0
# Looks for hosts of one rank: each finds no more of the networks that the one before filled.
LOOKS = 3


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
    reserve: int = 0
    """Of these, how many only fresh hosts may be."""


@dataclass(slots=True, kw_only=True)
class NetworkRoom:
    """How many hosts of each network may still be claimed."""

    network: ColumnElement[str]
    """Expression for the network of a host."""
    most: int
    """Claims that a network may have at the same time."""
    taken: dict[str, int] = field(default_factory=dict)

    def full(self) -> list[str]:
        """Return the networks that have no room."""
        return [name for name, count in self.taken.items() if count >= self.most]

    def take(self, network: str) -> bool:
        """Take a place, if there is one."""
        count = self.taken.get(network, 0)
        if count < self.most:
            self.taken[network] = count + 1
            return True
        return False


def room_of(connection: Connection, network: ColumnElement[str], most: int) -> NetworkRoom:
    """Count the claims of each network; nobody else may make some meanwhile."""
    query = select(network, func.count()).where(hosts.c.lease.is_not(None)).group_by(network)
    taken = {row[0]: row[1] for row in connection.execute(query)}
    return NetworkRoom(network=network, most=most, taken=taken)


def claim_hosts(connection: Connection, bid: Bid, room: NetworkRoom) -> list[Claim]:
    """Claim hosts that are due and that nobody has a live claim on, in the order of the ranks.

    A lease of the owner's own never ends by the clock: a step of the clock must not let it ask a
    host twice at the same time.
    """
    chosen: list[str] = []
    for rank in _ranks_due(connection, bid):
        places = bid.most if rank is Rank.FRESH else bid.most - bid.reserve
        if len(chosen) < places:
            chosen += _choose(connection, bid, rank, places - len(chosen), room)
    if not chosen:
        return []
    rows = _mark(connection, bid, chosen)
    sightings = sightings_of_all(connection, chosen)
    in_order = sorted(rows, key=lambda row: (bid.ranks.index(row.rank), row.due, row.ip))
    return [_claim(row, Target(ip_address(row.ip), sightings.get(row.ip, ()))) for row in in_order]


def _ranks_due(connection: Connection, bid: Bid) -> list[Rank]:
    """Return the ranks in which anybody can be claimed: mostly one of six, or none."""
    # In the order of the index, or PostgreSQL would look for the first one all over the table.
    first = (
        select(hosts.c.ip).where(*_claimable(bid, rank)).order_by(hosts.c.due).limit(1)
        for rank in bid.ranks
    )
    row = connection.execute(select(*(query.scalar_subquery() for query in first))).one()
    return [rank for rank, ip in zip(bid.ranks, row, strict=True) if ip is not None]


def _claimable(bid: Bid, rank: Rank) -> tuple[ColumnElement[bool], ...]:
    now = bid.now.timestamp()
    # Who is due at once is due whatever the clock says: it may have been set back.
    due = hosts.c.due <= now if rank is Rank.LATER else hosts.c.due.is_not(None)
    free = or_(hosts.c.lease.is_(None), and_(hosts.c.lease < now, hosts.c.owner != bid.owner))
    return hosts.c.rank == int(rank), due, free


def _choose(
    connection: Connection, bid: Bid, rank: Rank, most: int, room: NetworkRoom
) -> list[str]:
    chosen: list[str] = []
    for _ in range(LOOKS):
        query = _due(bid, rank, most - len(chosen))
        if full := room.full():
            query = query.where(room.network.not_in(full))
        if chosen:
            query = query.where(hosts.c.ip.not_in(chosen))
        rows = connection.execute(query.add_columns(room.network)).all()
        fitting = [ip for ip, network in rows if room.take(network)]
        chosen += fitting
        if len(fitting) == len(rows):
            break
    return chosen


def _due(bid: Bid, rank: Rank, most: int) -> Select[Any]:
    """Find hosts of a rank that are due and free, those first that are due for longest."""
    query = (
        select(hosts.c.ip)
        .where(*_claimable(bid, rank))
        .order_by(hosts.c.due)
        .limit(most)
        .with_for_update(skip_locked=True)  # others take others
    )
    if rank is Rank.LATER and bid.vantage is not None:
        # Another place may see another host: it has some time to come first.
        elsewhere = or_(hosts.c.vantage.is_(None), hosts.c.vantage != bid.vantage)
        query = query.where(or_(elsewhere, hosts.c.due <= bid.now.timestamp() - OTHERS_FIRST))
    return query


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
