"""Trouble for the watch, for minutes on end: ``scripts/soak``.

While mails are delivered, the watch is killed again and again, its disk is full, its store locked,
its network gone and its clock set. Afterwards all is counted: no mail may be lost, no due host
forgotten, no verdict doubled. Runs inside of the laboratory, where only the watch can be harmed.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import namespace
from tests.lab.population import Host, PopulationError
from tests.service.bench_population import as_toml, draw
from tests.service.bench_watch import SETTINGS, Box
from tests.service.labwatch import stop_at_once

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")

# Only the watch gets another clock: nmap, which asks the time at every packet, would crawl.
LAUNCH = """
import os
os.environ.pop("LD_PRELOAD", None)
from botprobe.cli.app import main
main()
"""

# Room for the store, so that a ballast can fill the disk without harm to anybody else.
DISK = "1500m"

UNFINISHED = "host where due is not null and rank < 4"


@dataclass(slots=True)
class Victim:
    """A watch that is started again after every kill."""

    folder: Path
    box: Box
    process: subprocess.Popen[bytes] | None = None
    memory: list[float] = field(default_factory=list)
    """MB that each life held at its end."""
    lives: int = 0

    @property
    def store(self) -> Path:
        """Where its cases are."""
        return self.folder / "disk" / "cases.sqlite"

    def start(self) -> None:
        """Begin a life."""
        self.lives += 1
        environment = dict(os.environ)
        clock = self.folder / "clock"
        if FAKETIME.exists():
            if not clock.exists():
                clock.write_text("+0\n")
            environment |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        logs = ["--store", str(self.store), "--log-dir", str(self.folder / "disk" / "hosts")]
        with (self.folder / "errors").open("a") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-c", LAUNCH, "watch", str(self.box.path)),
                    *("-c", str(self.folder / "botprobe.toml"), *logs),
                ],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment,
            )

    def kill(self) -> None:
        """End a life at once."""
        self.sample()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def sample(self) -> None:
        """Note how much memory it holds."""
        if self.process is None or self.process.poll() is not None:
            return
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next((x for x in status.splitlines() if x.startswith("VmRSS")), "VmRSS: 0")
        self.memory.append(int(line.split()[1]) / 1024)

    def count(self, rows: str) -> int:
        """Count rows of a table."""
        connection = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=90)
        try:
            return int(connection.execute(f"select count(*) from {rows}").fetchone()[0])  # noqa: S608  # our own words
        finally:
            connection.close()


@contextmanager
def full_disk(victim: Victim) -> Iterator[None]:
    """Fill the disk with a ballast."""
    ballast = victim.folder / "disk" / "ballast"
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(b"\0" * 2**20)
                file.flush()
        except OSError:
            pass  # full
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def locked_store(victim: Victim) -> Iterator[None]:
    """Hold the lock for writers, as a backup program may."""
    connection = sqlite3.connect(victim.store, timeout=90, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


@contextmanager
def no_network(_victim: Victim) -> Iterator[None]:
    """Take the routes to all hosts away, the canary's included."""
    routes = ("198.18.128.0/17", "198.18.4.0/24")
    for route in routes:
        namespace.run("ip", "route", "add", "unreachable", route)
    try:
        yield
    finally:
        for route in routes:
            namespace.run("ip", "route", "del", "unreachable", route)


@contextmanager
def other_time(victim: Victim) -> Iterator[None]:
    """Set the clock of the watch an hour ahead, then two hours back; no other clock is touched."""
    clock = victim.folder / "clock"
    clock.write_text("+3600\n")
    yield
    clock.write_text("-3600\n")


TROUBLES: Sequence[Callable[[Victim], object]] = (full_disk, locked_store, no_network, other_time)


def trouble_at(moment: float, seconds: float) -> int | None:
    """Return which trouble there is: the second, fourth, ... tenth of the time have one each."""
    part = int(moment / seconds * 10)
    return part // 2 if part % 2 == 1 and part // 2 < len(TROUBLES) else None


