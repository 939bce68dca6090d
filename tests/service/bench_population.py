"""Who is investigated in ``scripts/bench-watch``: a thousand hosts as spam shows them.

One in eight answers on some port, most show nothing at all, some are gone, and some are tarpits.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from botprobe.classify.oscatalog import OsRole, match_role
from tests.classify.osdb import installed_database, read_entries
from tests.lab.population import Host, PortState

RESPONSIVE, FILTERED, DEAD, TARPITS = 0.12, 0.45, 0.38, 0.05
BOT = "bot"

_FIRST = IPv4Address("198.18.128.1")
_WINDOWS_PORTS, _OTHER_PORTS = (135, 139, 445, 3389), (21, 22, 80, 443)
_WANTED = (OsRole.CLIENT, OsRole.CLIENT, OsRole.SERVER, OsRole.OTHER)
# As nmap 7.93 and 7.95 call it.
_HELD = ("Linux 5.0 - 5.4", "Linux 5.0 - 5.14")


def draw(count: int, seed: int) -> list[Host]:
    """Draw hosts in random order; ``truth`` says which are bots: client Windows without mail."""
    chance = random.Random(seed)
    names = _names()
    kinds = [
        *["responsive"] * int(count * RESPONSIVE),
        *["filtered"] * int(count * FILTERED),
        *["tarpit"] * int(count * TARPITS),
    ]
    kinds += ["dead"] * (count - len(kinds))
    chance.shuffle(kinds)
    return [_host(number, kind, names, chance) for number, kind in enumerate(kinds)]


def kind_of(host: Host) -> str:
    """Return what was drawn for a host."""
    return host.note


def as_toml(hosts: Sequence[Host]) -> str:
    """Write a population file with the canary of the benchmark."""
    canary = Host(
        name="canary",
        addresses=(IPv4Address("198.18.4.26"),),
        persona=_HELD,
        ping=True,
        open=frozenset((25,)),
        note="canary",
    )
    tables = []
    for host in (canary, *hosts):
        fields = {
            "name": host.name,
            "address": str(host.addresses[0]),
            "persona": host.persona,
            "ping": host.ping,
            "open": sorted(host.open),
            "default": str(host.default),
            "hops": host.hops,
            "delay_ms": host.delay_ms,
            "note": host.note,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
        if host.services:
            services = ", ".join(f'{port} = "{name}"' for port, name in host.services.items())
            lines.append(f"services = {{ {services} }}")
        tables.append("\n".join(("[[host]]", *lines)))
    return "\n\n".join(tables)


def _names() -> dict[OsRole, list[str]]:
    """Sort the entries of nmap's database by role."""
    path = installed_database()
    if path is None:
        raise OSError("no nmap-os-db here")
    names: dict[OsRole, list[str]] = {role: [] for role in OsRole}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for entry in read_entries(lines):
            role = match_role(entry)
            if role is not None:
                names[role].append(entry.name)
    return names


def _host(number: int, kind: str, names: dict[OsRole, list[str]], chance: random.Random) -> Host:
    host = Host(
        name=f"bench-{number}",
        addresses=(_FIRST + number + 2 * (number // 250),),
        persona=(chance.choice(names[OsRole.OTHER]),),
        default=PortState.FILTERED,
        hops=chance.randint(4, 16),
        delay_ms=chance.randint(5, 60),
        note=kind,
    )
    match kind:
        case "responsive":
            return _responsive(host, names, chance)
        case "filtered":
            return replace(host, ping=chance.random() < 0.5)
        case "tarpit":
            services = {25: "smtp-tarpit"}
            return replace(host, ping=True, open=frozenset((25,)), services=services)
        case _:
            return host


def _responsive(host: Host, names: dict[OsRole, list[str]], chance: random.Random) -> Host:
    role = chance.choice(_WANTED)
    ports = _OTHER_PORTS if role is OsRole.OTHER else _WINDOWS_PORTS
    open_ports = frozenset(chance.sample(ports, chance.randint(1, 3)))
    if role is not OsRole.CLIENT:
        open_ports |= {25} if chance.random() < 0.5 else set()
    return replace(
        host,
        persona=(chance.choice(names[role]),),
        ping=True,
        open=open_ports,
        default=PortState.CLOSED,
        truth=BOT if role is OsRole.CLIENT else "other",
    )
