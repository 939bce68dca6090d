"""What a shared store costs: ``scripts/bench-cluster``.

A PostgreSQL of its own, on a Unix socket of this machine, durable as it is shipped. Workers are
processes with the real claim, finish and presence; the probes are simulated by a wait, so that
what is measured is the store. Beside it, in the same run, the embedded store.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from sqlalchemy import func, select

from botprobe.errors import StoreError
from botprobe.hostlog import HostLog
from botprobe.model.audit import Grant
from botprobe.model.mail import Trust
from botprobe.model.verdict import Case
from botprobe.model.work import Arrival, Claim, Plan, Presence, Rank
from botprobe.pipeline import Candidate
from botprobe.queue.local import LocalBell
from botprobe.queue.postgres import open_bell
from botprobe.scope.budget import Budget, Limits, surrounding
from botprobe.service.presence import Heart
from botprobe.service.worker import Worker
from botprobe.store.database import SqlStore
from botprobe.store.postgres import PostgresStore, conninfo
from botprobe.store.schema import cases, hosts
from botprobe.store.sqlite import SqliteStore
from tests import postgres
from tests.cases import bot_case
from tests.service.bench_growth import SERVER, fill
from tests.service.fakes import FakeAudience
from tests.test_pipeline import mail_with

DAY = timedelta(days=1)
FIRST = int(IPv4Address("198.18.0.0"))
CONCURRENCY = 200
LIMITS = Limits(per_hour=10**9, per_day=10**9, per_network_per_day=10**9)


def address(number: int) -> str:
    """Return the address of a numbered host; there are more than the laboratory has."""
    return str(IPv4Address(FIRST + number))


@dataclass
class Waiting:
    """A pipeline whose probes are a wait."""

    seconds: float
    store: SqlStore
    owner: str
    budget: Budget = field(default_factory=lambda: Budget(LIMITS))
    fresh: bool = False
    claimed: bool = False
    vantage: str | None = None

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    async def left(self) -> int:
        """Return what the budgets leave, as a pipeline does."""
        return self.budget.left_of(await self.store.spent(), self.now())

    async def investigate(self, candidate: Candidate) -> Case:
        """Have it granted and written down, wait, and find a bot."""
        address = candidate.target.address
        grant = Grant(
            address=address,
            network=surrounding(address),
            owner=self.owner,
            asked=("nothing",),
            rule="boundary hop of a mail",
            claimed=True,
        )
        refused = await self.store.spend(grant, partial(self.budget.decide, fresh=False))
        if refused is not None:
            raise StoreError(refused)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return replace(bot_case(), target=candidate.target, started=self.now())


class NoLog(HostLog):
    """Host logs are not what is measured here."""

    def write(self, case: Case) -> Path:
        """Write nothing."""
        return Path()


class Lags(FakeAudience):
    """Notes how long each host waited for its claim."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def claimed(self, claim: Claim) -> None:
        """Note the wait since the mail's arrival."""
        self.seconds.append(time.time() - claim.due.timestamp())


async def work(place: str, wait: float, ready: Path) -> None:
    """Be a worker until everything is done and the file ``stop`` is there."""
    shared = place.startswith("postgresql:")
    store: SqlStore
    store = (
        PostgresStore(place, per_network=1_000)
        if shared
        else SqliteStore(Path(place), per_network=1_000)
    )
    lags = Lags()
    async with store, open_bell(conninfo(place)) if shared else _alone() as bell:
        worker = Worker(
            pipeline=Waiting(wait, store, f"bench:{os.getpid()}"),  # type: ignore[arg-type]  # what a worker asks of one
            store=store,
            hostlog=NoLog(Path()),
            bell=bell,
            audience=lags,
            owner=f"bench:{os.getpid()}",
            concurrency=CONCURRENCY,
            per_network=1_000,
        )
        presence = Presence(owner=worker.owner, vantage="bench", concurrency=CONCURRENCY)
        heart = Heart(store=store, presence=presence, trouble=print)
        async with heart.beating(worker), asyncio.TaskGroup() as group:
            ready.touch()
            group.create_task(worker.run())
            while not ready.with_name("stop").exists():  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.05)
            worker.close()
    ready.with_suffix(".json").write_text(json.dumps(lags.seconds))


