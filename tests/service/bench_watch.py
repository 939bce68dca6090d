"""The watch beside what a person would write today: ``scripts/bench-watch``.

Started outside of the laboratory, it writes a population and starts itself inside. Processor time
is that of the program and all its children; the laboratory's own does not enter.
"""

import argparse
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import cycle, islice
from pathlib import Path

from botprobe.probes.osdetect import PORTS
from tests.lab import namespace
from tests.lab.population import Host, PopulationError
from tests.service.bench_population import BOT, as_toml, draw, kind_of
from tests.service.labwatch import stop_at_once
from tests.service.wiretap import Wiretap

SETTINGS = """
[trust]
trusted_networks = ["198.18.0.0/24"]
own_hosts = [".trap.example"]
[scope]
allow = ["198.18.0.0/15"]
own_networks = ["198.18.0.0/22"]
max_probes_per_hour = 1000000
max_probes_per_day = 1000000
max_probes_per_network_per_day = 100000
concurrency_per_network = 1000
[smtp]
helo_name = "probe.trap.example"
[canary]
hosts = ["198.18.4.26"]
[dns]
nameservers = ["198.19.0.53"]
[watch]
concurrency = 1000
"""

# Where nobody lives: most hosts of a backlog are long gone.
EMPTY = tuple(
    IPv4Network(text)
    for text in (
        "198.18.16.0/20",
        "198.18.32.0/19",
        "198.18.64.0/18",
        "198.18.160.0/19",
        "198.18.192.0/18",
        "198.19.32.0/19",
        "198.19.64.0/18",
        "198.19.128.0/18",
        "198.19.192.0/19",
    )
)

# One host as a careful person would ask it, with our ports, tries and patience.
BY_HAND = r"""
echo "host $1"
ping -n -q -c 3 -i 0.2 -W 2 "$1" | sed -n 's/.*, \([0-9]*\) received.*/ping \1/p'
nmap -n -Pn -O --max-os-tries 2 --max-retries 1 -p PORTS "$1" | grep -E '^(OS|Running|[0-9]+/tcp)'
timeout 75 bash -c 'exec 3<>/dev/tcp/'"$1"'/25 && head -n 1 <&3' 2>/dev/null | sed 's/^/smtp /'
true
""".replace("PORTS", ",".join(map(str, PORTS)))


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to investigate some hosts, with or without the laboratory's waits."""

    hosts: int
    wall: float
    cpu: float

    def __str__(self) -> str:
        return (
            f"{self.hosts} hosts in {self.wall:.1f} s and {self.cpu:.1f} CPU-s:"
            f" {self.hosts / self.wall:.2f} per second, {self.hosts / self.cpu:.1f} per CPU-second"
        )


def mail(number: int, boundary: str, claimed: Sequence[str]) -> str:
    """Write a mail that ``boundary`` handed to us, with the hops that it claims."""
    now = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    lines = [
        f"Received: from x{number} (unknown [{boundary}]) by mx.trap.example (Postfix)\n",
        f"\twith ESMTP id B{number} for <trap@trap.example>; {now}\n",
    ]
    lines += [f"Received: from y ([{ip}]) by x{number} with SMTP; {now}\n" for ip in claimed]
    lines += [f"From: <s{number}@spam.example>\nTo: <trap@trap.example>\n"]
    return "".join((*lines, f"Message-ID: <{number}@spam.example>\nSubject: offer\n\nx\n"))


class Box:
    """A Maildir into which mails are renamed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("tmp", "new", "cur"):
            (path / name).mkdir(parents=True, exist_ok=True)
        self._count = 0

    def prepare(self, boundary: str, claimed: Sequence[str] = ()) -> Path:
        """Write a mail that is not delivered yet."""
        self._count += 1
        path = self.path / "tmp" / f"{self._count}.bench"
        path.write_text(mail(self._count, boundary, claimed))
        os.utime(path)
        return path

    def deliver(self, prepared: Path) -> float:
        """Deliver a mail, and return when."""
        now = time.time()
        prepared.rename(self.path / "new" / prepared.name)
        return now


class Watching:
    """A ``botprobe watch`` with a box of its own."""

    def __init__(self, folder: Path) -> None:
        self.box = Box(folder / "box")
        self.store = folder / "cases.sqlite"
        settings = folder / "botprobe.toml"
        settings.write_text(SETTINGS)
        self._cpu = children_cpu()
        command = [sys.executable, "-m", "botprobe", "watch", str(self.box.path)]
        options = ["-c", str(settings), "--store", str(self.store)]
        self._errors = (folder / "errors").open("w")
        self._process = subprocess.Popen(
            [*command, *options, "--log-dir", str(folder / "hosts")],
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        wait_until(self.store.exists, 30)
        time.sleep(2)

    @property
    def memory(self) -> float:
        """Return what it holds at most, in MB; nmap not included."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def cases(self) -> int:
        """Count the cases."""
        return self.count('"case"')

    def count(self, rows: str) -> int:
        """Count rows of a table."""
        return int(self.ask(f"select count(*) from {rows}")[0][0])  # noqa: S608  # our own words

    def ask(self, query: str) -> list[tuple[str, ...]]:
        """Ask the store behind the back of the watch."""
        connection = sqlite3.connect(self.store, timeout=30)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def stop(self) -> float:
        """End it, and return the CPU seconds of all that it did."""
        stop_at_once(self._process)
        self._errors.close()
        return children_cpu() - self._cpu


