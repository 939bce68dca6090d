"""Who lives in the laboratory: hosts with addresses, stacks, ports, services, names and labels.

Read from ``population.toml`` or drawn at random from nmap's database. An address outside of the
laboratory's ranges is an error, so that no population can ever point at a stranger.
"""

import random
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any, TypeVar

RANGES: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("198.18.0.0/15"),  # RFC 2544: benchmarks
    IPv6Network("2001:db8::/32"),  # RFC 3849: documentation
)
"""The only addresses that exist in the laboratory."""

CABLES: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("198.18.0.0/30"),
    IPv4Network("198.19.255.0/30"),
    IPv6Network("2001:db8::/126"),
    IPv6Network("2001:db8:ffff::/126"),
)
"""The ends of the laboratory's own cables: scanner to hosts, scanner to the real servers."""

DEFAULT_FILE = Path(__file__).with_name("population.toml")

# 198.18.0.0/17 stays free for the hosts of population.toml; 32,000 random ones fit above it.
_FIRST_RANDOM = IPv4Address("198.18.128.1")
MAX_RANDOM = 32_000

# What a random host lets be seen: ports that a bot, a server and a printer have open.
_RANDOM_OPEN_PORTS = (22, 25, 80, 135, 139, 443, 445, 3389)


_HOST_NAME = re.compile(r"[A-Za-z0-9.-]+")

_DNS = IPv4Address("198.19.0.53")

_T = TypeVar("_T")


class PopulationError(Exception):
    """The population cannot be read, or contradicts itself."""


class PortState(StrEnum):
    """What a port does: `open` answers, `closed` refuses, `filtered` says nothing."""

    CLOSED = "closed"
    FILTERED = "filtered"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One inhabitant."""

    name: str
    addresses: tuple[IPv4Address | IPv6Address, ...]
    persona: tuple[str, ...] = ()
    """Names of nmap-os-db entries; the first one that the installed database has is used."""
    ping: bool = False
    open: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()
    default: PortState = PortState.CLOSED
    services: Mapping[int, str] = field(default_factory=dict)
    """Port to name in ``services.SERVICES``."""
    forwarded: frozenset[int] = frozenset()
    """Open ports that are passed on to a Windows behind the host: only its TTL shows."""
    hops: int = 1
    """Distance as nmap counts it: 1 is a neighbour."""
    delay_ms: float = 0
    jitter_ms: float = 0
    loss: float = 0
    """Share of packets lost, 0 to 1, on the way there and again on the way back."""
    ptr: str | None = None
    forward: bool = False
    """Whether ``ptr`` leads back to the addresses."""
    mx: tuple[str, ...] = ()
    """Domains whose mail exchanger is ``ptr``."""
    dnsbl: tuple[IPv4Address, ...] = ()
    """Answers of the laboratory's DNSBL about the host."""
    real: str | None = None
    """``postfix`` or ``proxy``: a real server on a real Linux has the addresses, no persona."""
    label: str | None = None
    """The verdict that botprobe should reach."""
    truth: str | None = None
    """What the host is, whatever can be seen of it."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for the whole laboratory."""

    dns: IPv4Address = _DNS
    dnsbl_zone: str = "dnsbl.example"
    canaries: tuple[IPv4Address | IPv6Address, ...] = ()
    """Mail servers that are known to answer on port 25."""


@dataclass(frozen=True, slots=True)
class Population:
    """The hosts, and what holds for all of them."""

    settings: Settings
    hosts: tuple[Host, ...]

    def with_hosts(self, more: Iterable[Host]) -> "Population":
        """Return the population with ``more`` hosts, raising ``PopulationError`` on a clash."""
        together = Population(self.settings, (*self.hosts, *more))
        _check(together)
        return together


