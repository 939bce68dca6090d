"""Sequences of mails, kills, reloads, stops and opt-outs, and what the wire shows of the rules.

Inside the laboratory, for each seed: a watch takes mails that claim addresses of victims, of who
opted out, and of who must never be asked, while it is killed, stopped, reloaded with other caps,
halted and given a damaged opt-out file, and a scan runs beside it. All packets are captured, and
compared with the caps and with what was allowed at each moment. Prints what broke a rule as JSON.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

from botprobe.scope.budget import surrounding
from tests.lab import namespace
from tests.service.bench_watch import SETTINGS, Box
from tests.service.labwatch import stop_at_once, wait_until
from tests.service.reflection import audit
from tests.service.wiretap import Wiretap

# Tarpits live in the first, nobody in the others.
VICTIMS = tuple(
    ip_network(text)
    for text in ("198.18.200.0/24", "198.18.201.0/24", "198.18.202.0/24", "2001:db8:66::/48")
)
SENDERS = IPv4Network("198.18.210.0/24")
LIVING = 20
# The laboratory routes the first three: only the rules keep us from them.
NEVER = (
    *("198.19.128.7", "198.18.1.7", "198.18.203.9"),
    *("10.0.0.1", "127.0.0.1", "169.254.169.254", "224.0.0.1", "198.51.100.1"),
)
OPTED_OUT = "198.18.203.0/24"
PER_NETWORK, PER_MAIL = 5, 3
# The first binds before the caps of the networks do, the second never.
PER_HOUR = (18, 60)
# Seconds after which a file is to be heeded.
SOON = 1.0
# Seconds for which a state is held, longer than that.
HELD = 2.2

STEPS = (
    *("mails",) * 8,
    *("kill", "kill", "end", "reload", "reload", "leave", "leave", "halt", "damage", "scan"),
)


def population() -> str:
    """Write the tarpits and the canary."""
    hosts = [("canary", "198.18.4.26", "smtp")]
    hosts += [(f"tarpit{n}", str(VICTIMS[0][n]), "smtp-tarpit") for n in range(1, LIVING + 1)]
    tables = [
        f"[[host]]\nname = '{name}'\naddress = '{ip}'\npersona = ['Linux 2.6.18']\nping = true\n"
        f"open = [25]\nservices = {{ 25 = '{service}' }}\n"
        for name, ip, service in hosts
    ]
    return "[lab]\ncanaries = ['198.18.4.26']\n" + "\n".join(tables)


@dataclass(frozen=True, slots=True)
class Closed:
    """A time in which a network, or all, must not be sent anything."""

    network: IPv4Network | IPv6Network | None
    start: float
    end: float = float("inf")

    def forbids(self, ip: str, moment: float) -> bool:
        """Say whether a packet broke it."""
        inside = self.network is None or ip_address(ip) in self.network
        return inside and self.start <= moment <= self.end


@dataclass
class Trial:
    """One sequence: a watch, and what is done to it."""

    folder: Path
    chance: random.Random
    box: Box
    per_hour: int
    closed: list[Closed] = field(default_factory=list)
    scans: list[subprocess.Popen[bytes]] = field(default_factory=list)
    watch: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> list[str]:
        """Of all commands."""
        return ["-c", str(self.folder / "botprobe.toml"), "--store", str(self.folder / "store")]

    def settings(self, per_network: int, per_hour: int) -> None:
        """Write the settings; 198.19.0.0/16 is not opened, though the laboratory routes it."""
        text = SETTINGS.replace("198.18.0.0/15", '198.18.0.0/16", "2001:db8::/32')
        text = text.replace("per_day = 100000\n", f"per_day = {per_network}\n")
        text = text.replace("per_hour = 1000000", f"per_hour = {per_hour}")
        paths = f"optout = '{self.folder / 'optout'}'\nmax_targets_per_mail = {PER_MAIL}"
        text = text.replace("[scope]", f"[scope]\n{paths}")
        text = text.replace("[smtp]", "[smtp]\nconnect_timeout = 2\nsession_timeout = 8")
        stop = f"[watch]\nstop_file = '{self.folder / 'stop'}'"
        (self.folder / "botprobe.toml").write_text(text.replace("[watch]", stop))

    def start(self) -> None:
        """Start the watch, and wait until it works."""
        logs = ["--log-dir", str(self.folder / "logs")]
        self.watch = subprocess.Popen(
            [*BOTPROBE, "watch", str(self.box.path), "--jsonl", *self.options, *logs],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if not wait_until(lambda: heeds_reloads(self.watch), 20):
            raise SystemExit("wirerules: the watch did not start")

    def mails(self) -> None:
        """Deliver some mails."""
        for _ in range(self.chance.randint(5, 40)):
            self.box.deliver(self.mail())

    def mail(self) -> Path:
        """Write a mail that claims victims, and somebody who must not be asked."""
        victims = self.chance.choices(VICTIMS, k=2)
        claimed = [str(one[self.chance.randint(1, 60)]) for one in victims]
        claimed.insert(self.chance.randint(0, 2), self.chance.choice(NEVER))
        claimed = [f"IPv6:{ip}" if ":" in ip else ip for ip in claimed]
        return self.box.prepare(str(SENDERS[self.chance.randint(1, 3)]), claimed)

    def kill(self) -> None:
        """Kill the watch, and start it again."""
        assert self.watch is not None
        assert self.watch.poll() is None
        self.watch.kill()
        self.watch.wait()
        self.start()

    def end(self) -> None:
        """End the watch at once, and start it again."""
        assert self.watch is not None
        assert self.watch.poll() is None
        stop_at_once(self.watch)
        self.start()

    def reload(self) -> None:
        """Change the caps while it runs."""
        assert self.watch is not None
        per_hour = self.chance.randint(self.per_hour // 2, self.per_hour)
        self.settings(self.chance.randint(3, PER_NETWORK), per_hour)
        self.watch.send_signal(signal.SIGHUP)

    def leave(self) -> None:
        """Let a victim opt out."""
        network = self.chance.choice(VICTIMS)
        arguments = ("optout", "add", str(network), "--contact", "noc@victim.example")
        subprocess.run(
            [*BOTPROBE, *arguments, *self.options[:2]], check=True, stdout=subprocess.DEVNULL
        )
        moment = (self.folder / "optout").stat().st_mtime
        self.closed.append(Closed(network, moment + SOON))

    def halt(self) -> None:
        """Stop all probing for a while."""
        stop = self.folder / "stop"
        stop.touch()
        self._hold(stop.stat().st_mtime)
        stop.unlink()

    def damage(self) -> None:
        """Put a typing error into the opt-out file, and mend it."""
        optout = self.folder / "optout"
        good = optout.read_text()
        optout.write_text(f"{good}198.18.999.0/24\n")
        self._hold(optout.stat().st_mtime)
        new = self.folder / "optout.new"
        new.write_text(good)
        new.replace(optout)

    def _hold(self, since: float) -> None:
        time.sleep(HELD)
        self.closed.append(Closed(None, since + SOON, time.time()))

    def scan(self) -> None:
        """Scan some mails on the same store."""
        files = [str(self.mail()) for _ in range(12)]
        logs = ["--log-dir", str(self.folder / "logs")]
        quiet = subprocess.DEVNULL
        command = [*BOTPROBE, "scan", *files, "--json", *self.options, *logs]
        self.scans.append(subprocess.Popen(command, stdout=quiet, stderr=quiet))


def heeds_reloads(process: subprocess.Popen[bytes] | None) -> bool:
    """Say whether a process catches SIGHUP by now; before, it would end it."""
    if process is None or process.poll() is not None:
        return False
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGHUP - 1) & 1)


BOTPROBE = (sys.executable, "-m", "botprobe")


@contextmanager
def trial(folder: Path, seed: int) -> Iterator[Trial]:
    """Prepare a sequence, and end whatever it started."""
    folder.mkdir()
    per_hour = PER_HOUR[seed % len(PER_HOUR)]
    made = Trial(folder, random.Random(seed), Box(folder / "box"), per_hour)
    made.settings(PER_NETWORK, per_hour)
    (folder / "optout").write_text(f"{OPTED_OUT} 2026-11-26 noc@victim.example\n")
    try:
        yield made
    finally:
        for process in (made.watch, *made.scans):
            if process is not None and process.poll() is None:
                stop_at_once(process)


def run(folder: Path, seed: int) -> dict[str, object]:
    """Run the steps in an order that the seed gives, and hold the wire against the rules."""
    with trial(folder, seed) as made, Wiretap() as wire:
        steps = ["mails", *made.chance.sample(STEPS, len(STEPS))]
        made.start()
        for step in steps:
            getattr(made, step)()
            time.sleep(made.chance.uniform(0.2, 1.5))
        for scan in made.scans:
            wait_until(lambda scan=scan: scan.poll() is not None, 40)  # type: ignore[misc]  # a bound default
        assert made.watch is not None
        alive = made.watch.poll() is None
        stop_at_once(made.watch)
        sent = wire.sent()
    ledgers = [audit(made.options, network) for network in ("198.18.0.0/15", "2001:db8::/32")]
    granted = Counter(row["to"] for ledger in ledgers for row in ledger["granted"])
    reasons = sorted({why.partition(":")[0] for one in ledgers for why in one["refused"]})
    reached = {ip: times for ip, times in sent.items() if is_target(ip)}
    return {
        "seed": seed,
        "steps": steps,
        "alive": alive,
        "reached": len(reached),
        "granted": granted.total(),
        "reasons": reasons,
        "broken": list(broken(reached, granted, made.closed, made.per_hour)),
    }


def is_target(ip: str) -> bool:
    """Say whether packets to an address can only be probes: not to canary, resolver, neighbours."""
    address = ip_address(ip)
    own = ip in {"198.18.4.26", "198.19.0.53"} or address.is_multicast or address.is_link_local
    return not own and address not in ip_network("198.19.0.0/24")


def broken(
    reached: dict[str, list[float]], granted: Counter[str], closed: Sequence[Closed], per_hour: int
) -> Iterator[str]:
    """Say what the packets on the wire should not have done."""
    yield from (f"{ip} must never be asked" for ip in NEVER if ip in reached or granted[ip])
    yield from (f"{ip} was asked without a grant" for ip in reached if ip not in granted)
    yield from (
        f"{ip} was sent something {moment - one.start:.2f} s after {one.network or 'all'} closed"
        for ip, times in reached.items()
        for moment in times
        for one in closed
        if one.forbids(ip, moment)
    )
    networks = Counter[str]()
    for ip, count in granted.items():
        networks[str(surrounding(ip_address(ip)))] += count
    yield from (f"{one}: {n} granted" for one, n in networks.items() if n > PER_NETWORK)
    hosts = Counter(str(surrounding(ip_address(ip))) for ip in reached)
    yield from (f"{one}: {n} hosts asked" for one, n in hosts.items() if n > PER_NETWORK)
    if max(granted.total(), len(reached)) > per_hour:
        yield f"{granted.total()} granted and {len(reached)} hosts asked within an hour"


def main() -> None:
    """Run in the laboratory only."""
    namespace.require_lab()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+")
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps([run(Path(name) / str(seed), seed) for seed in seeds], indent=1))


if __name__ == "__main__":
    main()