def children_cpu() -> float:
    """Return the CPU seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wait_until(done: object, seconds: float) -> bool:
    """Wait until a condition holds; say if it came to hold in time."""
    deadline = time.monotonic() + seconds
    while not done():  # type: ignore[operator]  # any callable
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@contextmanager
def watching() -> Iterator[Watching]:
    """Start a watch, and stop it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Watching(Path(folder))
        try:
            yield watch
        finally:
            watch.stop()
            errors = (Path(folder) / "errors").read_text()
            print(errors, end="", file=sys.stderr)


def percentiles(seconds: Sequence[float]) -> str:
    """Write p50, p99 and the largest in milliseconds."""
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return (
        f"p50 {statistics.median(ordered) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms,"
        f" largest {ordered[-1] * 1000:.0f} ms ({len(ordered)} mails)"
    )


def latencies(delivered: dict[str, float], seen: dict[str, float]) -> list[float]:
    """Return the seconds from delivery to first packet; a host never asked is an error."""
    if missing := delivered.keys() - seen.keys():
        raise namespace.LabError(f"{len(missing)} hosts saw no packet, {min(missing)} among them")
    return [seen[ip] - moment for ip, moment in delivered.items()]


def idle(hosts: Sequence[Host]) -> None:
    """Measure lone mails, half a second apart."""
    with watching() as watch, Wiretap() as tap:
        delivered = {}
        for host in hosts:
            ip = str(host.addresses[0])
            delivered[ip] = watch.box.deliver(watch.box.prepare(ip))
            time.sleep(0.5)
        wait_until(lambda: watch.cases() >= len(hosts), 120)
        seen = tap.stop()
    print(f"idle: delivery to first packet {percentiles(latencies(delivered, seen))}")


