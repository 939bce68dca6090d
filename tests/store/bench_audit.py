"""How fast the audit log answers: ``scripts/bench-audit``.

Fills a store with grants as they come in years of probing, and asks what was sent into a network,
beside what ``grep`` needs for the same over the log as text.
"""

import argparse
import asyncio
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_network
from pathlib import Path

from sqlalchemy import insert

from botprobe.scope.budget import surrounding
from botprobe.store.audit import place_of
from botprobe.store.schema import audits
from botprobe.store.sqlite import SqliteStore

FIRST = 1_700_000_000.0
EVERY = 3.0
DOCUMENT = (
    '{"asked": ["icmp: three echo requests", "tcp 25: greeting, EHLO, QUIT"],'
    ' "rule": "boundary hop of a mail", "mails": ["new/%d <%d@spam.example>"]}'
)
AT_ONCE = 50_000


def rows(start: int, count: int, chance: random.Random) -> list[dict[str, object]]:
    """Make grants of random addresses, three seconds apart."""
    made: list[dict[str, object]] = []
    for number in range(start, start + count):
        address = IPv4Address(chance.getrandbits(32))
        made.append(
            {
                "at": FIRST + EVERY * number,
                "place": place_of(address),
                "network": str(surrounding(address)),
                "owner": "trap:1",
                "source": "198.18.0.1",
                "document": DOCUMENT % (number, number),
            }
        )
    return made


async def fill(path: Path, text: Path, count: int) -> None:
    """Fill the store, and a text file with a line for each grant."""
    chance = random.Random(1)
    with text.open("w") as lines:
        async with SqliteStore(path) as store:
            for start in range(0, count, AT_ONCE):
                page = rows(start, min(AT_ONCE, count - start), chance)
                await store._write(lambda c, page=page: c.execute(insert(audits), page))  # type: ignore[misc]  # no public way adds what was long ago
                for row in page:
                    network = str(row["network"]).removesuffix(".0/24")
                    lines.write(f"{row['at']} {network}. {row['document']}\n")


def timed(name: str, command: Sequence[str]) -> float:
    """Run a command three times, print the best wall-clock time, and return it."""
    best = float("inf")
    for _ in range(3):
        clock = time.monotonic()
        done = subprocess.run(command, capture_output=True, check=False)
        best = min(best, time.monotonic() - clock)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{name:42} {best:6.2f} s  {len(done.stdout):>9,} bytes  {peak:4.0f} MB at most so far")
    return best


def main(arguments: Sequence[str]) -> int:
    """Run the command line; 1 if an answer took a second or more."""
    parser = argparse.ArgumentParser(prog="scripts/bench-audit", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--store", type=Path, help="keep the store here for the next run")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = options.store or Path(folder) / "cases.sqlite"
        text = path.with_suffix(".txt")
        if not path.exists():
            clock = time.monotonic()
            asyncio.run(fill(path, text, options.rows))
            print(f"{options.rows:,} grants in {time.monotonic() - clock:.0f} s")
        sizes = [f"{file.stat().st_size / 1e6:,.0f} MB" for file in (path, text)]
        print(f"store {sizes[0]}, text {sizes[1]}")
        ask = [sys.executable, "-m", "botprobe", "audit", "--store", str(path), "--target"]
        network = ip_network((random.Random(2).getrandbits(32) & ~0xFFFF, 16))
        slowest = max(
            timed("audit of a /24", [*ask, "81.2.69.0/24"]),
            timed("audit of a /16, as JSON", [*ask, str(network), "--json"]),
            timed(
                "audit of a /16 since a day, a reply",
                [*ask, str(network), "--since", "2026-01-01", "--reply"],
            ),
        )
        timed("grep over the text, a /24", ["grep", "-F", " 81.2.69. ", str(text)])
    return int(slowest >= 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
