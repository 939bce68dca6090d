"""The host table: who is due, who is being asked, and by whom.

All functions work inside the transaction of their caller. A worker claims an address for the time
of a lease; it may finish only while its claim is the current one, so that a worker that was
believed dead cannot add a second verdict.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, or_, select, update
from sqlalchemy import case as when

from botprobe.model.mail import IpAddress
from botprobe.model.work import Arrival, Claim, HostHistory, Rank
from botprobe.store.dialects import larger, smaller, upsert
from botprobe.store.schema import hosts


def plan_hosts(connection: Connection, arrivals: Sequence[Arrival], decided_before: float) -> None:
    """Write down what mails ask for; an address that was decided on lately is only counted.

    Args:
        connection: in the transaction that keeps the mails.
        arrivals: new mails only.
        decided_before: end of the cool-down, in seconds since the epoch.
    """
    rows = [
        {
            "ip": str(plan.address),
            "seen": arrival.arrived.timestamp(),
            "rank": int(plan.rank),
            "due": None if plan.refused else arrival.arrived.timestamp(),
            "refused": plan.refused,
            "decided_before": decided_before,
        }
        for arrival in arrivals
        for plan in arrival.plans
    ]
    if rows:
        # In one order for all, or two who plan the same hosts would wait for each other.
        rows.sort(key=itemgetter("ip"))
        connection.execute(_upsert(connection), rows)


def _upsert(connection: Connection) -> Any:
    new = upsert(connection, hosts).values(
        ip=bindparam("ip"),
        first_seen=bindparam("seen"),
        last_seen=bindparam("seen"),
        sightings=1,
        rank=bindparam("rank"),
        due=bindparam("due"),
        refused=bindparam("refused"),
    )
    asked = new.excluded.due.is_not(None)
    cool = or_(hosts.c.decided.is_(None), hosts.c.decided <= bindparam("decided_before"))
    pending = and_(hosts.c.due.is_not(None), hosts.c.rank < Rank.LATER)
    starts = and_(asked, ~func.coalesce(pending, False), cool)
    hurries = and_(asked, pending, new.excluded.rank < hosts.c.rank)
    undecided = and_(hosts.c.due.is_(None), hosts.c.decided.is_(None))
    return new.on_conflict_do_update(
        index_elements=["ip"],
        set_={
            "first_seen": smaller(hosts.c.first_seen, new.excluded.first_seen),
            "last_seen": larger(hosts.c.last_seen, new.excluded.last_seen),
            "sightings": hosts.c.sightings + 1,
            "rank": when((or_(starts, hurries), new.excluded.rank), else_=hosts.c.rank),
            "due": when((starts, new.excluded.due), else_=hosts.c.due),
            "refused": when(
                (starts, None), (undecided, new.excluded.refused), else_=hosts.c.refused
            ),
        },
    )


def plan_suspects(
    connection: Connection, addresses: Iterable[IpAddress], now: datetime, decided_before: float
) -> list[IpAddress]:
    """Make addresses due that an observer named, and return which of them became so.

    Who is due already stays as urgent as it is; who was decided on lately is left alone.

    Args:
        connection: in a transaction.
        addresses: whom the observer suspects, each once.
        now: when they become due.
        decided_before: end of the cool-down, in seconds since the epoch.
    """
    moment = now.timestamp()
    unknown = upsert(connection, hosts).values(
        ip=bindparam("ip"), first_seen=moment, last_seen=moment, sightings=0, rank=Rank.SUSPECT
    )
    pending = and_(hosts.c.due.is_not(None), hosts.c.rank != int(Rank.LATER))
    cool = or_(hosts.c.decided.is_(None), hosts.c.decided <= decided_before)
    planned: list[IpAddress] = []
    for address in sorted(addresses, key=str):  # in the order of `plan_hosts`
        connection.execute(unknown.on_conflict_do_nothing(), {"ip": str(address)})
        became_due = connection.execute(
            update(hosts)
            .where(hosts.c.ip == str(address), ~pending, cool, hosts.c.lease.is_(None))
            .values(rank=int(Rank.SUSPECT), due=moment, refused=None)
        )
        if became_due.rowcount:
            planned.append(address)
    return planned


def put_back(
    connection: Connection, claim: Claim, try_again: datetime | None, *, failed: bool
) -> None:
    """Give a claim up; the host is due as before, or not before ``try_again``.

    Args:
        connection: in a transaction.
        claim: if it is not the current one, nothing is done.
        try_again: a later time, if it is to rest.
        failed: the try counts; one that was given a later time does in any case.
    """
    values: dict[str, Any] = {"owner": None, "lease": None}
    if try_again is None and not failed:
        values["tries"] = hosts.c.tries - 1
    if try_again is not None:
        values |= {"rank": int(Rank.LATER), "due": try_again.timestamp()}
    connection.execute(update(hosts).where(*current(claim)).values(values))


def recover(connection: Connection) -> int:
    """End all claims, for the time when nobody who made them is alive; return how many."""
    return connection.execute(
        update(hosts).where(hosts.c.lease.is_not(None)).values(owner=None, lease=None)
    ).rowcount


def waiting_hosts(connection: Connection, now: datetime) -> int:
    """Count the hosts that are due and not claimed."""
    free = select(func.count()).where(hosts.c.due.is_not(None), hosts.c.lease.is_(None))
    # Counted apart, each is a range of the index, and millions of planned looks are not read.
    at_once = free.where(hosts.c.rank.in_([int(rank) for rank in Rank if rank is not Rank.LATER]))
    planned = free.where(hosts.c.rank == int(Rank.LATER), hosts.c.due <= now.timestamp())
    return (connection.scalar(at_once) or 0) + (connection.scalar(planned) or 0)


def host_history(connection: Connection, address: IpAddress) -> HostHistory | None:
    """Return what the table says of an address."""
    row = connection.execute(select(hosts).where(hosts.c.ip == str(address))).one_or_none()
    if row is None:
        return None
    return HostHistory(
        address=address,
        first_seen=moment_of(row.first_seen),
        last_seen=moment_of(row.last_seen),
        sightings=row.sightings,
        due=None if row.due is None else moment_of(row.due),
        refused=row.refused,
    )


def current(claim: Claim) -> tuple[Any, ...]:
    """Say when a claim is still the current one."""
    return (
        hosts.c.ip == str(claim.target),
        hosts.c.attempt == claim.attempt,
        hosts.c.lease.is_not(None),
    )


def moment_of(seconds: float) -> datetime:
    """Return the time of so many seconds since the epoch, aware UTC."""
    return datetime.fromtimestamp(seconds, UTC)
