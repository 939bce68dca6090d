"""Two watches, three workers and a PostgreSQL in the laboratory, and all that may befall them.

A worker is killed, another's clock is an hour ahead, the database stops and comes back, all its
connections are cut, a worker is frozen until others have taken over from it and then goes on,
mails come twice. Prints what was seen as JSON.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from botprobe.service.presence import SILENCE
from tests import postgres
from tests.lab import namespace
from tests.lab.population import Host
from tests.service.bench_population import as_toml, draw
from tests.service.bench_watch import SETTINGS, Box
from tests.service.soak import FAKETIME

HOSTS, SEED = 60, 5
OPEN = "FROM host WHERE (due IS NOT NULL AND rank < 5) OR lease IS NOT NULL"


@dataclass(slots=True)
class Cluster:
    """The processes, and the database between them."""

    folder: Path
    server: postgres.Server
    url: str
    boxes: tuple[Box, ...]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, clock: str | None = None) -> None:
        """Start a command of botprobe on the shared store, with another clock if asked for."""
        environment = dict(os.environ)
        if clock is not None and FAKETIME.exists():
            environment |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME": clock}
            environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        options = ["-c", str(self.folder / "botprobe.toml"), "--store", self.url, "--jsonl"]
        options += ["--log-dir", str(self.folder / "hosts")] if command[0] == "worker" else []
        with (self.folder / f"{name}.errors").open("ab") as errors:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "botprobe", *command, *options],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment,
            )

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database behind the store's back."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()

    def count(self, rows: str) -> int:
        """Count rows."""
        return int(self.ask(f"SELECT count(*) {rows}")[0][0])

    def held_by(self, name: str) -> list[str]:
        """Return the hosts that a worker has claimed."""
        pid = self.processes[name].pid
        rows = self.ask("SELECT ip, owner FROM host WHERE lease IS NOT NULL")
        return [ip for ip, owner in rows if f":{pid}:" in owner]


def wait_until(done: Callable[[], bool], seconds: float) -> float:
    """Wait until something holds, and return how long it took; negative if it never did."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        with suppress(psycopg.OperationalError):
            if done():
                return time.monotonic() - start
        time.sleep(0.1)
    return -1.0


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start everything, and end whatever is still there."""
    with tempfile.TemporaryDirectory() as name, postgres.server(durable=True) as server:
        folder = Path(name)
        text = SETTINGS.replace("per_network = 1000\n", "per_network = 24\n")
        (folder / "botprobe.toml").write_text(f"{text}[worker]\nconcurrency = 10\n")
        boxes = tuple(Box(folder / box) for box in ("box1", "box2"))
        made = Cluster(folder, server, server.new_database(), boxes)
        _init(made)
        try:
            for number, box in enumerate(boxes, 1):
                made.start(f"watch{number}", "watch", str(box.path))
            for number, clock in ((1, None), (2, None), (3, "+1h")):
                place = f"place{number}"
                made.start(f"worker{number}", "worker", "--vantage", place, clock=clock)
            yield made
        finally:
            for process in made.processes.values():
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()


def _init(made: Cluster) -> None:
    command = [sys.executable, "-m", "botprobe", "store", "init", "--store", made.url]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def deliver(box: Box, hosts: Sequence[Host]) -> int:
    """Deliver a mail of each host, and return how many these are."""
    for host in hosts:
        box.deliver(box.prepare(str(host.addresses[0])))
    return len(hosts)


def run(made: Cluster, hosts: Sequence[Host]) -> dict[str, object]:
    """Let everything happen, and count afterwards."""
    first, second, third = hosts[:25], hosts[25:40], hosts[40:]
    seen: dict[str, object] = {}
    delivered = sum(deliver(box, first) for box in made.boxes)
    wait_until(lambda: bool(made.held_by("worker1")), 60)
    killed = made.held_by("worker1")
    made.processes["worker1"].kill()
    seen["held by the killed"] = len(killed)
    seen["seconds until taken over"] = wait_until(lambda: not made.held_by("worker1"), 40)

    made.server.stop()
    delivered += sum(deliver(box, second) for box in made.boxes)
    time.sleep(3)
    made.server.start()
    seen["seconds until mails were taken"] = wait_until(
        lambda: made.count("FROM delivery") == delivered, 60
    )

    seen["connections cut"] = made.count(
        "FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'botprobe') AS cut"
    )
    delivered += deliver(made.boxes[0], third)
    wait_until(lambda: bool(made.held_by("worker2")), 60)
    frozen = made.held_by("worker2")
    made.processes["worker2"].send_signal(signal.SIGSTOP)
    seen["held by the frozen"] = len(frozen)
    wait_until(lambda: not made.held_by("worker2"), 40)
    made.processes["worker2"].send_signal(signal.SIGCONT)
    again = made.boxes[1].path / "new"
    for path in sorted((made.boxes[0].path / "new").iterdir())[:10]:
        (again / f"again-{path.name}").write_bytes(path.read_bytes())
    delivered += 10

    seen["seconds until all was done"] = wait_until(
        lambda: made.count("FROM delivery") == delivered and not made.count(OPEN), 150
    )
    seen["delivered"], seen["taken"] = delivered, made.count("FROM delivery")
    files = [path for box in made.boxes for path in (box.path / "new").iterdir()]
    seen["different mails"] = len({path.read_bytes() for path in files})
    seen["mails"] = made.count("FROM mail")
    seen["hosts"] = made.count("FROM host")
    seen["cases"] = made.count('FROM "case"')
    seen["hosts with a case"] = made.count('FROM (SELECT DISTINCT ip FROM "case") AS one')
    seen["claims"] = dict(made.ask("SELECT ip, attempt FROM host"))
    errors = [path.read_text() for path in sorted(made.folder.glob("*.errors"))]
    seen["tracebacks"] = [text for text in errors if "Traceback" in text]
    return seen


def inside() -> None:
    """Run inside of the laboratory."""
    namespace.require_lab()
    with cluster() as made:
        print(json.dumps(run(made, draw(HOSTS, SEED))))


def outside() -> int:
    """Start a laboratory in which the hosts live; print what was seen, the wire included."""
    with tempfile.TemporaryDirectory() as name:
        population, wire = Path(name) / "population.toml", Path(name) / "wire.json"
        population.write_text(as_toml(draw(HOSTS, SEED)), "utf-8")
        lab = [sys.executable, "-m", "tests.lab", "run", "--population", str(population)]
        command = [sys.executable, "-m", "tests.service.labcluster", "--inside"]
        done = subprocess.run(
            [*lab, "--wire", str(wire), "--", *command], check=False, stdout=subprocess.PIPE
        )
        if done.returncode == 0:
            seen = json.loads(done.stdout)
            packets = json.loads(wire.read_text())
            # nmap's probes of an open port hold two echo requests more.
            silent = [str(h.addresses[0]) for h in draw(HOSTS, SEED) if not h.open and not h.closed]
            seen["pings"] = {ip: packets.get(ip, {}).get("icmp/8", 0) for ip in silent}
            seen["takeover bound"] = SILENCE.total_seconds() + 10
            print(json.dumps(seen))
        return done.returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", action="store_true")
    if parser.parse_args().inside:
        inside()
    else:
        os.environ.setdefault("PYTHONUNBUFFERED", "1")
        sys.exit(outside())
