"""A crowd written down: the laboratory's population, a Maildir, settings, and who is what.

``python -m tests.lab.crowdfiles --hosts 2000 --seed 1 FOLDER``; the folder must be new or empty.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from ipaddress import IPv4Address
from pathlib import Path

from tests.lab import osdb
from tests.lab.crowd import Catalogue, Dealer, Member
from tests.lab.population import Host

CANARIES = (IPv4Address("198.18.4.25"), IPv4Address("198.18.4.26"))
ZONE = "dnsbl.example"

_SETTINGS = f"""\
[trust]
trusted_networks = ["198.18.0.0/24"]
internal_networks = ["198.18.0.0/24"]
own_hosts = [".trap.example"]
[scope]
hops = "all"
allow = ["198.18.0.0/15"]
own_networks = ["198.18.0.0/24"]
max_probes_per_network_per_day = 1000
concurrency_per_network = 1000
max_probes_per_hour = 100000
max_probes_per_day = 100000
[smtp]
helo_name = "probe.trap.example"
[canary]
hosts = ["{CANARIES[0]}", "{CANARIES[1]}"]
[dns]
nameservers = ["198.19.0.53"]
[dnsbl]
zones = ["{ZONE}"]
[dnsbl.meanings."{ZONE}"]
"127.0.0.2" = "spam-source"
"127.0.0.4" = "exploited"
"127.0.0.10" = "policy"
"""

_LAB = f"""\
[lab]
dnsbl_zone = "{ZONE}"
canaries = ["{CANARIES[0]}", "{CANARIES[1]}"]
"""

_CANARY = """\
[[host]]
name = "canary-{number}"
address = "{address}"
ping = true
open = [25]
"""


def write_crowd(folder: Path, members: Sequence[Member], now: datetime) -> None:
    """Write everything that a scan of the crowd needs, and the truth beside it."""
    for name in ("new", "cur", "tmp"):
        (folder / "maildir" / name).mkdir(parents=True)
    canaries = (
        _CANARY.format(number=number, address=address) for number, address in enumerate(CANARIES)
    )
    hosts = (_toml(member.host) for member in members)
    (folder / "population.toml").write_text("".join((_LAB, *canaries, *hosts)), "utf-8")
    (folder / "botprobe.toml").write_text(_SETTINGS, "ascii")
    for number, member in enumerate(members):
        path = folder / "maildir" / "new" / f"{int(now.timestamp())}.{number:05}.trap"
        path.write_text(mail(member, number, now), "utf-8")
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("ip", "truth", "bot", "detectable"))
        for member in members:
            yes = {True: "yes", False: "no"}
            row = (member.address, member.truth, yes[member.is_bot], yes[member.detectable])
            table.writerow(row)


def mail(member: Member, number: int, now: datetime) -> str:
    """Return the mail that the member handed over, as a Postfix of the trap wrote it down."""
    host, date = member.host, format_datetime(now)
    confirmed = host.ptr if host.ptr and host.forward else "unknown"
    login = f" (Authenticated sender: {member.auth})" if member.auth else ""
    protocol = "ESMTPSA" if member.auth else "ESMTP"
    received = (
        f"Received: from {member.helo} ({confirmed} [{member.address}]){login}"
        f" by mx.trap.example (Postfix) with {protocol} id {number:08X}"
        f" for <seed@trap.example>; {date}"
    )
    fields = [received]
    if member.claimed:
        relay = CANARIES[0]
        fields.insert(
            0,
            f"Received: from relay.monitor.example (unknown [{relay}]) by mx.trap.example"
            f" (Postfix) with ESMTP id F{number:07X} for <seed@trap.example>; {date}",
        )
        fields[1] = fields[1].replace("mx.trap.example", "relay.monitor.example")
    fields += [
        f"From: <sender{number}@{host.name}.example>",
        "To: <seed@trap.example>",
        f"Message-ID: <{number}@{host.name}.example>",
        f"Date: {date}",
    ]
    return "\n".join([*fields, "", "Buy now.", ""])


def _toml(host: Host) -> str:
    """Write a host; JSON texts, numbers and lists are TOML, too."""
    values: dict[str, object] = {
        "name": host.name,
        "address": str(host.addresses[0]),
        "persona": list(host.persona),
        "ping": host.ping,
        "open": sorted(host.open),
        "default": str(host.default),
        "forwarded": sorted(host.forwarded),
        "hops": host.hops,
        "delay_ms": host.delay_ms,
        "jitter_ms": host.jitter_ms,
        "loss": host.loss,
        "ptr": host.ptr or "",
        "forward": host.forward,
        "mx": list(host.mx),
        "dnsbl": list(map(str, host.dnsbl)),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    services = (f"{port} = {json.dumps(name)}" for port, name in sorted(host.services.items()))
    return "\n".join(("[[host]]", *lines, f"services = {{ {', '.join(services)} }}", ""))


def main(arguments: Iterable[str]) -> int:
    """Draw a crowd and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hosts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(list(arguments))
    dealer = Dealer(Catalogue.of(osdb.load()), options.seed)
    write_crowd(options.folder, dealer.deal(options.hosts), datetime.now(UTC))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