def soak(victim: Victim, hosts: Sequence[Host], options: argparse.Namespace) -> None:
    """Deliver all mails within the time, with a kill and a trouble at their moments."""
    chance = random.Random(options.seed)
    ips = [str(host.addresses[0]) for host in hosts]
    started, delivered, kills = time.monotonic(), 0, 0
    current: tuple[int, object] | None = None
    victim.start()
    while (now := time.monotonic() - started) < options.seconds or delivered < options.mails:
        due = min(options.mails, int(options.mails * now / options.seconds) + 1)
        for _ in range(due - delivered):
            ip, *claimed = chance.sample(ips, 3)
            victim.box.deliver(victim.box.prepare(ip, claimed))
        delivered = due
        wanted = trouble_at(now, options.seconds)
        if current is not None and current[0] != wanted:
            current[1].__exit__(None, None, None)  # type: ignore[attr-defined]  # a context manager
            current = None
        if current is None and wanted is not None and victim.store.exists():
            context = TROUBLES[wanted](victim)
            context.__enter__()  # type: ignore[attr-defined]  # a context manager
            print(f"{now:5.0f} s  {TROUBLES[wanted].__name__}", flush=True)
            current = wanted, context
        if now > (kills + 1) * options.seconds / (options.kills + 1) and kills < options.kills:
            kills += 1
            victim.kill()
            victim.start()
        elif victim.process is not None and victim.process.poll() is not None:
            print(f"{now:5.0f} s  the watch ended by itself ({victim.process.returncode})")
            victim.start()
        victim.sample()
        time.sleep(min(0.25, options.seconds / 100))
    if current is not None:
        current[1].__exit__(None, None, None)  # type: ignore[attr-defined]  # a context manager


def account(victim: Victim, mails: int) -> list[str]:
    """Return what is not as it must be."""
    facts = {
        "mails that were not taken": mails - victim.count("delivery"),
        "mails that were kept twice": victim.count("mail") - mails,
        "hosts that are still due": victim.count(UNFINISHED),
        "hosts without a case or a reason": victim.count(
            'host where refused is null and ip not in (select ip from "case")'
        ),
        "hosts with two verdicts": victim.count(
            '(select ip from "case" where probed group by ip having count(*) > 1)'
        ),
        "cases that cannot be read": victim.count('"case" where not json_valid(document)'),
    }
    return [f"{count} {name}" for name, count in facts.items() if count]


def inside(options: argparse.Namespace) -> int:
    """Run the soak, and count."""
    namespace.require_lab()
    hosts = draw(options.hosts, options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "disk").mkdir()
        namespace.run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "soak", str(folder / "disk"))
        (folder / "botprobe.toml").write_text(SETTINGS + "rescan_seconds = 20\n")
        victim = Victim(folder, Box(folder / "box"))
        started = time.monotonic()
        soak(victim, hosts, options)
        deadline = time.monotonic() + options.patience
        while time.monotonic() < deadline and account(victim, options.mails):
            time.sleep(1)
            victim.sample()
        wrong = account(victim, options.mails)
        report(victim, options, time.monotonic() - started, wrong)
        if victim.process is not None:
            stop_at_once(victim.process)
        namespace.run("umount", str(folder / "disk"))
    return 1 if wrong else 0


def report(
    victim: Victim, options: argparse.Namespace, seconds: float, wrong: Sequence[str]
) -> None:
    """Print what came of it."""
    result = {
        "mails": options.mails,
        "taken": victim.count("delivery"),
        "hosts": victim.count("host"),
        "probed": victim.count('"case" where probed'),
        "refused": victim.count('"case" where not probed'),
        "lives": victim.lives,
        "memory_mb": {
            "largest": round(max(victim.memory)),
            "median": round(sorted(victim.memory)[len(victim.memory) // 2]),
            "last": round(victim.memory[-1]),
        },
        "clock": "stepped" if FAKETIME.exists() else "not stepped: libfaketime is not installed",
        "seconds": round(seconds),
        "wrong": list(wrong),
    }
    print(json.dumps(result, indent=2))
    if wrong:
        print((victim.folder / "errors").read_text()[-2000:], file=sys.stderr)


def outside(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Start the laboratory with the population, and the soak in it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "population.toml"
        file.write_text(as_toml(draw(options.hosts, options.seed)), "utf-8")
        again = [sys.executable, "-m", "tests.service.soak", "--inside", *arguments]
        lab = [sys.executable, "-m", "tests.lab", "run", "--population", str(file)]
        return subprocess.run([*lab, "--", *again], check=False).returncode


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--mails", type=int, default=100_000)
    parser.add_argument("--hosts", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=600, help="of deliveries and trouble")
    parser.add_argument("--kills", type=int, default=9)
    parser.add_argument("--patience", type=float, default=900, help="seconds to the end of work")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        return inside(options) if options.inside else outside(options, arguments)
    except (namespace.LabError, PopulationError, OSError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
