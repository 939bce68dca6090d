"""New verdicts for old cases: the facts stay, the weekly roll-up is counted anew."""

import json
from collections.abc import Callable

from sqlalchemy import Connection, select, update

from botprobe.contract.case import case_document, case_from_document
from botprobe.model.verdict import Case
from botprobe.store.schema import cases

PAGE = 500
"""How many cases are in memory at the same time."""


def rewrite_page(connection: Connection, after: int, change: Callable[[Case], Case]) -> int | None:
    """Rewrite the verdicts of the next cases.

    Args:
        connection: in a transaction.
        after: number of the last case of the page before, at first 0.
        change: gives a case its new verdict.

    Returns:
        The number of the last case of this page; None if there is none.
    """
    rows = connection.execute(
        select(cases.c.id, cases.c.document)
        .where(cases.c.id > after)
        .order_by(cases.c.id)
        .limit(PAGE)
    ).all()
    for row in rows:
        old = case_from_document(json.loads(row.document))
        new = change(old)
        if new.verdict != old.verdict:
            connection.execute(
                update(cases)
                .where(cases.c.id == row.id)
                .values(
                    label=str(new.verdict.label),
                    probability=new.verdict.probability,
                    document=json.dumps(case_document(new)),
                )
            )
    return rows[-1].id if rows else None
