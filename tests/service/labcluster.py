"""Two watches, three workers and a PostgreSQL in the laboratory, and all that may befall them.

A worker is killed; the cables of another and of a watch are cut; the third one's clock is an hour
ahead; the budget of the day is spent, and then raised; the database stops and comes back, all its
connections are ended; a worker is frozen until others have taken over from it, and goes on; mails
come twice. Prints what was seen as JSON.
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
from tests.service.labcables import Cables, wired_server
from tests.service.soak import FAKETIME
from tests.service.wiretap import Wiretap

HOSTS, SEED = 60, 5
# Investigations of a day, which are fewer than the hosts that mail us before it is raised.
CAP = 35
CLIENTS = ("watch1", "watch2", "worker1", "worker2", "worker3")
OPEN = "FROM host WHERE (due IS NOT NULL AND rank < 5) OR lease IS NOT NULL"


@dataclass(slots=True)
class Cluster:
    """The processes, and the database between them."""

    folder: Path
    server: postgres.Server
    cables: Cables
    url: str
    boxes: tuple[Box, ...]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, clock: str | None = None) -> None:
        """Start a command of botprobe on the shared store, with another clock if asked for."""
        environment = dict(os.environ)
        if clock is not None and FAKETIME.exists():
            environment |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME": clock}
            environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        url = self.server.tcp_url(self.url, self.cables.address(name))
        options = ["-c", str(self.folder / "botprobe.toml"), "--store", url, "--jsonl"]
        options += ["--log-dir", str(self.folder / "hosts")] if command[0] == "worker" else []
        with (self.folder / f"{name}.errors").open("ab") as errors:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "botprobe", *command, *options],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment,
            )

    def allow(self, probes_per_day: int) -> None:
        """Write the settings with a budget of the day, and have all who run read them."""
        text = SETTINGS.replace("per_network = 1000\n", "per_network = 24\n")
        text = text.replace("per_day = 1000000\n", f"per_day = {probes_per_day}\n")
        text = text.replace("[smtp]\n", "[smtp]\nsession_timeout = 10\n")  # for its tarpits
        (self.folder / "botprobe.toml").write_text(f"{text}[worker]\nconcurrency = 10\n")
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGHUP)

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
def cluster(database: Path) -> Iterator[Cluster]:
    """Start everything, and end whatever is still there."""
    with (
        tempfile.TemporaryDirectory() as name,
        wired_server(database, *CLIENTS) as (server, cables),
    ):
        folder = Path(name)
        boxes = tuple(Box(folder / box) for box in ("box1", "box2"))
        made = Cluster(folder, server, cables, server.new_database(), boxes)
        made.allow(CAP)
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


def run(made: Cluster, hosts: Sequence[Host], tap: Wiretap) -> dict[str, object]:
    """Let everything happen, and count afterwards."""
    first, second, third = hosts[:25], hosts[25:40], hosts[40:]
    seen: dict[str, object] = {}
    delivered = sum(deliver(box, first) for box in made.boxes)
    seen |= _killed_and_cut(made)
    delivered += sum(deliver(box, second) for box in made.boxes)
    seen |= _spent(made, delivered)
    raised = time.time()
    made.allow(1_000_000)
    delivered += sum(deliver(box, third[:10]) for box in made.boxes)
    seen |= _restarted(made, delivered)
    delivered += deliver(made.boxes[0], third[10:])
    seen |= _frozen(made)
    again = made.boxes[1].path / "new"
    for path in sorted((made.boxes[0].path / "new").iterdir())[:10]:
        (again / f"again-{path.name}").write_bytes(path.read_bytes())
    delivered += 10
    seen["seconds until all was done"] = wait_until(
        lambda: made.count("FROM delivery") == delivered and not made.count(OPEN), 120
    )
    asked = tap.stop()
    times = [asked[ip] for ip in {str(host.addresses[0]) for host in hosts} & asked.keys()]
    seen["asked within the budget"] = sum(moment < raised for moment in times)
    seen["asked at all"] = len(times)
    return seen | _counted(made, delivered)


def _killed_and_cut(made: Cluster) -> dict[str, object]:
    """Kill a worker and pull the plugs of another and of a watch; the third takes over."""
    lost = ("worker1", "worker2")
    wait_until(lambda: all(map(made.held_by, lost)), 60)
    seen: dict[str, object] = {"held by the lost": [len(made.held_by(name)) for name in lost]}
    made.processes["worker1"].kill()
    for client in ("worker2", "watch2"):
        made.cables.cut(client)
    start = time.monotonic()
    for name in lost:
        wait_until(lambda name=name: not made.held_by(name), 40)  # type: ignore[misc]  # a default
        seen[f"seconds until taken over from {name}"] = time.monotonic() - start
    seen["sessions of the cut worker"] = made.count(
        f"FROM pg_stat_activity WHERE client_addr = '{made.cables.own_address('worker2')}'"
    )
    for client in ("worker2", "watch2"):
        made.cables.mend(client)
    return seen


def _spent(made: Cluster, delivered: int) -> dict[str, object]:
    """Wait until the budget of the day is spent, and whoever had a part of it has been asked."""
    seconds = wait_until(
        lambda: made.count("FROM delivery") == delivered and made.count("FROM audit") >= CAP,
        60,
    )
    time.sleep(3)
    waiting = made.count("FROM host WHERE due IS NOT NULL AND rank < 4")
    return {
        "seconds until the budget was spent": seconds,
        "granted within the budget": made.count("FROM audit"),
        "hosts that had to wait": waiting,
    }


def _restarted(made: Cluster, delivered: int) -> dict[str, object]:
    """Let the database crash and come back, and end all connections."""
    made.server.stop()
    time.sleep(3)
    made.server.start()
    seconds = wait_until(lambda: made.count("FROM delivery") == delivered, 60)
    ended = made.count(
        "FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'botprobe') AS ended"
    )
    return {"seconds until mails were taken": seconds, "connections ended": ended}


def _frozen(made: Cluster) -> dict[str, object]:
    """Freeze a worker until another has taken over from it, and let it go on."""
    wait_until(lambda: bool(made.held_by("worker2")), 60)
    frozen = made.held_by("worker2")
    made.processes["worker2"].send_signal(signal.SIGSTOP)
    seconds = wait_until(lambda: not made.held_by("worker2"), 40)
    made.processes["worker2"].send_signal(signal.SIGCONT)
    return {"held by the frozen": len(frozen), "seconds until taken over from it": seconds}


def _counted(made: Cluster, delivered: int) -> dict[str, object]:
    files = [path for box in made.boxes for path in (box.path / "new").iterdir()]
    errors = [path.read_text() for path in sorted(made.folder.glob("*.errors"))]
    return {
        "delivered": delivered,
        "taken": made.count("FROM delivery"),
        "different mails": len({path.read_bytes() for path in files}),
        "mails": made.count("FROM mail"),
        "hosts": made.count("FROM host"),
        "cases": made.count('FROM "case"'),
        "hosts with a case": made.count('FROM (SELECT DISTINCT ip FROM "case") AS one'),
        "claims": dict(made.ask("SELECT ip, attempt FROM host")),
        "left over": made.ask(f"SELECT ip, rank, due, owner, lease, attempt, tries {OPEN}"),
        "tracebacks": [text for text in errors if "Traceback" in text],
    }


def inside(database: Path) -> None:
    """Run inside of the laboratory."""
    namespace.require_lab()
    with cluster(database) as made, Wiretap() as tap:
        print(json.dumps(run(made, draw(HOSTS, SEED), tap)))


def outside() -> int:
    """Start a laboratory in which the hosts live; print what was seen, the wire included."""
    with (
        postgres.ends_in_order(),
        tempfile.TemporaryDirectory() as name,
        postgres.new_folder() as database,
    ):
        population, wire = Path(name) / "population.toml", Path(name) / "wire.json"
        population.write_text(as_toml(draw(HOSTS, SEED)), "utf-8")
        lab = [sys.executable, "-m", "tests.lab", "run", "--population", str(population)]
        command = [sys.executable, "-m", "tests.service.labcluster", "--inside", str(database)]
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
    parser.add_argument("--inside", type=Path, metavar="FOLDER", help="of the database")
    if (folder := parser.parse_args().inside) is not None:
        inside(folder)
    else:
        os.environ.setdefault("PYTHONUNBUFFERED", "1")
        sys.exit(outside())