def burst(hosts: Sequence[Host], mails: int, seed: int) -> None:
    """Measure hosts that mail us for the first time inside a burst."""
    chance = random.Random(seed)
    ips = [str(host.addresses[0]) for host in hosts]
    fresh, claimed = ips[: len(ips) // 3], ips[len(ips) // 3 :]
    with watching() as watch, Wiretap() as tap:
        boundaries = [
            chance.choice(fresh[: 1 + number * len(fresh) // mails]) for number in range(mails)
        ]
        prepared = [watch.box.prepare(ip, chance.sample(claimed, 3)) for ip in boundaries]
        started = time.monotonic()
        delivered: dict[str, float] = {}
        for ip, path in zip(boundaries, prepared, strict=True):
            delivered.setdefault(ip, watch.box.deliver(path))
        took = time.monotonic() - started
        wait_until(lambda: watch.count("delivery") == mails, 120)
        taken = time.monotonic() - started
        wait_until(lambda: watch.count("host where rank = 0 and lease is null") == 0, 60)
        seen, memory = tap.stop(), watch.memory
    print(
        f"burst: {mails} mails renamed in {took:.2f} s, all kept after {taken:.2f} s;"
        f" fresh boundary hops: {percentiles(latencies(delivered, seen))}; {memory:.0f} MB"
    )


def backlog(mails: int) -> None:
    """Measure the memory of a watch that finds a full mailbox; each mail names four hosts."""
    nobody = cycle(str(address) for network in EMPTY for address in network)
    with tempfile.TemporaryDirectory() as folder:
        box = Path(folder) / "box"
        prepared = Box(box)
        for _ in range(mails):
            ip, *claimed = islice(nobody, 4)
            prepared.deliver(prepared.prepare(ip, claimed))
        watch = Watching(Path(folder))
        clock = time.monotonic()
        complete = wait_until(lambda: watch.count("delivery") == mails, 300)
        seconds, waiting = time.monotonic() - clock, watch.count("host where due is not null")
        print(
            f"backlog: {mails} mails{'' if complete else ' NOT'} kept in {seconds:.1f} s,"
            f" {watch.count('host')} hosts, {waiting} still due; {watch.memory:.0f} MB"
        )
        watch.stop()


def crowd(hosts: Sequence[Host]) -> Cost:
    """Investigate all hosts, one mail each, and score the verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Watching(Path(folder))
        prepared = [watch.box.prepare(str(host.addresses[0])) for host in hosts]
        started = time.monotonic()
        for path in prepared:
            watch.box.deliver(path)
        wait_until(lambda: watch.cases() >= len(hosts), 400)
        wall = time.monotonic() - started
        labels: dict[str, str] = dict(watch.ask('select ip, label from "case"'))  # type: ignore[arg-type]  # two columns
        memory = watch.memory
        cost = Cost(watch.cases(), wall, watch.stop())
        print((Path(folder) / "errors").read_text(), end="", file=sys.stderr)
    bots = {ip for ip, label in labels.items() if label == BOT}
    print(f"botprobe watch:  {cost}; {memory:.0f} MB; {score(hosts, bots)}")
    return cost


def by_hand(hosts: Sequence[Host], at_once: int) -> Cost:
    """Ask hosts with a shell, and judge by the same rule: client Windows without mail service."""
    ips = "\n".join(str(host.addresses[0]) for host in hosts)
    line = ["bash", "-c", BY_HAND, "ask"]
    if at_once > 1:
        command = ["xargs", "-n", "1", "-P", str(at_once), *line]
    else:
        command = ["xargs", "-n", "1", *line]
    clock, cpu = time.monotonic(), children_cpu()
    with tempfile.TemporaryDirectory() as folder:
        # Each host writes a block of its own: with -P, lines of several would mix.
        each = f"exec >{folder}/$1; {BY_HAND}"
        command[command.index(BY_HAND)] = each
        subprocess.run(command, input=ips, text=True, check=False, stderr=subprocess.DEVNULL)
        cost = Cost(len(hosts), time.monotonic() - clock, children_cpu() - cpu)
        said = {path.name: path.read_text() for path in Path(folder).iterdir()}
    bots = {ip for ip, text in said.items() if _is_bot(text)}
    name = "shell loop:    " if at_once == 1 else f"xargs -P {at_once}:   "
    print(f"{name}  {cost}; {score(hosts, bots)}")
    return cost


def _is_bot(text: str) -> bool:
    system = next((x for x in text.splitlines() if x.startswith(("OS details", "Running"))), "")
    return "Windows" in system and "Server" not in system and "\nsmtp 220" not in text


def score(hosts: Sequence[Host], bots: set[str]) -> str:
    """Compare with what the hosts are."""
    true = {str(host.addresses[0]) for host in hosts if host.truth == BOT}
    right = len(true & bots)
    precision = f"{right / len(bots):.1%}" if bots else "none named"
    recall = f"{right / len(true):.1%}" if true else "none there"
    return f"bots: precision {precision}, recall {recall} of {len(true)}"


def sample(hosts: Sequence[Host], count: int) -> list[Host]:
    """Return hosts of all kinds in their proportions."""
    kinds = sorted({kind_of(host) for host in hosts})
    chosen: list[Host] = []
    for kind in kinds:
        same = [host for host in hosts if kind_of(host) == kind]
        chosen += same[: max(1, round(count * len(same) / len(hosts)))]
    return chosen


def inside(options: argparse.Namespace) -> None:
    """Run all parts, against the hosts that the same seed gave outside."""
    namespace.require_lab()
    load = " ".join(f"{part:.2f}" for part in os.getloadavg())
    print(f"load average before {load}; {os.cpu_count()} processors; seed {options.seed}")
    hosts = draw(options.hosts, options.seed)
    if "idle" in options.parts:
        idle(hosts[: options.lone])
    if "burst" in options.parts:
        burst(hosts[: options.hosts // 3], options.mails, options.seed)
    if "backlog" in options.parts:
        backlog(options.backlog)
    if "crowd" in options.parts:
        ours = crowd(hosts)
        loop = by_hand(sample(hosts, options.loop), 1)
        crowded = by_hand(sample(hosts, options.crowd), 16)
        print(
            f"hosts per CPU-second: {ours.hosts / ours.cpu / (loop.hosts / loop.cpu):.1f} times"
            f" those of the loop; hosts per second: "
            f"{ours.hosts / ours.wall / (crowded.hosts / crowded.wall):.1f} times those of xargs"
        )
    print(f"load average after {' '.join(f'{part:.2f}' for part in os.getloadavg())}")


def outside(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Start the laboratory with the population, and the benchmark in it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "population.toml"
        file.write_text(as_toml(draw(options.hosts, options.seed)), "utf-8")
        again = [sys.executable, "-m", "tests.service.bench_watch", "--inside", *arguments]
        lab = [sys.executable, "-m", "tests.lab", "run", "--population", str(file)]
        return subprocess.run([*lab, "--", *again], check=False).returncode


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/bench-watch", description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--mails", type=int, default=10_000, help="of the burst")
    parser.add_argument("--lone", type=int, default=200, help="mails on an idle watch")
    parser.add_argument("--loop", type=int, default=20, help="hosts for the shell loop")
    parser.add_argument("--crowd", type=int, default=160, help="hosts for xargs -P 16")
    parser.add_argument("--backlog", type=int, default=25_000, help="mails of a full mailbox")
    parser.add_argument("--parts", nargs="*", default=["idle", "burst", "backlog", "crowd"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream
    try:
        if not options.inside:
            return outside(options, arguments)
        inside(options)
    except (namespace.LabError, PopulationError, OSError) as error:
        print(f"bench-watch: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
