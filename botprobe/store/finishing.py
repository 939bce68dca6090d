"""The end of investigations: cases are kept, and claims are closed, many at a time.

All functions work inside the transaction of their caller.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from botprobe.contract.case import case_document
from botprobe.model.verdict import Case
from botprobe.model.work import Claim, Rank
from botprobe.store.rollup import count_cases
from botprobe.store.schema import cases, hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """A claim that ends with a case."""

    claim: Claim
    case: Case
    next_look: datetime | None


def finish_hosts(connection: Connection, ends: Sequence[Finish], now: datetime) -> list[bool]:
    """Keep the cases of claims that are still the current ones, and plan the next looks.

    Returns:
        For each claim, whether it was the current one; if not, nothing was done.
    """
    wanted = sorted({str(end.claim.target) for end in ends})
    query = (
        select(hosts.c.ip, hosts.c.attempt)
        .where(hosts.c.ip.in_(wanted), hosts.c.lease.is_not(None))
        .order_by(hosts.c.ip)  # whoever locks several rows locks them in this order
        .with_for_update()
    )
    held: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    closed: list[Finish] = []
    said: list[bool] = []
    for end in ends:
        ip = str(end.claim.target)
        said.append(held.get(ip) == end.claim.attempt)
        if said[-1]:
            del held[ip]
            closed.append(end)
    if closed:
        connection.execute(_CLOSE, [_closing(end, now) for end in closed])
        insert_cases(connection, [end.case for end in closed])
    return said


_CLOSE = (
    update(hosts)
    .where(hosts.c.ip == bindparam("host"))
    .values(
        rank=int(Rank.LATER),
        due=bindparam("next_look"),
        refused=bindparam("why_refused"),
        owner=None,
        lease=None,
        tries=0,
        first_looked=func.coalesce(hosts.c.first_looked, bindparam("looked")),
        decided=bindparam("decided_at"),
        vantage=func.coalesce(bindparam("seen_from"), hosts.c.vantage),
    )
)


def _closing(end: Finish, now: datetime) -> dict[str, Any]:
    case = end.case
    return {
        "host": str(end.claim.target),
        "next_look": None if end.next_look is None else end.next_look.timestamp(),
        "why_refused": case.refused,
        "looked": None if case.refused is not None else case.started.timestamp(),
        "decided_at": now.timestamp(),
        "seen_from": case.vantage,
    }


def insert_cases(connection: Connection, added: Sequence[Case]) -> None:
    """Keep cases, and count them in their weeks."""
    connection.execute(insert(cases), [_case_row(case) for case in added])
    count_cases(connection, added)


def _case_row(case: Case) -> dict[str, Any]:
    document = case_document(case)
    system = document["facts"]["os"]
    return {
        "ip": str(case.target),
        "started": case.started.timestamp(),
        "seconds": case.seconds,
        "lag_seconds": case.lag_seconds,
        "probed": case.refused is None,
        "refused": case.refused,
        "label": str(case.verdict.label),
        "probability": case.verdict.probability,
        "os_family": system.get("family"),
        "os_generation": system.get("generation"),
        "os_role": system.get("role"),
        "document": json.dumps(document),
    }