def load(path: Path = DEFAULT_FILE) -> Population:
    """Read a population file, raising ``PopulationError`` on one that makes no sense."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PopulationError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise PopulationError(f"{path}: {error}") from error
    try:
        return parse(document)
    except PopulationError as error:
        raise PopulationError(f"{path}: {error}") from error


def parse(document: Mapping[str, Any]) -> Population:
    """Make a population of a decoded TOML document."""
    if unknown := document.keys() - {"lab", "host"}:
        raise PopulationError(f"unknown table {min(unknown)!r}")
    settings = _settings(document.get("lab", {}))
    tables = document.get("host", [])
    if not isinstance(tables, list):
        raise PopulationError("hosts are written as [[host]]")
    population = Population(settings, tuple(_host(table) for table in tables))
    _check(population)
    return population


def draw(count: int, entries: Sequence[str], seed: int, *, rough: bool = False) -> tuple[Host, ...]:
    """Draw ``count`` hosts whose stacks are random ``entries`` of nmap's database.

    The same seed and entries give the same hosts. Each has one to three open ports, answers to
    ping, and stands 1 to 20 hops away; in ``rough`` country its answers take 60 to 100 ms, and two
    packets of a hundred are lost.
    """
    if not 0 <= count <= MAX_RANDOM:
        raise PopulationError(f"cannot draw {count} hosts: 0 to {MAX_RANDOM} fit")
    if count and not entries:
        raise PopulationError("nmap's database has no entries to draw from")
    chance = random.Random(seed)
    return tuple(
        Host(
            name=f"random-{number}",
            addresses=(_FIRST_RANDOM + number,),
            persona=(chance.choice(entries),),
            ping=True,
            open=frozenset(chance.sample(_RANDOM_OPEN_PORTS, chance.randint(1, 3))),
            hops=chance.randint(1, 20),
            delay_ms=80 if rough else 0,
            jitter_ms=20 if rough else 0,
            loss=0.01 if rough else 0,  # twice: on the way there and on the way back
        )
        for number in range(count)
    )


def _settings(table: object) -> Settings:
    fields = _Fields(table, "[lab]")
    usual = Settings()
    try:
        settings = Settings(
            dns=IPv4Address(fields.take("dns", str(usual.dns))),
            dnsbl_zone=fields.take("dnsbl_zone", usual.dnsbl_zone),
            canaries=tuple(ip_address(text) for text in fields.many("canaries", str)),
        )
    except ValueError as error:
        raise PopulationError(f"[lab]: {error}") from error
    fields.done()
    if not any(settings.dns in network for network in RANGES):
        raise PopulationError(f"[lab]: dns: {settings.dns} is not of the laboratory")
    return settings


def _host(table: object) -> Host:
    fields = _Fields(table, "a host")
    name = fields.take("name", "")
    if not name:
        raise PopulationError("a host without a name")
    fields.where = f"host {name}"
    address = fields.take("address", "")
    try:
        host = Host(
            name=name,
            addresses=tuple(
                ip_address(text)
                for text in ([address] if address else fields.many("addresses", str))
            ),
            persona=tuple(fields.many("persona", str)),
            ping=fields.take("ping", default=False),
            open=frozenset(fields.many("open", int)),
            closed=frozenset(fields.many("closed", int)),
            default=PortState(fields.take("default", "closed")),
            services=fields.services(),
            forwarded=frozenset(fields.many("forwarded", int)),
            hops=fields.take("hops", 1),
            delay_ms=fields.number("delay_ms"),
            jitter_ms=fields.number("jitter_ms"),
            loss=fields.number("loss"),
            ptr=fields.take("ptr", "") or None,
            forward=fields.take("forward", default=False),
            mx=tuple(fields.many("mx", str)),
            dnsbl=tuple(IPv4Address(text) for text in fields.many("dnsbl", str)),
            real=fields.take("real", "") or None,
            label=fields.take("label", "") or None,
            truth=fields.take("truth", "") or None,
            note=fields.take("note", ""),
        )
    except ValueError as error:
        raise PopulationError(f"{fields.where}: {error}") from error
    fields.done()
    return host


class _Fields:
    """The fields of one table, taken out one by one so that what is left over is unknown."""

    def __init__(self, table: object, where: str) -> None:
        if not isinstance(table, dict):
            raise PopulationError(f"{where} is not a table")
        self._left: dict[str, object] = dict(table)
        self.where = where

    def take(self, name: str, default: _T) -> _T:
        """Return a field, which has to be of its default's type."""
        value = self._left.pop(name, default)
        # Compared exactly: a bool is an int to Python, but "hops = true" is a mistake.
        if type(value) is not type(default):
            raise PopulationError(f"{self.where}: {name} is not of type {type(default).__name__}")
        return value

    def number(self, name: str) -> float:
        value = self._left.pop(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PopulationError(f"{self.where}: {name} is not a number")
        return value

    def many(self, name: str, kind: type[_T]) -> list[_T]:
        values: list[_T] = self.take(name, [])
        if any(type(value) is not kind for value in values):
            raise PopulationError(f"{self.where}: {name} holds more than {kind.__name__} values")
        return values

    def services(self) -> dict[int, str]:
        """Return the services by port; TOML has only texts for keys."""
        nothing: dict[str, str] = {}
        table = self.take("services", nothing)
        if any(not isinstance(service, str) for service in table.values()):
            raise PopulationError(f"{self.where}: a service is given by its name")
        return {int(port): service for port, service in table.items()}

    def done(self) -> None:
        if self._left:
            raise PopulationError(f"{self.where}: unknown field {min(self._left)!r}")


def _check(population: Population) -> None:
    names: set[str] = set()
    owners: dict[IPv4Address | IPv6Address, str] = {population.settings.dns: "the DNS server"}
    for host in population.hosts:
        _check_host(host)
        if host.name in names:
            raise PopulationError(f"two hosts are called {host.name}")
        names.add(host.name)
        for address in host.addresses:
            if address in owners:
                raise PopulationError(
                    f"{host.name} has the address of {owners[address]}: {address}"
                )
            owners[address] = host.name


def _check_host(host: Host) -> None:
    def demand(condition: object, complaint: str) -> None:
        if not condition:
            raise PopulationError(f"host {host.name}: {complaint}")

    demand(host.addresses, "no address")
    for address in host.addresses:
        demand(any(address in network for network in RANGES), f"{address} is not of the laboratory")
        demand(not any(address in cable for cable in CABLES), f"{address} is a cable's")
    demand(not host.open & host.closed, "a port is both open and closed")
    for port in host.open | host.closed:
        demand(0 < port < 65_536, f"no such port: {port}")
    demand(host.services.keys() <= host.open, "a service on a port that is not open")
    demand(host.forwarded <= host.open, "a port that is forwarded and not open")
    demand(1 <= host.hops <= 30, "hops are 1 to 30")
    demand(0 <= host.loss < 1, "loss is a share from 0 to below 1")
    demand(
        0 <= host.jitter_ms <= host.delay_ms < 60_000,
        "delay_ms: below 60000 and not below jitter_ms",
    )
    demand(host.ptr or not (host.forward or host.mx), "forward and mx need a ptr")
    demand(host.real in (None, "postfix", "proxy"), f"no real server called {host.real!r}")
    demand(not host.real or _HOST_NAME.fullmatch(host.ptr or host.name), "no name for a server")
