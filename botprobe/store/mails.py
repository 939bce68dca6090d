"""Mails in the store: each is kept once, and each file of a mailbox is taken once.

All functions work inside the transaction of their caller.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from botprobe.contract.mail import mail_document
from botprobe.model.mail import Mail
from botprobe.model.work import Arrival
from botprobe.store.dialects import kept_text, upsert
from botprobe.store.rollup import MailTally
from botprobe.store.schema import deliveries, hops
from botprobe.store.schema import mails as mail_table

# SQLite's oldest limit on the parameters of one statement is 999.
_KEYS_AT_ONCE = 900


def known_keys(connection: Connection, keys: Collection[str]) -> set[str]:
    """Return those of the keys whose files were taken."""
    wanted = list(keys)
    known: set[str] = set()
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        some = deliveries.c.key.in_(wanted[start : start + _KEYS_AT_ONCE])
        known.update(connection.scalars(select(deliveries.c.key).where(some)))
    return known


def take_mails(connection: Connection, arrivals: Iterable[Arrival]) -> Sequence[Arrival]:
    """Keep mails that were not taken yet, and return these."""
    by_key = {arrival.key: arrival for arrival in arrivals}
    known = known_keys(connection, by_key)
    fresh = [arrival for key, arrival in by_key.items() if key not in known]
    numbers = insert_mails(connection, [arrival.mail for arrival in fresh])
    if fresh:
        connection.execute(
            insert(deliveries),
            [{"key": a.key, "mail_id": number} for a, number in zip(fresh, numbers, strict=True)],
        )
    return fresh


def insert_mails(connection: Connection, mails: Iterable[Mail]) -> list[int]:
    """Keep mails and their hops, unless they are kept already, and return their numbers."""
    tally, hop_rows = MailTally(), list[dict[str, Any]]()
    numbers = [_insert_mail(connection, mail, tally, hop_rows) for mail in mails]
    tally.write(connection)
    if hop_rows:
        connection.execute(insert(hops), hop_rows)
    return numbers


def _insert_mail(
    connection: Connection, mail: Mail, tally: MailTally, hop_rows: list[dict[str, Any]]
) -> int:
    document = mail_document(mail)
    place = document.pop("file")
    key = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    row: dict[str, Any] = {
        "key": key,
        "file": kept_text(mail.file),
        "message_id": kept_text(mail.message_id),
        "delivered": mail.delivered_at.timestamp() if mail.delivered_at else None,
        "source_ip": str(mail.source_ip) if mail.source_ip else None,
        "document": json.dumps({"file": place, **document}),
    }
    statement = upsert(connection, mail_table).on_conflict_do_nothing(index_elements=["key"])
    new: int | None = connection.scalar(statement.returning(mail_table.c.id), row)
    if new is None:
        known: int = connection.scalars(
            select(mail_table.c.id).where(mail_table.c.key == key)
        ).one()
        return known
    named = [(mail.trust_of(hop), str(hop.ip) if hop.ip else None) for hop in mail.hops]
    tally.add(row["delivered"], row["source_ip"], named)
    hop_rows += [
        {"mail_id": new, "position": position, "trust": trust, "ip": ip}
        for position, (trust, ip) in enumerate(named)
    ]
    return new
