"""Mails in the store: each is kept once, and each file of a mailbox is taken once.

All functions work inside the transaction of their caller.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    known: set[str] = set()
    for some in _parts(keys):
        query = select(deliveries.c.key).where(deliveries.c.key.in_(some))
        known.update(connection.scalars(query))
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


def insert_mails(connection: Connection, mails: Sequence[Mail]) -> list[int]:
    """Keep mails and their hops, unless they are kept already, and return their numbers."""
    rows = [_mail_row(mail) for mail in mails]
    new = _insert_rows(connection, {row["key"]: row for row in rows})
    known = _known_mails(connection, {row["key"] for row in rows} - new.keys())
    by_key = {row["key"]: (row, mail) for row, mail in zip(rows, mails, strict=True)}
    _insert_hops(connection, [(number, *by_key[key]) for key, number in new.items()])
    numbers = {**known, **new}
    return [numbers[row["key"]] for row in rows]


def _insert_hops(connection: Connection, new: Iterable[tuple[int, dict[str, Any], Mail]]) -> None:
    """Keep the hops of new mails, and count these in their weeks."""
    tally, hop_rows = MailTally(), list[dict[str, Any]]()
    for number, row, mail in new:
        named = [(mail.trust_of(hop), str(hop.ip) if hop.ip else None) for hop in mail.hops]
        tally.add(row["delivered"], row["source_ip"], named)
        hop_rows += [
            {"mail_id": number, "position": position, "trust": trust, "ip": ip}
            for position, (trust, ip) in enumerate(named)
        ]
    tally.write(connection)
    if hop_rows:
        connection.execute(insert(hops), hop_rows)


def _insert_rows(connection: Connection, rows: Mapping[str, dict[str, Any]]) -> dict[str, int]:
    """Insert what is not kept already, and return the numbers of what was new, by key."""
    if not rows:
        return {}
    statement = upsert(connection, mail_table).on_conflict_do_nothing(index_elements=["key"])
    with_numbers = statement.returning(mail_table.c.key, mail_table.c.id)
    inserted = connection.execute(with_numbers, list(rows.values()))
    return {row.key: row.id for row in inserted}


def _known_mails(connection: Connection, keys: Collection[str]) -> dict[str, int]:
    """Return the numbers of mails that are kept, by key."""
    known: dict[str, int] = {}
    for some in _parts(keys):
        query = select(mail_table.c.key, mail_table.c.id).where(mail_table.c.key.in_(some))
        known.update((row.key, row.id) for row in connection.execute(query))
    return known


def _parts(keys: Collection[str]) -> Iterator[list[str]]:
    wanted = list(keys)
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        yield wanted[start : start + _KEYS_AT_ONCE]


def _mail_row(mail: Mail) -> dict[str, Any]:
    document = mail_document(mail)
    place = document.pop("file")
    return {
        "key": hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest(),
        "file": kept_text(mail.file),
        "message_id": kept_text(mail.message_id),
        "delivered": mail.delivered_at.timestamp() if mail.delivered_at else None,
        "source_ip": str(mail.source_ip) if mail.source_ip else None,
        "document": json.dumps({"file": place, **document}),
    }
