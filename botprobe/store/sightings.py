"""The mails that named an address, read back from the store as sightings."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from botprobe.model.mail import Trust
from botprobe.model.target import Sighting
from botprobe.store.schema import hops, mails

# Ten thousand mails of one bot say the same; the newest are enough for a log and a verdict.
MAX_SIGHTINGS = 20


def sightings_of(
    connection: Connection, ip: str, most: int = MAX_SIGHTINGS
) -> tuple[Sighting, ...]:
    """Return the newest sightings of an address, newest mail first.

    Where there are too many, those that our own side saw go first: whoever forges an address
    must not push out what the host itself did.
    """
    chosen = (
        select(hops.c.mail_id, hops.c.position, hops.c.trust)
        .where(hops.c.ip == ip, hops.c.trust.is_not(None), hops.c.trust != Trust.OWN)
        .order_by(hops.c.trust != Trust.BOUNDARY, hops.c.mail_id.desc(), hops.c.position)
        .limit(most)
        .subquery()
    )
    rows = connection.execute(
        select(chosen.c.position, chosen.c.trust, mails.c.document)
        .join_from(chosen, mails, chosen.c.mail_id == mails.c.id)
        .order_by(chosen.c.mail_id.desc(), chosen.c.position)
    )
    return tuple(_sighting(json.loads(row.document), row.position, row.trust) for row in rows)


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
