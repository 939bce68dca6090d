"""Jobs that several machines could do, and one does: the report of a week, say.

All functions work inside the transaction of their caller.
"""

from datetime import datetime

from sqlalchemy import Connection, delete

from botprobe.store.dialects import upsert
from botprobe.store.schema import jobs


def first_to(connection: Connection, job: str, period: str, now: datetime) -> bool:
    """Note that a job of a period is being done; False if somebody noted it before."""
    statement = upsert(connection, jobs).values(job=job, period=period, at=now.timestamp())
    noted = statement.on_conflict_do_nothing().returning(jobs.c.job)
    return connection.scalar(noted) is not None


def not_done(connection: Connection, job: str, period: str) -> None:
    """Take the note back."""
    connection.execute(delete(jobs).where(jobs.c.job == job, jobs.c.period == period))
