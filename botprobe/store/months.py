"""Sightings by month (PostgreSQL): a partition of the table of hops for each month of arrival.

The number of a mail begins with the month in which it came, so that its hops are in the partition
of that month, and a month that nobody wants any more is dropped in one stroke. What was copied
from another store, or came before there were partitions, is in a partition for all the rest.
All functions work inside the transaction of their caller.
"""

import re
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, text

from botprobe.store.schema import deliveries, mails

# Mails that a month may have; with the month in front, numbers stay below 2 to the power of 53.
BITS = 40

# Numbers of mails without a month are smaller. Not a default partition: to add a month beside that,
# PostgreSQL would read all of it.
REST_END = 12 << BITS
_NAME = re.compile(r"hop_([0-9]{4})_([0-9]{2})")


def month_of(moment: datetime) -> int:
    """Return how many months a time is after January of the year 0."""
    return moment.year * 12 + moment.month - 1


def first_number(month: int) -> int:
    """Return the smallest number of a mail of a month."""
    return (month - month_of(datetime(1970, 1, 1, tzinfo=UTC))) << BITS


def open_month(connection: Connection, now: datetime) -> None:
    """See to it that a month has its partition, and that new mails get its numbers."""
    month = month_of(now)
    start, end = first_number(month), first_number(month + 1)
    connection.execute(
        text(
            "CREATE TABLE IF NOT EXISTS hop_rest PARTITION OF hop"
            f" FOR VALUES FROM (MINVALUE) TO ({REST_END})"
        )
    )
    connection.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {_partition(month)} PARTITION OF hop"
            f" FOR VALUES FROM ({start}) TO ({end})"
        )
    )
    sequence = connection.scalar(text("SELECT pg_get_serial_sequence('mail', 'id')"))
    last: int = connection.scalar(text(f"SELECT last_value FROM {sequence}")) or 0  # noqa: S608  # the server's own word
    if last < start:
        connection.execute(text("SELECT setval(:name, :start)"), {"name": sequence, "start": start})


def drop_months(connection: Connection, before: datetime) -> int:
    """Drop the sightings of all months that ended before a time, and their mails; count these."""
    names = connection.scalars(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'hop'::regclass")
    ).all()
    gone = 0
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        month = int(match[1]) * 12 + int(match[2]) - 1
        if month >= month_of(before):
            continue
        connection.execute(text(f"DROP TABLE {name}"))
        here = mails.c.id.between(first_number(month), first_number(month + 1) - 1)
        old = deliveries.c.mail_id.in_(select(mails.c.id).where(here))
        connection.execute(delete(deliveries).where(old))
        gone += connection.execute(delete(mails).where(here)).rowcount
    return gone


def _partition(month: int) -> str:
    return f"hop_{month // 12:04}_{month % 12 + 1:02}"
