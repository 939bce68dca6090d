"""A store that has grown: millions of known addresses, ten times as many sightings.

All rows are made by the server, and indexes come after them, as with a restored dump. Each host
was decided on within the last half year, lies in one week of the roll-up, and is due weeks ahead;
sightings are spread evenly over hosts and over the last six months, four to a mail, whose document
is empty: what is searched is as large as it would be, what is only kept is smaller.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from botprobe.model.work import Rank
from botprobe.store.months import first_number, month_of

# Of the sightings; the hosts' looks and weeks are spread over as long.
MONTHS = 6
SECONDS = MONTHS * 30 * 86_400

# In a mail.
HOPS = 4

# What a server of such a size is given; the rest is as shipped.
SERVER = ("shared_buffers=1GB", "maintenance_work_mem=512MB", "max_wal_size=8GB")

_ADD_HOSTS = """
    CREATE TEMPORARY VIEW drawn AS
        SELECT n, host(ip) AS ip, network(set_masklen(ip, 24))::text AS network,
            %(now)s - (n * 7919) %% %(seconds)s AS seen
        FROM generate_series(0, %(known)s::bigint - 1) n,
            LATERAL (SELECT '10.0.0.0'::inet + n) t(ip);
    INSERT INTO standing (id, label, family, generation, role, refused, decided_by)
        VALUES (1, 'bot', 'Windows', 'XP', 'client', '', ''),
            (2, 'mail-server', 'Linux', '6.X', 'other', '', '');
    SELECT setval(pg_get_serial_sequence('standing', 'id'), 2);
    INSERT INTO host (ip, first_seen, last_seen, sightings, rank, due, attempt, tries,
            first_looked, decided, vantage)
        SELECT ip, seen, seen, 10, %(later)s, %(now)s + 86400 * (14 + n %% 46), 1, 0,
            seen, seen, 'bench' FROM drawn;
    INSERT INTO "case" (ip, started, seconds, probed, label, probability, document)
        SELECT ip, seen, 10, true, 'bot', 0.9, '{}' FROM drawn;
    -- weeks begin on Mondays, and day 0 was a Thursday
    INSERT INTO host_week (ip, week, network, delivered, claimed, forged, synthetic, looked,
            standing)
        SELECT ip, trunc((seen + 3 * 86400) / 604800)::int, network, 10, 0, 0, 0, seen, 1 + n %% 2
        FROM drawn;
    INSERT INTO week_tally
        SELECT week, 'mails', sum(delivered) FROM host_week GROUP BY week ON CONFLICT DO NOTHING
"""

_ADD_MONTH = """
    INSERT INTO mail (id, key, file, document)
        SELECT n, 'grown ' || n, 'new/' || n, '{}'
        FROM generate_series(%(start)s, %(start)s + %(sightings)s / %(hops)s) n;
    CREATE TABLE hop_grown (LIKE hop);
    INSERT INTO hop_grown (mail_id, position, trust, ip)
        SELECT %(start)s + n / %(hops)s, n %% %(hops)s, 'boundary',
            host('10.0.0.0'::inet + (random() * (%(known)s - 1))::bigint)
        FROM generate_series(0, %(sightings)s::bigint - 1) n;
    ALTER TABLE hop_grown ADD PRIMARY KEY (mail_id, position);
    CREATE INDEX ON hop_grown (ip);
    ALTER TABLE hop ATTACH PARTITION hop_grown FOR VALUES FROM (%(start)s) TO (%(end)s)
"""

_OF_HOSTS = ("host", "case", "host_week")

Cursor = psycopg.Cursor[Any]


def fill(url: str, known: int, sightings: int) -> None:
    """Add hosts with their looks, and sightings, to a store that holds next to nothing."""
    start = time.monotonic()
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        cursor = connection.cursor()
        cursor.execute("SET synchronous_commit TO off")
        with _told("hosts"), _without_indexes(cursor):
            said = {"known": known, "now": int(time.time()), "seconds": SECONDS}
            cursor.execute(_ADD_HOSTS, {**said, "later": int(Rank.LATER)})
        for ago in range(1, MONTHS + 1):
            with _told(f"sightings of {ago} months ago"):
                _add_month(cursor, ago, known, sightings // MONTHS)
        with _told("statistics"):
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("CHECKPOINT")
        cursor.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        row = cursor.fetchone()
    print(
        f"grown by {known:,} hosts with a look weeks ahead and {sightings:,} sightings"
        f" in {time.monotonic() - start:.0f} s: {row and row[0]}"
    )


def _add_month(cursor: Cursor, ago: int, known: int, sightings: int) -> None:
    """Add a month with its mails, and join it to the others when it is complete."""
    month = month_of(datetime.now(UTC)) - ago
    numbers = {"start": first_number(month), "end": first_number(month + 1)}
    said = {"known": known, "sightings": sightings, "hops": HOPS}
    cursor.execute(_ADD_MONTH, {**numbers, **said})
    name = Identifier(f"hop_{month // 12:04}_{month % 12 + 1:02}")
    cursor.execute(SQL("ALTER TABLE hop_grown RENAME TO {}").format(name))


@contextmanager
def _without_indexes(cursor: Cursor) -> Iterator[None]:
    """Drop the indexes that are no constraints, and make them again."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
        " AND tablename = ANY(%s) AND indexdef NOT LIKE '%% UNIQUE %%'",
        (list(_OF_HOSTS),),
    )
    rows = cursor.fetchall()
    for name, _ in rows:
        cursor.execute(SQL("DROP INDEX {}").format(Identifier(str(name))))
    yield
    for _, definition in rows:
        cursor.execute(str(definition).encode())


@contextmanager
def _told(what: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    print(f"  {what}: {time.monotonic() - start:.0f} s", file=sys.stderr)