@asynccontextmanager
async def _alone() -> AsyncIterator[LocalBell]:
    yield LocalBell()


def arrivals(start: int, count: int) -> list[Arrival]:
    """Return mails of so many hosts, one each."""
    now = datetime.now(UTC)
    made = []
    for number in range(start, start + count):
        ip = address(number)
        mail = replace(
            mail_with((Trust.BOUNDARY, ip), file=f"new/{number}"), message_id=f"<{number}@x>"
        )
        plan = Plan(address=ip_address(ip), rank=Rank.FRESH)
        made.append(Arrival(key=f"{number}", mail=mail, arrived=now, plans=(plan,)))
    return made


@dataclass(slots=True)
class Bench:
    """A store, the workers on it, and what they cost."""

    place: str
    server: postgres.Server | None
    taken: int = 0
    """Hosts that were ever enqueued."""
    former: int = 0
    """The number of the last case from before."""

    def open(self) -> SqlStore:
        """Return the store, to be opened."""
        if self.server is None:
            return SqliteStore(Path(self.place), per_network=1_000)
        return PostgresStore(self.place, make_tables=True)

    @contextmanager
    def workers(self, count: int, wait: float) -> Iterator[list[Path]]:
        """Run worker processes; yield where each writes its lags at the end."""
        with tempfile.TemporaryDirectory() as name:
            files = [Path(name) / f"{number}.ready" for number in range(count)]
            command = [sys.executable, "-m", "tests.service.bench_cluster", "--worker", self.place]
            running = [
                subprocess.Popen([*command, "--wait", str(wait), "--ready", str(file)])
                for file in files
            ]
            try:
                while not all(file.exists() for file in files):
                    time.sleep(0.02)
                yield [file.with_suffix(".json") for file in files]
                (Path(name) / "stop").touch()
                for process in running:
                    process.wait(60)
                self.lags = [
                    lag
                    for file in files
                    for lag in json.loads(file.with_suffix(".json").read_text())
                ]
            finally:
                for process in running:
                    process.kill()
                    process.wait()

    lags: list[float] = field(default_factory=list)

    async def prepare(self) -> None:
        """Make the tables, or go on where a kept store stands."""
        ours = select(func.count()).where(hosts.c.ip.between("198.", "2"))
        async with self.open() as store:
            counted = await store._read(lambda c: c.scalar(ours))
            newest = await store._read(lambda c: c.scalar(select(func.max(cases.c.id))))
        self.taken = counted or 0
        self.former = (newest or 0) - self.taken

    async def enqueue(self, count: int) -> None:
        """Take mails of hosts that nobody knows yet."""
        async with self.open() as store:
            for start in range(0, count, 100):
                most = min(100, count - start)
                await store.take(arrivals(self.taken, most), DAY)
                self.taken += most

    async def trickle(self, per_second: int, seconds: int) -> None:
        """Take mails one by one, at a steady pace."""
        async with self.open() as store:
            start = time.monotonic()
            for number in range(per_second * seconds):
                await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
                await store.take(arrivals(self.taken, 1), DAY)
                self.taken += 1

    async def done(self, expected: int) -> bool:
        """Wait until so many cases are kept; say whether they ever were."""
        async with self.open() as store:
            deadline = time.monotonic() + 180
            while time.monotonic() < deadline:
                if await store.waiting() == 0 and await self._cases(store) >= expected:
                    return True
                await asyncio.sleep(0.05)
        return False

    async def _cases(self, store: SqlStore) -> int:
        query = select(func.count()).where(cases.c.id > self.former)
        found = await store._read(lambda c: c.scalar(query))
        return found or 0

    def database_cpu(self) -> float:
        """Return the processor seconds of the server and all its former processes."""
        return 0.0 if self.server is None else self.server.cpu_seconds()


def rate(bench: Bench, workers: int, wait: float, hosts: int) -> None:
    """Measure how many hosts a second workers conclude that all wait from the beginning."""
    before = bench.taken
    asyncio.run(bench.enqueue(hosts))
    expected = before + hosts
    cpu = bench.database_cpu()
    with bench.workers(workers, wait):
        start = time.monotonic()
        finished = asyncio.run(bench.done(expected))
        seconds = time.monotonic() - start
    cost = (bench.database_cpu() - cpu) / hosts * 1000
    name = "embedded" if bench.server is None else "PostgreSQL"
    database = "" if bench.server is None else f", {cost:.2f} ms of database CPU each"
    problem = "" if finished else " (NOT ALL DONE)"
    print(
        f"{name}, {workers} worker{'s' * (workers > 1)}, wait {wait:g} s:"
        f" {hosts / seconds:,.0f} per second{database}{problem}"
    )


