"""Claims: which hosts a worker may investigate now, and nobody else.

All functions work inside the transaction of their caller.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select, update

from botprobe.model.target import Target
from botprobe.model.work import Claim, Rank
from botprobe.store.hosts import moment_of
from botprobe.store.schema import hosts
from botprobe.store.sightings import sightings_of_all

# Seconds for which a later look waits for a worker of another place than the look before.
OTHERS_FIRST = 600.0
# Hosts of one rank that a claim looks at, if those at the front are of crowded networks. A campaign
# may name a hundred thousand addresses of one network; no claim is to read them all.
AHEAD = 2000


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


class NetworkRoom:
    """How many hosts of each network may still be claimed."""

    def __init__(self, claimed: Iterable[str], most: int) -> None:
        self._taken, self._most = Counter(map(network_of, claimed)), most

    def fitting(self, ips: Iterable[str], wanted: int) -> list[str]:
        """Return those of some hosts that find room, in their order, so many at most."""
        taken, found = Counter[str](), list[str]()
        for ip in ips:
            network = network_of(ip)
            if len(found) < wanted and self._taken[network] + taken[network] < self._most:
                taken[network] += 1
                found.append(ip)
        return found

    def take(self, ips: Iterable[str]) -> None:
        """Count hosts that were claimed."""
        self._taken.update(map(network_of, ips))


def network_of(ip: str) -> str:
    """Name the /24 or /48 around an address by its first three numbers.

    A claim does so for thousands of hosts, and ``ipaddress`` takes 15 to 55 times as long.
    """
    if ":" not in ip:
        return ip.rpartition(".")[0]
    first, gap, last = ip.partition("::")
    head, tail = (part.split(":") if part else [] for part in (first, last))
    zeros = ["0"] * (8 - len(head) - len(tail)) if gap else []
    return ":".join([*head, *zeros, *tail][:3])


def room_of(connection: Connection, most: int) -> NetworkRoom:
    """Count the claims of each network; nobody else may make some meanwhile."""
    claimed = select(hosts.c.ip).where(hosts.c.lease.is_not(None))
    return NetworkRoom(connection.scalars(claimed), most)


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
    # Who is due at once is due whatever the clock says: it may have been set back.
    later = rank is Rank.LATER
    due = hosts.c.due <= bid.now.timestamp() if later else hosts.c.due.is_not(None)
    return hosts.c.rank == int(rank), due, _free(bid)


def _free(bid: Bid) -> ColumnElement[bool]:
    over = and_(hosts.c.lease < bid.now.timestamp(), hosts.c.owner != bid.owner)
    return or_(hosts.c.lease.is_(None), over)


def _choose(
    connection: Connection, bid: Bid, rank: Rank, most: int, room: NetworkRoom
) -> list[str]:
    chosen: list[str] = []
    for depth in (most, max(most, AHEAD)):
        ips = connection.scalars(_due(bid, rank).limit(depth)).all()
        chosen = room.fitting(ips, most)
        if len(chosen) == most or len(ips) < depth:
            break
    room.take(chosen)
    return chosen


def _due(bid: Bid, rank: Rank) -> Select[Any]:
    """Find hosts of a rank that are due and free, those first that are due for longest."""
    query = select(hosts.c.ip).where(*_claimable(bid, rank)).order_by(hosts.c.due)
    if rank is Rank.LATER and bid.vantage is not None:
        # Another place may see another host: it has some time to come first.
        elsewhere = or_(hosts.c.vantage.is_(None), hosts.c.vantage != bid.vantage)
        query = query.where(or_(elsewhere, hosts.c.due <= bid.now.timestamp() - OTHERS_FIRST))
    return query


def _mark(connection: Connection, bid: Bid, chosen: list[str]) -> list[Row[Any]]:
    # Others take others: whoever holds a row just now is not waited for.
    open_still = select(hosts.c.ip).where(hosts.c.ip.in_(chosen), _free(bid))
    return list(
        connection.execute(
            update(hosts)
            .where(hosts.c.ip.in_(open_still.with_for_update(skip_locked=True)))
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
