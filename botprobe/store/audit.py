"""The audit log: every investigation that was allowed, and so what is left of the budgets.

It is written in the transaction that counts what was granted before, so the caps hold for all
processes that share the store, and before the first packet, so that nothing is sent which it does
not tell of. Rows are added and never changed.
"""

import json
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, func, insert, select

from botprobe.model.audit import AuditRow, Decide, Grant, Spent
from botprobe.model.mail import IpAddress
from botprobe.store.dialects import kept_text
from botprobe.store.hosts import moment_of
from botprobe.store.schema import audits, cases

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

# Longer than any investigation: a grant without a case may still be under way for so long.
UNDER_WAY = timedelta(minutes=15)

_MAPPED = 0xFFFF << 32
_OCTET = 8
_TIMES = re.compile(r"[0-9-]*\s?[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


class Request(NamedTuple):
    """A grant that is asked for, and the rule that gives or refuses it."""

    grant: Grant
    decide: Decide


def spend(connection: Connection, requests: Sequence[Request], now: datetime) -> list[str | None]:
    """Grant investigations, or say why not; all in the transaction of the caller.

    Args:
        connection: no other process may spend at the same time.
        requests: in the order in which they are decided.
        now: by the clock of the store, aware UTC.

    Returns:
        For each request None if it was granted, else the reason.
    """
    books = _Books(connection, requests, now)
    answers = [books.answer(request) for request in requests]
    books.write()
    return answers


class _Books:
    """What was granted before a group of requests, read at once, and what is granted to it."""

    def __init__(self, connection: Connection, requests: Sequence[Request], now: datetime) -> None:
        self._connection, self._now = connection, now
        self._whole = spent_in_all(connection, now)
        networks = {str(grant.network) for grant, _ in requests}
        there = (
            select(audits.c.network, func.count())
            .where(audits.c.network.in_(networks), audits.c.at >= (now - _DAY).timestamp())
            .group_by(audits.c.network)
        )
        self._networks = Counter({row[0]: row[1] for row in connection.execute(there)})
        last = (
            select(cases.c.ip, func.max(cases.c.started))
            .where(cases.c.ip.in_({str(grant.address) for grant, _ in requests}), cases.c.probed)
            .group_by(cases.c.ip)
        )
        self._probed = {row[0]: moment_of(row[1]) for row in connection.execute(last)}
        self._granted: list[dict[str, object]] = []

    def answer(self, request: Request) -> str | None:
        """Grant what is asked for, or say why not."""
        grant, decide = request
        whole, network = self._whole, str(grant.network)
        probed = self._probed.get(str(grant.address))
        spent = replace(whole, where=grant.network, network=self._networks[network], probed=probed)
        reason = decide(spent, self._now)
        if reason is None and not grant.claimed:
            self.write()  # others of this group count as well
            reason = _taken(self._connection, grant, probed, self._now)
        if reason is None:
            self._granted.append(_row(grant, self._now))
            self._networks[network] += 1
            self._whole = replace(
                whole, hour=whole.hour + 1, day=whole.day + 1, total=whole.total + 1
            )
        return reason

    def write(self) -> None:
        """Write down what was granted since the last time."""
        if self._granted:
            self._connection.execute(insert(audits), self._granted)
            self._granted = []


def spent_in_all(connection: Connection, now: datetime) -> Spent:
    """Return what was granted within the hour, the day, and ever."""

    # No row is ever deleted, and only one process at a time adds some, so numbers are counts:
    # ten million rows of a day are two look-ups.
    def first_since(span: timedelta) -> ScalarSelect[Any]:
        begin = audits.c.at >= (now - span).timestamp()
        order = audits.c.at, audits.c.id
        return select(audits.c.id).where(begin).order_by(*order).limit(1).scalar_subquery()

    newest = select(func.max(audits.c.id)).scalar_subquery()
    row = connection.execute(select(newest, first_since(_HOUR), first_since(_DAY))).one()
    total = row[0] or 0
    hour, day = (0 if first is None else total - first + 1 for first in row[1:])
    return Spent(hour=hour, day=day, total=total)


def audit_rows(
    connection: Connection,
    network: IPv4Network | IPv6Network,
    since: datetime | None,
    until: datetime | None,
    most: int,
) -> list[AuditRow]:
    """Return what was sent into a network, newest first.

    Args:
        connection: to read from.
        network: a single address is a network, too.
        since: the first moment, aware.
        until: the last moment, aware.
        most: how many rows at most.
    """
    first, last = place_of(network[0]), place_of(network[-1])
    query = select(audits).where(audits.c.place.between(first, last))
    if since is not None:
        query = query.where(audits.c.at >= since.timestamp())
    if until is not None:
        query = query.where(audits.c.at < until.timestamp())
    rows = connection.execute(query.order_by(audits.c.at.desc(), audits.c.id.desc()).limit(most))
    return [_read(row) for row in rows]


def place_of(address: IpAddress) -> str:
    """Return an address as a text that sorts as the address does, IPv4 among IPv6 as mapped."""
    return f"{int(address) | (_MAPPED if address.version == 4 else 0):032x}"


def _taken(
    connection: Connection, grant: Grant, last: datetime | None, now: datetime
) -> str | None:
    """Say who else investigates the address at this moment, None if nobody does."""
    since = max(now - UNDER_WAY, last) if last is not None else now - UNDER_WAY
    newest = connection.execute(
        select(audits.c.owner, audits.c.at)
        .where(
            audits.c.place == place_of(grant.address),
            audits.c.at > since.timestamp(),
            audits.c.owner != grant.owner,
        )
        .order_by(audits.c.at.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or not _lives(newest.owner):
        return None
    return f"under way: {newest.owner} probes it since {moment_of(newest.at):%H:%M:%S}Z"


def _lives(owner: str) -> bool:
    """Say whether a process may still work; of another machine nobody here can tell."""
    host, process, *_ = [*owner.split(":"), ""]
    if host != socket.gethostname() or not process.isdigit():
        return True
    with suppress(PermissionError):  # it lives, and is somebody else's
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return False
    return True


def _row(grant: Grant, now: datetime) -> dict[str, object]:
    document = {"asked": grant.asked, "rule": grant.rule, "mails": grant.mails}
    return {
        "at": now.timestamp(),
        "place": place_of(grant.address),
        "network": str(grant.network),
        "owner": grant.owner[:80],
        "source": grant.source,
        "document": kept_text(json.dumps(document)),
    }


def _read(row: Row[tuple[object, ...]]) -> AuditRow:
    document = json.loads(row.document)
    return AuditRow(
        address=_address(row.place),
        at=moment_of(row.at),
        owner=row.owner,
        source=row.source,
        asked=tuple(document["asked"]),
        rule=document["rule"],
        mails=tuple(document["mails"]),
    )


def _address(place: str) -> IpAddress:
    number = int(place, 16)
    if number >> 32 == 0xFFFF:
        return IPv4Address(number & 0xFFFFFFFF)
    return IPv6Address(number)


def refusals(
    connection: Connection,
    network: IPv4Network | IPv6Network,
    since: datetime | None,
    until: datetime | None,
) -> dict[str, int]:
    """Count the probes into a network that were refused, by reason, the most frequent first.

    Args:
        connection: to read from.
        network: a single address is a network, too.
        since: the first moment, aware.
        until: the last moment, aware.
    """
    counts: Counter[str] = Counter()
    for condition in _spellings(network):
        query = select(cases.c.ip, cases.c.refused, func.count()).where(
            condition, cases.c.refused.is_not(None)
        )
        if since is not None:
            query = query.where(cases.c.started >= since.timestamp())
        if until is not None:
            query = query.where(cases.c.started < until.timestamp())
        for ip, refused, count in connection.execute(query.group_by(cases.c.ip, cases.c.refused)):
            if ip_address(ip) in network:
                counts[_kind(refused)] += count
    return dict(counts.most_common())


def _spellings(network: IPv4Network | IPv6Network) -> Iterator[ColumnElement[bool]]:
    """Conditions that an index answers, and that hold for every address of a network as text."""
    if network.prefixlen == network.max_prefixlen:
        yield cases.c.ip == str(network.network_address)
    elif isinstance(network, IPv4Network) and network.prefixlen >= _OCTET:
        whole = max(network.prefixlen // _OCTET, 1)
        step = min(whole if network.prefixlen % _OCTET == 0 else whole + 1, 3)
        for part in network.subnets(new_prefix=max(network.prefixlen, step * _OCTET)):
            start = ".".join(str(part.network_address).split(".")[:step])
            yield cases.c.ip.between(f"{start}.", f"{start}/")
    else:
        yield cases.c.ip > ""


def _kind(reason: str) -> str:
    """A reason without the times in it, which differ from case to case."""
    return _TIMES.sub("...", reason)
