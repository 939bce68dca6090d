"""What observers wrote about addresses: observations, and why they want one to be probed.

All functions work inside the transaction of their caller.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, Row, and_, delete, func, insert, select

from botprobe.contract.observation import observation_document, observation_from_document
from botprobe.model.mail import IpAddress
from botprobe.model.observation import Observation, Suspicion
from botprobe.store.schema import observations, suspicions

_KEY = ("ip", "observer", "seen")


def add_observations(connection: Connection, added: Collection[Observation]) -> None:
    """Keep observations; one of the same observer, address and moment replaces the earlier."""
    rows = {
        (str(one.address), str(one.observer), one.seen.timestamp()): json.dumps(
            observation_document(one)
        )
        for one in added
    }
    # Not an upsert, which every database spells in its own way.
    for key, document in rows.items():
        same = and_(*(observations.c[name] == value for name, value in zip(_KEY, key, strict=True)))
        connection.execute(delete(observations).where(same))
        ip, observer, seen = key
        connection.execute(
            insert(observations).values(ip=ip, observer=observer, seen=seen, document=document)
        )


def newest_observations(connection: Connection, address: IpAddress, most: int) -> list[Observation]:
    """Return what was observed of an address, newest first."""
    query = (
        select(observations.c.document)
        .where(observations.c.ip == str(address))
        .order_by(observations.c.seen.desc(), observations.c.observer)
        .limit(most)
    )
    return _read(connection.execute(query).all())


def latest_observations(connection: Connection, address: IpAddress) -> list[Observation]:
    """Return the newest observation of each observer."""
    newest = (
        select(observations.c.observer, func.max(observations.c.seen).label("seen"))
        .where(observations.c.ip == str(address))
        .group_by(observations.c.observer)
        .subquery()
    )
    query = (
        select(observations.c.document)
        .join(
            newest,
            and_(
                observations.c.observer == newest.c.observer, observations.c.seen == newest.c.seen
            ),
        )
        .where(observations.c.ip == str(address))
        .order_by(observations.c.observer)
    )
    return _read(connection.execute(query).all())


def add_suspicions(connection: Connection, suspects: Mapping[IpAddress, str], at: datetime) -> None:
    """Write down why addresses are to be probed; one that said so at that moment has said it."""
    seconds = at.timestamp()
    for address, why in suspects.items():
        ip = str(address)
        same = and_(suspicions.c.ip == ip, suspicions.c.at == seconds)
        connection.execute(delete(suspicions).where(same))
        connection.execute(insert(suspicions).values(ip=ip, at=seconds, why=why))


def suspicions_of(connection: Connection, address: IpAddress, most: int) -> list[Suspicion]:
    """Return why an address was to be probed, newest first."""
    rows = connection.execute(
        select(suspicions)
        .where(suspicions.c.ip == str(address))
        .order_by(suspicions.c.at.desc())
        .limit(most)
    ).all()
    return [Suspicion(at=datetime.fromtimestamp(row.at, UTC), why=row.why) for row in rows]


def _read(rows: Sequence[Row[tuple[str]]]) -> list[Observation]:
    return [observation_from_document(json.loads(row.document)) for row in rows]
