"""The mails that named an address, read back from the store as sightings."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, func, select

from botprobe.model.mail import Trust
from botprobe.model.target import Sighting
from botprobe.store.schema import hops, mails

# Ten thousand mails of one bot say the same; the newest are enough for a log and a verdict.
MAX_SIGHTINGS = 20


def sightings_of(
    connection: Connection, ip: str, most: int = MAX_SIGHTINGS
) -> tuple[Sighting, ...]:
    """Return the newest sightings of an address, newest mail first."""
    return sightings_of_all(connection, [ip], most).get(ip, ())


def sightings_of_all(
    connection: Connection, ips: Sequence[str], most: int = MAX_SIGHTINGS
) -> dict[str, tuple[Sighting, ...]]:
    """Return the newest sightings of addresses, newest mail first.

    Where there are too many, those that our own side saw go first: whoever forges an address
    must not push out what the host itself did.
    """
    order = (hops.c.trust != Trust.BOUNDARY, hops.c.mail_id.desc(), hops.c.position)
    ranked = (
        select(
            *(hops.c.ip, hops.c.mail_id, hops.c.position, hops.c.trust),
            func.row_number().over(partition_by=hops.c.ip, order_by=order).label("place"),
        )
        .where(hops.c.ip.in_(ips), hops.c.trust.is_not(None), hops.c.trust != Trust.OWN)
        .subquery()
    )
    rows = connection.execute(
        select(ranked.c.ip, ranked.c.position, ranked.c.trust, mails.c.document)
        .join_from(ranked, mails, ranked.c.mail_id == mails.c.id)
        .where(ranked.c.place <= most)
        .order_by(ranked.c.ip, ranked.c.mail_id.desc(), ranked.c.position)
    )
    return {
        ip: tuple(_sighting(json.loads(row.document), row.position, row.trust) for row in seen)
        for ip, seen in groupby(rows, key=attrgetter("ip"))
    }


def _sighting(document: dict[str, Any], position: int, trust: str) -> Sighting:
    hop = document["hops"][position]
    return Sighting(
        file=document["file"],
        message_id=document["message_id"],
        sender=document["from"],
        recipients=tuple(document["to"]),
        hop=hop["index"],
        trust=Trust(trust),
        helo=hop["helo"],
        auth=hop["auth"],
        at=_moment(hop["at"]),
        delivered_at=_moment(document["delivered"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
