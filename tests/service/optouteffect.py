"""How soon nobody is asked any more who opts out: ``scan`` and ``watch``, inside the laboratory.

All hosts are tarpits that say one letter a second, so that packets go to each of them all the time.
Three networks opt out one after the other, by CIDR, by domain and by AS; a fourth does not. Prints
as JSON how many seconds after the line was in the file the last packet went to each.
"""

import json
import subprocess
import sys
import tempfile
import time
from ipaddress import IPv4Network
from pathlib import Path

from tests.lab import namespace
from tests.service.bench_watch import SETTINGS, Box
from tests.service.labwatch import stop_at_once
from tests.service.wiretap import Wiretap
from tests.test_mmdb import mmdb

HOSTS = 10
LEAVERS = {
    "198.18.80.0/24": IPv4Network("198.18.80.0/24"),
    "leaver.example": IPv4Network("198.18.81.0/24"),
    "AS64500": IPv4Network("198.18.82.0/24"),
}
STAYS = IPv4Network("198.18.83.0/24")
NETWORKS = (*LEAVERS.values(), STAYS)
# Seconds until all are being asked, between two that opt out, and of a tarpit's session.
BEFORE, BETWEEN, SESSION = 5, 3, 14


def population() -> str:
    """Write the tarpits and the canary; nothing but a name tells the second network."""
    hosts = [("canary", "198.18.4.26", "smtp", "mx.canary.example")]
    for network in NETWORKS:
        domain = "leaver.example" if network == LEAVERS["leaver.example"] else "other.example"
        for ip in list(network.hosts())[:HOSTS]:
            name = str(ip).replace(".", "-")
            hosts.append((name, str(ip), "smtp-tarpit", f"dsl-{name}.{domain}"))
    tables = [
        f"[[host]]\nname = '{name}'\naddress = '{ip}'\npersona = ['Linux 2.6.18']\nping = true\n"
        f"open = [25]\nptr = '{ptr}'\nservices = {{ 25 = '{service}' }}\n"
        for name, ip, service, ptr in hosts
    ]
    return "[lab]\ncanaries = ['198.18.4.26']\n" + "\n".join(tables)


def settings(folder: Path) -> Path:
    """Write settings under which half of the hosts wait while the others are asked."""
    asns = mmdb(folder / "asn.mmdb", {str(LEAVERS["AS64500"]): {"asn": "AS64500"}})
    path = folder / "botprobe.toml"
    text = SETTINGS.replace("[scope]", f"[scope]\nconcurrency = 20\noptout = '{folder / 'optout'}'")
    text = text.replace("concurrency = 1000", "concurrency = 20")
    path.write_text(
        text.replace("[smtp]", f"[network]\nmmdb = ['{asns}']\n[smtp]\nsession_timeout = {SESSION}")
    )
    return path


def opt_out(config: Path, who: str) -> float:
    """Write a line into the file, and return when it was there."""
    arguments = ("optout", "add", who, "--contact", "noc@leaver.example", "-c", str(config))
    subprocess.run(botprobe(*arguments), check=True, stdout=subprocess.DEVNULL)
    return (config.parent / "optout").stat().st_mtime


def botprobe(*arguments: str) -> list[str]:
    """Return a command line."""
    return [sys.executable, "-m", "botprobe", *arguments]


def run(folder: Path, command: str) -> dict[str, object]:
    """Run a command on mails from all hosts while three networks opt out."""
    folder.mkdir()
    config, box = settings(folder), Box(folder / "box")
    (folder / "optout").write_text("")
    for number in range(HOSTS):
        for network in NETWORKS:
            box.deliver(box.prepare(str(network[number + 1])))
    options = ["-c", str(config), "--store", str(folder / "s"), "--log-dir", str(folder / "logs")]
    with Wiretap() as wire:
        arguments = botprobe(command, str(box.path), "--jsonl", *options)
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        time.sleep(BEFORE)
        left = {}
        for who in LEAVERS:
            left[who] = opt_out(config, who)
            time.sleep(BETWEEN)
        if command == "watch":
            stop_at_once(process)
        process.wait(90)
        sent = wire.sent()
    return {
        "exit": process.returncode,
        **{who: seen(sent, network, left[who]) for who, network in LEAVERS.items()},
        "stays": seen(sent, STAYS, max(left.values())),
    }


def seen(sent: dict[str, list[float]], network: IPv4Network, moment: float) -> dict[str, float]:
    """Return how long after a moment packets went to a network, and to how many hosts before."""
    hosts = set(map(str, network.hosts()))
    there = [times for ip, times in sent.items() if ip in hosts]
    return {
        "hosts asked": len(there),
        "begun after": sum(times[0] > moment for times in there),
        "last packet after seconds": round(max(times[-1] for times in there) - moment, 3),
    }


def main() -> None:
    """Run in the laboratory only."""
    namespace.require_lab()
    with tempfile.TemporaryDirectory() as name:
        found = {command: run(Path(name) / command, command) for command in ("scan", "watch")}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
