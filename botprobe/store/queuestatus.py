"""How the work stands, from the host table alone."""

from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select

from botprobe.model.work import GIVEN_UP, QueueStatus, Rank, RankDepth
from botprobe.store.presence import all_workers
from botprobe.store.schema import hosts


def queue_status(connection: Connection, now: datetime) -> QueueStatus:
    """Count what is due, planned, claimed, tried again and given up."""
    retried = select(func.count()).where(hosts.c.due.is_not(None), hosts.c.tries > 1)
    given_up = select(func.count()).where(hosts.c.refused.startswith(GIVEN_UP))
    return QueueStatus(
        ranks=_depths(connection, now),
        retried=connection.scalar(retried) or 0,
        given_up=connection.scalar(given_up) or 0,
        workers=all_workers(connection, now),
    )


def _depths(connection: Connection, now: datetime) -> tuple[RankDepth, ...]:
    moment = now.timestamp()
    arrived = or_(hosts.c.rank != int(Rank.LATER), hosts.c.due <= moment)
    free = hosts.c.lease.is_(None)
    rows = connection.execute(
        select(
            hosts.c.rank,
            func.count().filter(and_(arrived, free)),
            func.min(hosts.c.due).filter(and_(arrived, free)),
            func.count().filter(~arrived),
            func.count().filter(~free),
        )
        .where(hosts.c.due.is_not(None))
        .group_by(hosts.c.rank)
        .order_by(hosts.c.rank)
    )
    return tuple(
        RankDepth(
            rank=Rank(rank),
            due=due,
            oldest=None if oldest is None else max(0.0, moment - oldest),
            planned=planned,
            claimed=claimed,
        )
        for rank, due, oldest, planned, claimed in rows
    )
