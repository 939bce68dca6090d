"""Care for a store: is it whole, what of it is old, and the way into another database.

All functions work inside the transaction of their caller.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
)

from botprobe.errors import StoreError
from botprobe.model.text import counted
from botprobe.store.dialects import is_postgres, kept_text
from botprobe.store.schema import cases, deliveries, hops, host_weeks, hosts, mails, metadata

ROWS_AT_ONCE = 1_000

# Of a moment, not of a history: who works now is nothing to copy.
_PASSING = ("worker",)

Copied = Callable[[str, int], None]
"""Told the name of a table and how many of its rows are copied."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    what: str
    rows: int
    is_fault: bool


def examine(connection: Connection) -> list[Finding]:
    """Count all tables, and what must not be."""
    counts = [
        Finding(table.name, _count(connection, table), is_fault=False)
        for table in metadata.sorted_tables
    ]
    faults = {
        "hops without their mail": _count(
            connection, hops, ~exists().where(mails.c.id == hops.c.mail_id)
        ),
        "deliveries without their mail": _count(
            connection, deliveries, ~exists().where(mails.c.id == deliveries.c.mail_id)
        ),
        "claims without an owner": _count(
            connection, hosts, hosts.c.lease.is_not(None), hosts.c.owner.is_(None)
        ),
        "hosts of a week without a standing that were looked at": _count(
            connection,
            host_weeks,
            host_weeks.c.looked.is_not(None),
            host_weeks.c.standing.is_(None),
        ),
    }
    if not is_postgres(connection):
        said = connection.scalars(text("PRAGMA integrity_check")).all()
        faults["damaged pages or indexes"] = 0 if said == ["ok"] else len(said)
    return [*counts, *(Finding(what, rows, is_fault=True) for what, rows in faults.items())]


def copy_all(source: Connection, target: Connection, told: Copied) -> None:
    """Copy all rows into a store that holds none, and count them on both sides.

    Raises:
        StoreError: the target holds rows, or a count differs.
    """
    tables = [table for table in metadata.sorted_tables if table.name not in _PASSING]
    for table in tables:
        if _count(target, table):
            raise StoreError(f"the new store holds rows in {table.name} already")
    for table in tables:
        copied = 0
        for rows in _pages(source, table):
            target.execute(insert(table), rows)
            copied += len(rows)
            told(table.name, copied)
        _go_on_counting(target, table)
    for table in tables:
        before, after = _count(source, table), _count(target, table)
        if before != after:
            raise StoreError(
                f"{table.name}: {counted(before, 'row')} became {after:,}; nothing was kept"
            )


def forget(connection: Connection, before: float) -> dict[str, int]:
    """Delete what is older than a time, in seconds since the epoch; return how much that was.

    What is planned stays, and so do the weekly counts: reports of former years are still right.
    """
    old_mail = mails.c.delivered < before
    kept_mail = select(mails.c.id).where(old_mail)
    old_host = and_(
        hosts.c.last_seen < before,
        hosts.c.due.is_(None),
        hosts.c.lease.is_(None),
        or_(hosts.c.decided.is_(None), hosts.c.decided < before),
    )
    gone: dict[str, int] = {}
    for table, condition in (
        (hops, hops.c.mail_id.in_(kept_mail)),
        (deliveries, deliveries.c.mail_id.in_(kept_mail)),
        (mails, old_mail),
        (cases, cases.c.started < before),
        (hosts, old_host),
    ):
        gone[table.name] = connection.execute(delete(table).where(condition)).rowcount
    return gone


def _pages(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    rows = source.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE)).mappings()
    for page in rows.partitions(ROWS_AT_ONCE):
        yield [{name: _kept(value) for name, value in row.items()} for row in page]


def _kept(value: Any) -> Any:
    return kept_text(value) if isinstance(value, str) else value


def _go_on_counting(target: Connection, table: Table) -> None:
    """Let the next row of a table have a number that no copied row has."""
    if is_postgres(target) and "id" in table.c:
        target.execute(
            text(
                "SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"
                " FROM (SELECT 1) AS one WHERE :last > 0"
            ),
            {
                "table": f'"{table.name}"',
                "last": target.scalar(select(func.coalesce(func.max(table.c.id), 0))),
            },
        )


def _count(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(table).where(*conditions)
    return connection.scalar(query) or 0
