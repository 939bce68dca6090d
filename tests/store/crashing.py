"""A program that is killed at work: takes numbered mails, claims their hosts, and finishes them.

Each step is told on standard output, so that whoever kills it can choose the moment.
"""

import asyncio
import sys
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from botprobe.model.work import Rank
from botprobe.store.sqlite import SqliteStore
from tests.store.test_hosts import DAY, LEASE, arrival, case_of

MAILS = 120
HOSTS = 40


async def work(path: Path) -> None:
    """Do all that is left to do."""
    arrivals = {
        str(n): arrival(str(n), ip_address(f"198.18.10.{n % HOSTS + 1}")) for n in range(MAILS)
    }
    async with SqliteStore(path) as store:
        await store.recover()
        while left := sorted(await store.untaken(arrivals), key=int)[:7]:
            await store.take([arrivals[key] for key in left], DAY)
            print("taken", flush=True)
            for claim in await store.claim("me", LEASE, 3, tuple(Rank)):
                print("claimed", flush=True)
                await store.finish(claim, case_of(claim), None)
                print("finished", flush=True)
        while claims := await store.claim("me", timedelta(minutes=1), 3, tuple(Rank)):
            for claim in claims:
                await store.finish(claim, case_of(claim), None)
                print("finished", flush=True)


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1])))
