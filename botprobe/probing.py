"""Which probes there are, made from the settings: what is asked of a host, and by which means."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from secrets import token_hex

from botprobe.classify.editions import DIRECTORY_PORTS
from botprobe.config import addresses
from botprobe.errors import ConfigError, InputError
from botprobe.mmdb import MmdbFile, open_mmdb
from botprobe.model.mail import IpAddress
from botprobe.model.target import Target
from botprobe.observers.p0f import P0fObserver
from botprobe.pipeline import Account, Probes
from botprobe.probes.base import NO_GAUGES, Gauges, Permission
from botprobe.probes.canary import Canary, GuardedSmtpProbe
from botprobe.probes.dns import DnsProbe
from botprobe.probes.dnsbl import DnsblProbe
from botprobe.probes.network import NetworkProbe
from botprobe.probes.origin import OriginLookup
from botprobe.probes.osdetect import PORTS, OsEngine, OsProbe
from botprobe.probes.ping import PingProbe
from botprobe.probes.proxy import Listener, ProxyProbe
from botprobe.probes.resolver import Nameservers
from botprobe.probes.smtp import SmtpProbe
from botprobe.probes.windows import WindowsFollowUp
from botprobe.scope.addresses import Scope
from botprobe.scope.origins import OriginOf
from botprobe.settings import Settings

MAX_PORT = 65_535

# Documentation addresses: the way to them is that to everybody, and nothing is sent.
_SOMEWHERE = ("192.0.2.1", "2001:db8::1")


@asynccontextmanager
async def open_probes(
    settings: Settings, scope: Permission, listener: Listener | None, gauges: Gauges = NO_GAUGES
) -> AsyncIterator[Probes]:
    """Make all probes that the settings ask for, and start what they need.

    Args:
        settings: which probes, and how they ask.
        scope: who may be asked.
        listener: as ``open_listener`` gave it.
        gauges: who is told how canaries and block lists fare.

    Raises:
        ConfigError: a setting is wrong.
    """
    nameservers = nameservers_of(settings)
    smtp = smtp_of(settings, scope, gauges)
    dnsbl, p0f = dnsbl_of(settings, scope, gauges), settings.passive.p0f
    if listener is not None and settings.proxy.check:
        proxy = ProxyProbe(permission=scope, listener=listener)
    else:
        proxy = None
    network = _network_probe(settings, scope)
    async with OsEngine(permission=scope, program=settings.nmap.program) as engine:
        yield Probes(
            ping=PingProbe(permission=scope),
            os=OsProbe(engine=engine),
            smtp=smtp,
            dns=DnsProbe(permission=scope, nameservers=nameservers),
            windows=WindowsFollowUp(permission=scope, program=settings.nmap.program),
            dnsbl=dnsbl if dnsbl.zones else None,
            proxy=proxy,
            passive=P0fObserver(socket=Path(p0f)) if p0f else None,
            network=network,
        )


@asynccontextmanager
async def open_listener(settings: Settings) -> AsyncIterator[Listener | None]:
    """Listen for what open proxies carry to us; None if nobody is checked for one.

    Probes may be made anew while former ones still ask, so they share the one listener.

    Raises:
        ConfigError: a setting is wrong, or nobody can listen there.
    """
    if settings.proxy.check:
        async with _listener(settings) as listener:
            yield listener
    else:
        yield None


def account_of(settings: Settings) -> Account:
    """Return what the audit log is told of us: who we are, and all that we may ask."""
    ports, directory = ", ".join(map(str, PORTS)), ", ".join(map(str, DIRECTORY_PORTS))
    asked = [
        "icmp: three echo requests",
        f"tcp {ports}: connections of nmap, and its probes for the operating system",
        "tcp 25: greeting, EHLO, QUIT",
        f"tcp of these, and {directory}, where Windows may be client or server: its version",
    ]
    if settings.proxy.check:
        asked.append("tcp, usual ports of proxies: a connection to our own listener")
    return Account(
        owner=f"{socket.gethostname()}:{os.getpid()}:{token_hex(3)}",
        asked=tuple(asked),
        source_of=_source_of,
    )


def own_addresses(settings: Settings) -> tuple[IpAddress, ...]:
    """Return the addresses that packets into the world leave from, IPv4 first.

    Raises:
        ConfigError: a setting is wrong.
    """
    if settings.identity.addresses:
        return addresses(settings.identity.addresses, "identity.addresses")
    sources = (_source_of(ip_address(somewhere)) for somewhere in _SOMEWHERE)
    return tuple(ip_address(source) for source in sources if source is not None)


def _source_of(address: IpAddress) -> str | None:
    """Return the address that packets leave from; to connect a UDP socket sends none."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        try:
            asker.connect((str(address), 9))
        except OSError:
            return None
        return str(asker.getsockname()[0])


