"""Measure `botprobe report` over a year of synthetic traffic, in SQLite.

The store is filled as the trap would fill it: mails with their hops, the roll-up counted by the
store's own code, a look at every host in every week in which it was seen. A store that is given
and exists is used as it is. Prints time and memory of each report (a process of its own), and the
query plans.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, insert, text

from botprobe.model.verdict import Label
from botprobe.model.weekly import Period, Week
from botprobe.store.reporting import hosts_statement, hosts_table, trend_statement
from botprobe.store.rollup import MailTally
from botprobe.store.schema import hops, mails, metadata, standings

REPOSITORY = Path(__file__).resolve().parents[2]

FIRST = Week.parse("2025-W47")
WEEKS = 52
AT_ONCE = 50_000
WEEK_SECONDS = 7 * 86_400

Rows = list[dict[str, Any]]

LIMIT_SECONDS, LIMIT_MEGABYTES = 5, 300


def addresses(number: int, chance: random.Random) -> list[str]:
    """Return distinct addresses; they are only written down, nobody is ever asked."""
    return [str(IPv4Address(0x0B000000 + n)) for n in chance.sample(range(1 << 24), number)]


def sightings(
    number: int, pool: list[str], chance: random.Random
) -> Iterator[tuple[float, list[str]]]:
    """Yield mails as time of delivery and addresses of their hops; a few hosts send most."""
    start, seconds = FIRST.start.timestamp(), WEEKS * WEEK_SECONDS
    left, share = number, len(pool)
    while left > 0:
        count = min(left, chance.choice((1, 2, 3, 4)))
        left -= count
        # Half of all sightings come from a tenth of the hosts, each in its own season.
        named = []
        for _ in range(count):
            place = chance.randrange(share // 10 if chance.random() < 0.5 else share)
            named.append(place)
        season = (named[0] * 7_919) % seconds
        moment = start + (season + chance.random() * seconds * 0.2) % seconds
        yield moment, [pool[place] for place in named]


def fill(path: Path, number: int, hosts: int) -> None:
    """Make the store."""
    chance = random.Random(47)
    pool = addresses(hosts, chance)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("PRAGMA synchronous = OFF"))
        metadata.create_all(connection)
        tally, mail_rows, hop_rows = MailTally(), Rows(), Rows()
        for key, (moment, named) in enumerate(sightings(number, pool, chance)):
            trusts = ["boundary", *["claimed"] * (len(named) - 1)]
            tally.add(moment, named[0], zip(trusts, named, strict=True))
            mail_rows.append(
                {"id": key, "key": str(key), "file": "", "delivered": moment, "document": ""}
            )
            hop_rows += [
                {"mail_id": key, "position": place, "trust": trust, "ip": ip}
                for place, (trust, ip) in enumerate(zip(trusts, named, strict=True))
            ]
            if len(mail_rows) == AT_ONCE:
                _flush(connection, tally, mail_rows, hop_rows)
                tally, mail_rows, hop_rows = MailTally(), [], []
        _flush(connection, tally, mail_rows, hop_rows)
        _look(connection)
    engine.dispose()


def _flush(connection: Connection, tally: MailTally, mail_rows: Rows, hop_rows: Rows) -> None:
    if mail_rows:
        connection.execute(insert(mails), mail_rows)
        connection.execute(insert(hops), hop_rows)
        tally.write(connection)


def _look(connection: Connection) -> None:
    """Look at every host once in each week in which it was seen."""
    systems = (
        ("Windows", "XP", "client"),
        ("Windows", "10", "client"),
        ("Windows", "", "ambiguous"),
    )
    others = (
        ("Linux", "2.6.X", "other"),
        ("embedded", "", "other"),
        ("", "", "unknown"),
        ("", "", ""),
    )
    rows = [
        {"label": str(label), "family": family, "generation": generation, "role": role}
        | {"refused": "", "decided_by": decided_by}
        for label in list(Label)[:-1]
        for family, generation, role in (*systems, *others)
        for decided_by in ("client-windows", "no-mail-service", "dynamic-name")
    ]
    connection.execute(insert(standings), rows)
    connection.execute(
        text(
            "UPDATE host_week SET looked = week * 604800.0 - 259200 + abs(random()) % 604800, "
            "lag_seconds = abs(random()) % 90000, standing = 1 + abs(random()) % :standings"
        ),
        {"standings": len(rows)},
    )
    connection.execute(
        text(
            'INSERT INTO "case" '
            "(ip, started, seconds, lag_seconds, probed, label, probability, document) "
            "SELECT ip, looked, 20, lag_seconds, 1, 'unknown', 0.5, '' FROM host_week"
        )
    )


def plans(path: Path) -> None:
    """Print how SQLite reads the roll-up, for a week and for a year."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        table = hosts_table("report_plan")
        table.create(connection)
        for weeks in (1, WEEKS):
            period = Period(FIRST + (WEEKS - weeks), FIRST + (WEEKS - 1))
            for what, statement in (
                ("hosts", hosts_statement(connection, table, period)),
                ("trend", trend_statement(period.last, weeks)),
            ):
                written = statement.compile(connection, compile_kwargs={"literal_binds": True})
                steps = [
                    row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {written}"))
                ]
                print(f"plan, {what} of {weeks} weeks: {'; '.join(steps)}")
    engine.dispose()


def measured(name: str, *command: str) -> bool:
    """Run a command three times, print the best, and say whether it kept the limits."""
    runs = sorted(_run(command) for _ in range(3))
    seconds, cpu, megabytes = runs[0]
    good = seconds < LIMIT_SECONDS and megabytes < LIMIT_MEGABYTES
    print(
        f"{name:<26} {seconds:5.2f} s wall (worst {runs[-1][0]:.2f}) {cpu:5.2f} s CPU "
        f"{megabytes:4.0f} MB{'' if good else '  TOO MUCH'}"
    )
    return good


def _run(command: tuple[str, ...]) -> tuple[float, float, float]:
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    seconds = time.monotonic() - started
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> int:
    """Fill, report, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sightings", type=int, default=5_000_000)
    parser.add_argument("--addresses", type=int, default=300_000)
    parser.add_argument("--store", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.store or Path(folder) / "year.sqlite"
        if not path.exists():
            started = time.monotonic()
            fill(path, chosen.sightings, chosen.addresses)
            print(f"filled in {time.monotonic() - started:.0f} s")
        with create_engine(f"sqlite:///{path}").begin() as connection:
            for table in ("mail", "hop", "case", "host_week"):
                rows = connection.scalar(text(f'SELECT count(*) FROM "{table}"'))  # noqa: S608
                print(f"{table:<10} {rows:>10,} rows")
            distinct = connection.scalar(text("SELECT count(DISTINCT ip) FROM host_week"))
            print(f"addresses  {distinct:>10,}; store {path.stat().st_size / 1e6:,.0f} MB")
        plans(path)
        last = FIRST + (WEEKS - 1)
        command = (str(REPOSITORY / ".venv/bin/botprobe"), "report", "--store", str(path))
        year = ("--since", str(FIRST), "--until", str(last))
        page = Path(folder) / "page.html"
        good = [
            measured("one week, --json", *command, "--week", str(last), "--json"),
            measured("one week, --html", *command, "--week", str(last), "--html", str(page)),
            measured("the year, --json", *command, *year, "--json"),
            measured("the year, --html", *command, *year, "--html", str(page)),
            measured(
                "half against half, --json",
                *command,
                "--since",
                str(FIRST + 26),
                "--until",
                str(last),
                "--json",
            ),
        ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
