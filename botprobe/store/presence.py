"""Who works on a store that several machines share, and what is left behind by who does not.

A worker says every few seconds that it lives. Who has been silent for too long is struck off,
and its claims are open to all. All functions work inside the transaction of their caller.
"""

from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, update

from botprobe.model.work import Presence, WorkerStatus
from botprobe.store.dialects import upsert
from botprobe.store.schema import hosts, workers


def beat(connection: Connection, presence: Presence, now: datetime) -> None:
    """Write down that a worker lives."""
    row = {**asdict(presence), "started": now.timestamp(), "beat": now.timestamp()}
    statement = upsert(connection, workers).values(row)
    kept = {name: statement.excluded[name] for name in row if name not in {"owner", "started"}}
    connection.execute(statement.on_conflict_do_update(index_elements=["owner"], set_=kept))


def bury(connection: Connection, silent_since: datetime) -> int:
    """End the claims of all who have not been heard since, and return how many these were."""
    connection.execute(delete(workers).where(workers.c.beat < silent_since.timestamp()))
    return connection.execute(
        update(hosts)
        .where(hosts.c.lease.is_not(None), hosts.c.owner.not_in(select(workers.c.owner)))
        .values(owner=None, lease=None)
    ).rowcount


def leave(connection: Connection, owner: str) -> None:
    """Strike a worker off that ends; whatever it still claims is open to all."""
    connection.execute(delete(workers).where(workers.c.owner == owner))
    connection.execute(
        update(hosts)
        .where(hosts.c.lease.is_not(None), hosts.c.owner == owner)
        .values(owner=None, lease=None)
    )


def all_workers(connection: Connection, now: datetime) -> tuple[WorkerStatus, ...]:
    """Return who works, by vantage point and name."""
    rows = connection.execute(select(workers).order_by(workers.c.vantage, workers.c.owner))
    return tuple(
        WorkerStatus(
            presence=Presence(
                owner=row.owner,
                vantage=row.vantage,
                concurrency=row.concurrency,
                under_way=row.under_way,
                finished=row.finished,
            ),
            started=datetime.fromtimestamp(row.started, UTC),
            silent=max(0.0, now.timestamp() - row.beat),
        )
        for row in rows
    )