def latency(bench: Bench, workers: int, per_second: int, seconds: int) -> None:
    """Measure the time from a mail's arrival to the claim of its host."""
    cpu = bench.database_cpu()
    with bench.workers(workers, 0.5):
        asyncio.run(bench.trickle(per_second, seconds))
        asyncio.run(bench.done(bench.taken))
    hosts = per_second * seconds
    cost = (bench.database_cpu() - cpu) / hosts * 1000
    cuts = statistics.quantiles(bench.lags, n=100)
    name = "embedded" if bench.server is None else "PostgreSQL"
    database = "" if bench.server is None else f", {cost:.2f} ms of database CPU each"
    print(
        f"{name}, {workers} worker{'s' * (workers > 1)}, {per_second} mails per second:"
        f" enqueue to start p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"
        f" of {len(bench.lags)}{database}"
    )


def reports(bench: Bench) -> None:
    """Measure what the report of the last week takes, the start of the program included."""
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "botprobe", "report", "--store", bench.place, "--json"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    print(f"PostgreSQL, report of a week: {time.monotonic() - start:.1f} s")


def size(bench: Bench, options: argparse.Namespace) -> None:
    """Measure what depends on how much the store holds."""
    latency(bench, 1, options.pace, options.seconds)
    for workers in options.workers[:2]:
        rate(bench, workers, 0, options.hosts)
    reports(bench)


@contextmanager
def _server(folder: Path | None) -> Iterator[postgres.Server]:
    """Run a durable server, in a folder that stays if one is named."""
    with postgres.server(*(SERVER if folder else ()), durable=True, kept=folder) as server:
        yield server


def measure(options: argparse.Namespace) -> None:
    """Run all parts and print the figures."""
    load = " ".join(f"{part:.2f}" for part in os.getloadavg())
    print(f"load average before {load}; {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as name, _server(options.data) as server:
        embedded = Bench(str(Path(name) / "cases.sqlite"), None)
        shared = Bench(server.new_database(), server)
        asyncio.run(shared.prepare())
        if "fill" in options.parts:
            fill(shared.place, options.known, options.sightings)
            asyncio.run(shared.prepare())
        if "rate" in options.parts:
            rate(embedded, 1, 0, options.hosts)
            for workers in options.workers:
                rate(shared, workers, 0, options.hosts)
            rate(shared, options.workers[-1], 1.0, options.hosts)
        if "latency" in options.parts:
            latency(shared, 1, options.pace, options.seconds)
        if "bells" in options.parts:
            from tests.service.bench_bells import bells  # noqa: PLC0415  # PgQueuer is a peer

            bells(server.new_database(), shared.database_cpu, options.pace, options.seconds)
        if "lab" in options.parts:
            from tests.service.bench_clusterlab import outside  # noqa: PLC0415  # needs the lab

            outside(options.lab_hosts, options.workers)
        if "growth" in options.parts:
            size(shared, options)
    print(f"load average after {' '.join(f'{part:.2f}' for part in os.getloadavg())}")


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/bench-cluster", description=__doc__)
    parser.add_argument("--hosts", type=int, default=6_000, help="of each measurement")
    parser.add_argument("--lab-hosts", type=int, default=600, help="of each measurement in it")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--parts", nargs="*", default=["rate", "latency", "bells"])
    parser.add_argument("--pace", type=int, default=100, help="mails per second for the latency")
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--data", type=Path, help="folder of a server that is kept (with fill)")
    parser.add_argument("--known", type=int, default=3_000_000, help="addresses that fill adds")
    parser.add_argument("--sightings", type=int, default=30_000_000)
    for hidden in ("--worker", "--wait", "--ready"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream
    if options.worker:
        asyncio.run(work(options.worker, float(options.wait), Path(options.ready)))
    else:
        measure(options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
