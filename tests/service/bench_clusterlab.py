"""Watch and workers against the laboratory: the part ``lab`` of ``scripts/bench-cluster``.

Real probes of a thousand hosts as spam shows them, by the embedded watch and by a watch beside
1, 2, 4 workers on PostgreSQL, one after another. The laboratory answers from the same processors.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from tests import postgres
from tests.lab import namespace
from tests.lab.runner import lab_command
from tests.service.bench_population import as_toml, draw
from tests.service.bench_watch import SETTINGS, Box, Watching, children_cpu, wait_until
from tests.service.labwatch import stop_at_once

SEED = 10
# Seconds for one measurement.
PATIENCE = 120
# Measured until so many are concluded: tarpits, one in twenty, hold us for more than a minute.
SHARE = 0.9


def outside(hosts: int, workers: Sequence[int]) -> None:
    """Start a laboratory with the hosts in it, and this module inside of it."""
    # The laboratory may end before anybody in it can remove its database.
    with tempfile.TemporaryDirectory() as name, postgres.new_folder() as database:
        population = Path(name) / "population.toml"
        population.write_text(as_toml(draw(hosts, SEED)), "utf-8")
        inner = [
            sys.executable,
            "-m",
            "tests.service.bench_clusterlab",
            json.dumps([hosts, workers, str(database)]),
        ]
        subprocess.run(lab_command(inner, "--population", str(population)), check=True)


def inside(hosts: int, workers: Sequence[int], folder: str) -> None:
    """Measure all, in the laboratory, with a database in a folder."""
    namespace.require_lab()
    addresses = [str(host.addresses[0]) for host in draw(hosts, SEED)]
    with tempfile.TemporaryDirectory() as name:
        _embedded(Path(name), addresses)
    with postgres.server(durable=True, kept=Path(folder)) as server:
        for count in workers:
            with tempfile.TemporaryDirectory() as name:
                _shared(Path(name), server, addresses, count)


def _embedded(folder: Path, addresses: Sequence[str]) -> None:
    watch = Watching(folder)
    start = _deliver(watch.box, addresses)
    enough = int(len(addresses) * SHARE)
    done = wait_until(lambda: watch.cases() >= enough, PATIENCE)
    _tell("embedded", enough, time.monotonic() - start, watch.stop(), done=done)


def _shared(folder: Path, server: postgres.Server, addresses: Sequence[str], count: int) -> None:
    cpu, database = children_cpu(), server.new_database()
    before = server.cpu_seconds()
    box, options = Box(folder / "box"), _options(folder, database, 1000 // count)
    _botprobe("store", "init", "--store", database).wait()
    names = [["worker", "--vantage", f"place{number}"] for number in range(count)]
    running = [_botprobe(*name, *options) for name in (["watch", str(box.path)], *names)]
    try:
        wait_until(lambda: _rows(database, "worker") == count, 30)
        start = _deliver(box, addresses)
        enough = int(len(addresses) * SHARE)
        done = wait_until(lambda: _rows(database, "case") >= enough, PATIENCE)
        seconds = time.monotonic() - start
    finally:
        for process in running:
            stop_at_once(process)
    cost = (server.cpu_seconds() - before) / enough * 1000
    name = f"PostgreSQL ({cost:.1f} ms of database CPU each), {count} worker{'s' * (count > 1)}"
    _tell(name, enough, seconds, children_cpu() - cpu, done=done)


def _options(folder: Path, database: str, concurrency: int) -> list[str]:
    settings = folder / "botprobe.toml"
    settings.write_text(f"{SETTINGS}[worker]\nconcurrency = {concurrency}\n")
    return ["-c", str(settings), "--store", database, "--log-dir", str(folder / "hosts"), "--jsonl"]


def _botprobe(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "botprobe", *command], stdout=subprocess.DEVNULL)


def _deliver(box: Box, addresses: Sequence[str]) -> float:
    prepared = [box.prepare(address) for address in addresses]
    start = time.monotonic()
    for path in prepared:
        box.deliver(path)
    return start


def _rows(database: str, table: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute(
            SQL("SELECT count(*) FROM {}").format(Identifier(table))
        ).fetchone()
    return int(row[0]) if row else 0


def _tell(name: str, hosts: int, seconds: float, cpu: float, *, done: bool) -> None:
    print(
        f"laboratory, {name}: {hosts / seconds:.1f} hosts per second, {hosts / cpu:.1f} per"
        f" CPU-second of botprobe and nmap{'' if done else ' (NOT ALL DONE)'}",
        flush=True,
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    inside(*json.loads(sys.argv[1]))