def helo_name(settings: Settings) -> str:
    """Return the name that our EHLO gives."""
    return settings.smtp.helo_name or socket.gethostname()


def canary_of(settings: Settings, gauges: Gauges = NO_GAUGES) -> Canary:
    """Return the watch over our own way out on port 25.

    The operator named the canaries, so they may be asked even if they are our own.
    """
    hosts = addresses(settings.canary.hosts, "canary.hosts")
    scope = Scope(allow=tuple(ip_network(host) for host in hosts))
    return Canary(
        [Target(host) for host in hosts],
        _smtp_probe(settings, scope),
        max_age=settings.canary.every_seconds,
        gauges=gauges,
    )


def smtp_of(settings: Settings, scope: Permission, gauges: Gauges = NO_GAUGES) -> GuardedSmtpProbe:
    """Return the probe of port 25, which is silent while the canary is."""
    return GuardedSmtpProbe(probe=_smtp_probe(settings, scope), canary=canary_of(settings, gauges))


def nameservers_of(settings: Settings) -> Nameservers:
    """Return the resolvers that may be asked.

    Raises:
        ConfigError: one is no address.
    """
    return Nameservers(
        addresses=addresses(settings.dns.nameservers, "dns.nameservers"),
        timeout=settings.dns.timeout,
    )


def dnsbl_of(settings: Settings, scope: Permission, gauges: Gauges = NO_GAUGES) -> DnsblProbe:
    """Return the probe of the block lists that the operator names; none may be."""
    return DnsblProbe(
        permission=scope,
        zones=settings.dnsbl.zones,
        nameservers=nameservers_of(settings),
        gauges=gauges,
    )


def origin_of(settings: Settings) -> OriginOf:
    """Return what finds out whose an address is, before anything is sent to it.

    Raises:
        ConfigError: an MMDB file cannot be read.
    """
    return OriginLookup(nameservers=nameservers_of(settings), files=_mmdb_files(settings)).look_up


def _network_probe(settings: Settings, scope: Permission) -> NetworkProbe | None:
    table = settings.network
    if not table.cymru and not table.mmdb:
        return None
    nameservers = nameservers_of(settings) if table.cymru else None
    return NetworkProbe(permission=scope, files=_mmdb_files(settings), nameservers=nameservers)


def _mmdb_files(settings: Settings) -> tuple[MmdbFile, ...]:
    try:
        return tuple(open_mmdb(Path(name).expanduser()) for name in settings.network.mmdb)
    except InputError as error:
        raise ConfigError(f"network.mmdb: {error}") from error


def _smtp_probe(settings: Settings, scope: Permission) -> SmtpProbe:
    return SmtpProbe(
        permission=scope,
        helo_name=helo_name(settings),
        connect_timeout=settings.smtp.connect_timeout,
        session_timeout=settings.smtp.session_timeout,
    )


def _listener(settings: Settings) -> Listener:
    host, _, port = (settings.proxy.listen or "").rpartition(":")
    if not host or not port.isdecimal() or int(port) > MAX_PORT:
        raise ConfigError("proxy.listen: the check needs a listener of our own, ADDRESS:PORT")
    (address,) = addresses((host,), "proxy.listen")
    return Listener(address, int(port))
