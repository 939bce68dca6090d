"""Two ways to wake a worker, beside each other: NOTIFY, and a job of PgQueuer for each host.

Part of ``scripts/bench-cluster``; both work in the same database, at the same pace. A notice
carries nothing, as the host table says what there is to do; a job is written, fetched, deleted.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import psycopg
from pgqueuer import PgQueuer, PsycopgDriver, Queries
from pgqueuer.models import Job

from botprobe.queue.postgres import open_bell
from botprobe.store.postgres import conninfo

JOB = "look"


async def notices(url: str, per_second: int, seconds: int) -> list[float]:
    """Ring with NOTIFY; return the seconds from each ring to the moment when it is heard."""
    lags: list[float] = []
    rung = asyncio.Queue[float]()

    async def hear() -> None:
        async with open_bell(conninfo(url)) as bell:
            await bell.wait(5)
            ready.set()
            while True:
                await bell.wait(5)
                now = time.time()
                while not rung.empty():
                    lags.append(now - rung.get_nowait())

    ready = asyncio.Event()
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
        asyncio.TaskGroup() as group,
    ):
        hearing = group.create_task(hear())
        await ready.wait()
        start = time.monotonic()
        for number in range(per_second * seconds):
            await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
            rung.put_nowait(time.time())
            await connection.execute("NOTIFY botprobe")
        await asyncio.sleep(1)
        hearing.cancel()
    return lags


async def jobs(url: str, per_second: int, seconds: int) -> list[float]:
    """Enqueue a job for each host; return the seconds from each enqueue to its start."""
    lags: list[float] = []
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as near,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as far,
    ):
        queries = Queries(PsycopgDriver(near))
        await queries.install()
        worker = PgQueuer(PsycopgDriver(far))

        async def look(job: Job) -> None:
            lags.append(time.time() - float(job.payload or b"0"))

        worker.entrypoint(JOB)(look)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(worker.run(dequeue_timeout=timedelta(seconds=1)))
            await asyncio.sleep(1)
            start = time.monotonic()
            for number in range(per_second * seconds):
                await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
                await queries.enqueue(JOB, str(time.time()).encode())
            await asyncio.sleep(2)
            worker.shutdown.set()
            await running
    return lags


def bells(url: str, database_cpu: Callable[[], float], per_second: int, seconds: int) -> None:
    """Measure both and print the figures."""
    for name, way in (("NOTIFY", notices), ("a PgQueuer job for each host", jobs)):
        cpu = database_cpu()
        lags = asyncio.run(way(url, per_second, seconds))
        cost = (database_cpu() - cpu) / max(1, len(lags)) * 1000
        cuts = statistics.quantiles(lags, n=100)
        print(
            f"woken by {name}, {per_second} per second: p50 {cuts[49] * 1000:.1f} ms,"
            f" p99 {cuts[98] * 1000:.1f} ms, {cost:.2f} ms of database CPU each, {len(lags)} heard"
        )
