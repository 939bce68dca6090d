"""What the store has to publish: the latest case of each host with certain labels."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, select

from botprobe.contract.case import case_from_document
from botprobe.model.finding import Finding
from botprobe.model.mail import IpAddress, Trust
from botprobe.model.verdict import Label
from botprobe.store.schema import cases, hops, host_weeks, mails

PAGE = 500
"""How many hosts are in memory at the same time."""


def finding_page(
    connection: Connection, after: str, labels: Collection[Label], since: datetime, holds: timedelta
) -> tuple[Sequence[Finding], str | None]:
    """Return the next findings and the address that the page after begins behind.

    Args:
        connection: in a transaction.
        after: the last address of the page before, at first empty.
        labels: the labels that the latest look must have given.
        since: looks before this time have expired.
        holds: for how long a look holds.
    """
    latest = (
        select(
            cases.c.ip,
            func.max(cases.c.started).label("started"),
        )
        .where(cases.c.ip > after, cases.c.probed)
        .group_by(cases.c.ip)
        .order_by(cases.c.ip)
        .limit(PAGE)
        .subquery()
    )
    rows = connection.execute(
        select(latest.c.ip, latest.c.started, cases.c.label, cases.c.document)
        .join(cases, and_(cases.c.ip == latest.c.ip, cases.c.started == latest.c.started))
        .where(cases.c.probed)
        .order_by(latest.c.ip, cases.c.id)
    ).all()
    found = {
        row.ip: _finding(connection, row.ip, row.document, holds)
        for row in rows
        if row.label in labels and row.started >= since.timestamp()
    }
    return tuple(found.values()), rows[-1].ip if rows else None


def boundary_mail(connection: Connection, address: IpAddress) -> dict[str, Any] | None:
    """Return the document of the newest mail that the host handed to us."""
    document = connection.scalar(
        select(mails.c.document)
        .join_from(hops, mails)
        .where(hops.c.ip == str(address), hops.c.trust == str(Trust.BOUNDARY))
        .order_by(mails.c.delivered.desc().nulls_last(), mails.c.id.desc())
        .limit(1)
    )
    if document is None:
        return None
    read: dict[str, Any] = json.loads(document)
    return read


def _finding(connection: Connection, ip: str, document: str, holds: timedelta) -> Finding:
    case = case_from_document(json.loads(document))
    first = connection.scalar(
        select(func.min(cases.c.started)).where(cases.c.ip == ip, cases.c.probed)
    )
    delivered = connection.scalar(
        select(func.sum(host_weeks.c.delivered)).where(host_weeks.c.ip == ip)
    )
    return Finding(
        case=case,
        first_seen=datetime.fromtimestamp(first or case.started.timestamp(), UTC),
        delivered=delivered or 0,
        expires=case.started + holds,
    )
