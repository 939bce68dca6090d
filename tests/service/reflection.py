"""A campaign whose mails all claim one victim's network, inside the laboratory.

A watch takes them, is killed, reloaded and started again, while a scan of the same mails runs
beside it on the same store. Prints as JSON whom packets reached, and what the audit log says.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from tests.lab import namespace
from tests.service.bench_watch import SETTINGS, Box
from tests.service.labwatch import stop_at_once, wait_until
from tests.service.wiretap import Wiretap

VICTIM = ip_network("198.18.200.0/24")
LEFT_ALONE = ip_network("198.18.201.0/24")
"""A second victim, which opted out."""
SENDERS = [f"198.18.210.{host}" for host in range(1, 9)]
HANDFUL = 6


def settings(folder: Path) -> Path:
    """Write settings that allow a handful of probes a network, and an opt-out."""
    (folder / "optout").write_text(f"{LEFT_ALONE} 2026-11-26 noc@victim.example asked\n")
    path = folder / "botprobe.toml"
    text = SETTINGS.replace("_per_day = 100000", f"_per_day = {HANDFUL}")
    # Stricter than any campaign: nobody waits long for hosts that are not there.
    path.write_text(
        text.replace("[scope]", f"[scope]\noptout = '{folder / 'optout'}'").replace(
            "[smtp]", "[smtp]\nconnect_timeout = 2"
        )
    )
    return path


def campaign(box: Box, mails: int) -> list[Path]:
    """Write mails that claim all addresses of the two networks in turn."""
    made = []
    for number in range(mails):
        claimed = [str(net[1 + number % 254]) for net in (VICTIM, LEFT_ALONE)]
        made.append(box.prepare(SENDERS[number % len(SENDERS)], claimed))
    return made


def botprobe(*arguments: str) -> list[str]:
    """Return a command line."""
    return [sys.executable, "-m", "botprobe", *arguments]


def audit(options: list[str], network: object) -> Any:
    """Return what the audit log says of a network."""
    done = subprocess.run(
        botprobe("audit", "--target", str(network), "--json", *options),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def decided(options: list[str]) -> int:
    """Count the addresses of the victim that were asked or refused so far."""
    said = audit(options, VICTIM)
    return len(said["granted"]) + sum(map(int, said["refused"].values()))


def run(folder: Path, mails: int) -> dict[str, Any]:
    """Run the campaign, and return what was seen."""
    options = ["-c", str(settings(folder)), "--store", str(folder / "cases.sqlite")]
    logs = ["--log-dir", str(folder / "hosts")]
    box = Box(folder / "box")
    for mail in campaign(box, mails):
        box.deliver(mail)
    watching = botprobe("watch", str(box.path), "--jsonl", *options, *logs)
    few = sorted(str(path) for path in (box.path / "new").iterdir())[:200]
    scanning = botprobe("scan", *few, "--json", *options, *logs)
    with Wiretap() as wire:
        first = subprocess.Popen(watching, stdout=subprocess.DEVNULL)
        time.sleep(4)
        first.kill()
        first.wait()
        second = subprocess.Popen(watching, stdout=subprocess.DEVNULL)
        beside = subprocess.Popen(scanning, stdout=subprocess.DEVNULL)
        time.sleep(1)
        second.send_signal(signal.SIGHUP)
        beside.wait(120)
        done = wait_until(lambda: decided(options) >= len(list(VICTIM.hosts())), 120)
        stop_at_once(second)
        reached = wire.stop()
    found: dict[str, Any] = {"all decided": done, "mails": mails}
    for name, network in (("victim", VICTIM), ("left alone", LEFT_ALONE)):
        said = audit(options, network)
        found[name] = {
            "reached": sorted(ip for ip in reached if ip_address(ip) in network),
            "granted": sorted(row["to"] for row in said["granted"]),
            "rules": sorted({row["rule"] for row in said["granted"]}),
            "mails": sum(bool(row["mails"]) for row in said["granted"]),
            "refused": said["refused"],
        }
    return found


def main() -> None:
    """Run in the laboratory only."""
    namespace.require_lab()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(run(Path(name), parser.parse_args().mails), indent=1))


if __name__ == "__main__":
    main()
