"""The counts behind a report, from the weekly roll-up alone.

The hosts of both periods go into two temporary tables, a row per host with its latest standing;
all else is counted on these. Every other table is read through an index or its own key.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    MetaData,
    Select,
    Table,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    true,
)

from botprobe.model.verdict import Label
from botprobe.model.weekly import (
    HostGroup,
    ListedHost,
    MailCounts,
    Period,
    PlaceCount,
    Standing,
    Tallies,
    Week,
    WeekGroup,
)
from botprobe.store.dialects import of_largest, whole, words
from botprobe.store.rollup import COUNTERS, MAILS, UNDATED, WITHOUT_BOUNDARY
from botprobe.store.routercounts import router_counts
from botprobe.store.schema import host_weeks, standings, week_tallies

# Up to here the index by week is read; beyond, most of the table is wanted, and in its own order.
SHORT_PERIOD = 4

# A page for people: longer lists are for `botprobe export`.
LISTED = 15

Locate = Callable[[str], str | None]
"""From an address to its country, None if that is not known."""


def hosts_table(name: str) -> Table:
    """Describe a temporary table with a row per host of a period."""
    return Table(
        name,
        MetaData(),
        Column("ip", words(45), primary_key=True),
        Column("network", words(49)),
        Column("rank", Float),
        Column("standing", Integer),
        Column("lag_seconds", Float),
        *(Column(counter, Integer) for counter in COUNTERS.values()),
        prefixes=["TEMPORARY"],
        sqlite_with_rowid=False,
    )


_now, _before = hosts_table("report_now"), hosts_table("report_before")


def tallies(
    connection: Connection,
    period: Period,
    compared: Period,
    *,
    trend_weeks: int,
    locate: Locate | None = None,
) -> Tallies:
    """Count what a report needs.

    Args:
        connection: in a transaction of its own; only temporary tables are written.
        period: what the report is about.
        compared: what it is compared with.
        trend_weeks: how many weeks, the last of the period included, the trend has.
        locate: gives the country of an address; without it no countries are counted.
    """
    known = _standings(connection)
    _fill(connection, _now, period)
    _fill(connection, _before, compared)
    bots = tuple(key for key, standing in known.items() if standing.label is Label.BOT)
    found = Tallies(
        period=period,
        compared=compared,
        mails=_mail_counts(connection, period, _now),
        mails_before=_mail_counts(connection, compared, _before),
        undated=_undated(connection),
        groups=_groups(connection, known),
        lags=_lags(connection),
        networks=_networks(connection, bots),
        countries=_countries(connection, bots, locate) if locate else (),
        new_bots=_listed(connection, _turned(_now, _before, bots), known),
        vanished_bots=_listed(connection, _turned(_before, _now, bots), known),
        router=router_counts(connection, period),
        router_before=router_counts(connection, compared),
        trend=_trend(connection, period.last, trend_weeks, known),
    )
    for table in (_now, _before):
        table.drop(connection)
    return found


def _fill(connection: Connection, table: Table, period: Period) -> None:
    table.drop(connection, checkfirst=True)
    table.create(connection)
    connection.execute(hosts_statement(connection, table, period))


def hosts_statement(connection: Connection, table: Table, period: Period) -> Any:
    """Write the statement that fills a temporary table with the hosts of a period."""
    week: ColumnElement[int] = host_weeks.c.week
    start: ColumnElement[bool] = true()
    if period.weeks > SHORT_PERIOD:
        # An expression: the index by week does not fit, and the primary key is read in its order.
        week, start = week + 0, host_weeks.c.ip > ""
    # The latest look first; without any, the latest refusal; at last those nobody asked.
    rank = case(
        (host_weeks.c.standing.is_(None), 0),
        else_=func.coalesce(host_weeks.c.looked, host_weeks.c.week),
    )
    counters = [func.sum(host_weeks.c[counter]) for counter in COUNTERS.values()]
    hosts = (
        select(
            host_weeks.c.ip,
            of_largest(connection, host_weeks.c.network, rank),
            func.max(rank),
            of_largest(connection, host_weeks.c.standing, rank),
            of_largest(connection, host_weeks.c.lag_seconds, rank),
            *counters,
        )
        .where(start, week >= period.first.number, week <= period.last.number)
        .group_by(host_weeks.c.ip)
    )
    return insert(table).from_select([column.name for column in table.c], hosts)


def trend_statement(last: Week, weeks: int) -> Select[Any]:
    """Write the query that counts the hosts of each week by standing."""
    return (
        select(host_weeks.c.week, host_weeks.c.standing, func.count())
        .where(
            host_weeks.c.week > last.number - weeks,
            host_weeks.c.week <= last.number,
            host_weeks.c.standing.is_not(None),
        )
        .group_by(host_weeks.c.week, host_weeks.c.standing)
    )


def _standings(connection: Connection) -> dict[int | None, Standing]:
    known: dict[int | None, Standing] = {None: Standing()}
    for row in connection.execute(select(standings)):
        known[row.id] = Standing(
            label=Label(row.label),
            family=row.family or None,
            generation=row.generation or None,
            role=row.role or None,
            refused=row.refused or None,
            decided_by=row.decided_by or None,
        )
    return known


def _mail_counts(connection: Connection, period: Period, hosts: Table) -> MailCounts:
    query = (
        select(week_tallies.c.name, func.sum(week_tallies.c.count))
        .where(
            week_tallies.c.week >= period.first.number, week_tallies.c.week <= period.last.number
        )
        .group_by(week_tallies.c.name)
    )
    counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    named = select(*(func.count().filter(hosts.c[counter] > 0) for counter in COUNTERS.values()))
    addresses = connection.execute(named).one()
    return MailCounts(
        mails=counts.pop(MAILS, 0),
        without_boundary=counts.pop(WITHOUT_BOUNDARY, 0),
        hops=tuple(sorted(counts.items())),
        addresses=tuple(zip(map(str, COUNTERS), addresses, strict=True)),
    )


def _undated(connection: Connection) -> int:
    query = select(week_tallies.c.count).where(
        week_tallies.c.week == UNDATED, week_tallies.c.name == MAILS
    )
    return connection.scalar(query) or 0


def _groups(connection: Connection, known: dict[int | None, Standing]) -> tuple[HostGroup, ...]:
    present = (
        select(
            _now.c.standing,
            _before.c.ip.is_not(None),
            _before.c.standing,
            func.count(),
            func.sum(_now.c.delivered),
        )
        .outerjoin_from(_now, _before, _now.c.ip == _before.c.ip)
        .group_by(_now.c.standing, _before.c.ip.is_not(None), _before.c.standing)
    )
    gone = (
        select(_before.c.standing, func.count())
        .outerjoin_from(_before, _now, _now.c.ip == _before.c.ip)
        .where(_now.c.ip.is_(None))
        .group_by(_before.c.standing)
    )
    groups = [
        HostGroup(
            now=known[now],
            before=known[before] if was_there else None,
            hosts=hosts,
            delivered=delivered,
        )
        for now, was_there, before, hosts, delivered in connection.execute(present)
    ]
    groups += [
        HostGroup(now=None, before=known[before], hosts=hosts, delivered=0)
        for before, hosts in connection.execute(gone)
    ]
    return tuple(groups)


def _lags(connection: Connection) -> tuple[tuple[int, int], ...]:
    seconds = whole(connection, _now.c.lag_seconds)
    query = (
        select(seconds, func.count())
        .where(_now.c.lag_seconds.is_not(None))
        .group_by(seconds)
        .order_by(seconds)
    )
    return tuple((lag, hosts) for lag, hosts in connection.execute(query))


def _networks(connection: Connection, bots: Sequence[int | None]) -> tuple[PlaceCount, ...]:
    is_bot = _now.c.standing.in_(bots)
    hosts, delivered = func.count(), func.sum(_now.c.delivered)
    bot_hosts = func.count().filter(is_bot)
    query = (
        select(_now.c.network, hosts, bot_hosts, delivered)
        .group_by(_now.c.network)
        .order_by(bot_hosts.desc(), delivered.desc(), hosts.desc(), _now.c.network)
        .limit(LISTED)
    )
    return tuple(
        PlaceCount(name=name, hosts=hosts, bots=bots, delivered=delivered)
        for name, hosts, bots, delivered in connection.execute(query)
    )


def _countries(
    connection: Connection, bots: Sequence[int | None], locate: Locate
) -> tuple[PlaceCount, ...]:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for ip, standing, delivered in connection.execute(
        select(_now.c.ip, _now.c.standing, _now.c.delivered)
    ):
        row = counts[locate(ip) or "not known"]
        row[0] += 1
        row[1] += standing in bots
        row[2] += delivered
    return tuple(
        PlaceCount(name=name, hosts=hosts, bots=bot_hosts, delivered=delivered)
        for name, (hosts, bot_hosts, delivered) in sorted(
            counts.items(), key=lambda item: (-item[1][0], item[0])
        )
    )


def _turned(table: Table, other: Table, bots: Sequence[int | None]) -> Select[Any]:
    """Select the hosts that are bots in one period and not in the other."""
    return (
        select(table.c.ip, table.c.network, table.c.standing, table.c.delivered)
        .outerjoin_from(table, other, table.c.ip == other.c.ip)
        .where(
            and_(
                table.c.standing.in_(bots),
                or_(other.c.standing.is_(None), other.c.standing.not_in(bots)),
            )
        )
        .order_by(table.c.delivered.desc(), table.c.ip)
        .limit(LISTED)
    )


def _listed(
    connection: Connection, hosts: Select[Any], known: dict[int | None, Standing]
) -> tuple[ListedHost, ...]:
    return tuple(
        ListedHost(
            ip=row.ip,
            network=row.network,
            standing=known[row.standing],
            delivered=row.delivered,
        )
        for row in connection.execute(hosts)
    )


def _trend(
    connection: Connection, last: Week, weeks: int, known: dict[int | None, Standing]
) -> tuple[WeekGroup, ...]:
    found = []
    for row in connection.execute(trend_statement(last, weeks)):
        week, standing, hosts = row
        found.append(WeekGroup(week=Week(week), standing=known[standing], hosts=hosts))
    return tuple(found)
