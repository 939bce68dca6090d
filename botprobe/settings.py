"""The tables of the configuration file, each key with its default."""

import re
from typing import Literal

import msgspec

from botprobe.classify.listings import Listing

# What the address of a database begins with, as libpq has it.
SHARED = ("postgresql://", "postgres://")
_PASSWORD = re.compile(r"(?<=//)([^/?#:@]*):[^/?#]*@|(?<=[?&])(?:password|sslpassword)=[^&]*")


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""


class TrustTable(Table, frozen=True):
    """Who writes no forgeries, in SpamAssassin's words; a leading ``!`` excludes."""

    trusted_networks: tuple[str, ...] = ()
    internal_networks: tuple[str, ...] = ()
    msa_networks: tuple[str, ...] = ()
    own_hosts: tuple[str, ...] = ()


class ScopeTable(Table, frozen=True):
    """Who may be probed, and how often."""

    hops: str = "all"
    """``boundary``, ``all`` (boundary and claimed) or ``all,forged``."""
    allow: tuple[str, ...] = ()
    own_networks: tuple[str, ...] = ()
    optout: str | None = None
    max_targets_per_mail: int = 4
    cooldown_hours: float = 24
    max_probes_per_network_per_day: int = 32
    """Per /24 of IPv4 or /48 of IPv6."""
    max_probes_per_hour: int = 2_000
    max_probes_per_day: int = 20_000
    max_probes_total: int | None = None
    """Ever, by all who share the store; for a trap that is to end by itself."""
    concurrency: int = 200
    """Addresses that are investigated at the same time."""
    concurrency_per_network: int = 8
    """Of them, addresses of one /24 or /48: by a scan, and by all workers of a store together."""


class SmtpTable(Table, frozen=True):
    """The SMTP session on port 25."""

    helo_name: str | None = None
    """The name that our EHLO gives; without it the machine's host name."""
    connect_timeout: float = 10
    session_timeout: float = 75
    """Seconds for a whole session; a greeting may take 60 of them."""


class CanaryTable(Table, frozen=True):
    """Hosts that are known to answer on port 25: they prove that our way out is open."""

    hosts: tuple[str, ...] = ()
    """Addresses; several, of several operators."""
    every_seconds: float = 10
    """How long an answer is believed. Longer than ``smtp.connect_timeout`` it may be older than
    the silence of a host that it is to vouch for."""


class DnsTable(Table, frozen=True):
    """The resolver."""

    nameservers: tuple[str, ...] = ()
    """Addresses; without any, those of the system."""
    timeout: float = 5


class DnsblTable(Table, frozen=True):
    """DNS block lists; whoever is asked learns which addresses interest us."""

    zones: tuple[str, ...] = ()
    """Lists to ask, such as ``zen.spamhaus.org``; none without the operator's word."""
    meanings: dict[str, dict[str, Listing]] = {}
    """What the codes of further lists mean: zone, code or range of codes, meaning
    (``exploited``, ``policy`` or ``spam-source``)."""


class ProxyTable(Table, frozen=True):
    """The check for open proxies."""

    check: bool = False
    """Whether hosts are asked to connect to our own listener."""
    listen: str | None = None
    """Address and port of the listener, such as ``192.0.2.1:8025``; the Internet must reach it."""


class PassiveTable(Table, frozen=True):
    """What was seen without asking."""

    p0f: str | None = None
    """Socket of a p0f 3 that watches the traffic of our mail server."""


class NetworkTable(Table, frozen=True):
    """Whose network an address belongs to."""

    cymru: bool = False
    """Ask Team Cymru's DNS zones about each host; they learn which ones interest us."""
    mmdb: tuple[str, ...] = ()
    """MMDB files that tell network or country of an address; the first that knows it counts, and
    only what none knows is asked for."""


class NmapTable(Table, frozen=True):
    """OS detection."""

    program: str = "nmap"


class VerdictTable(Table, frozen=True):
    """How facts are judged."""

    lag_weakens: bool = True
    """Whether a probe long after the delivery says less about a dynamic address. Off for old
    mail whose hosts are known to be the same, as in a laboratory."""


class StoreTable(Table, frozen=True):
    """Where cases are kept; ``store = "…"`` is short for its path."""

    path: str | None = None
    """An SQLite file, or the ``postgresql://`` address of a database that machines share."""


class WorkerTable(Table, frozen=True):
    """A prober that shares its store with others."""

    vantage: str = ""
    """Where it looks from; without a name, the name of the machine."""
    concurrency: int = 200
    """Addresses that one worker investigates at the same time."""


class LogTable(Table, frozen=True):
    """The timestamped log of each address."""

    directory: str | None = None


class WatchTable(Table, frozen=True):
    """The watch over mailboxes."""

    mailboxes: tuple[str, ...] = ()
    """Maildirs, or directories into which mails are written."""
    after: str = "none"
    """What is done with a mail that was kept: ``none``, ``flag`` or ``move:FOLDER``."""
    again: tuple[str, ...] = ()
    """When to look again, counted from the first look: ``1h``, ``24h``, ``60d``."""
    concurrency: int = 500
    """Addresses that are investigated at the same time; tarpits hold their places for long."""
    fresh_minutes: float = 10
    """How long a mail counts as one that has just come, and goes before all others."""
    rescan_seconds: float = 30
    """Pause between two looks for mails that inotify did not tell of; NFS has only these."""
    drain_seconds: float = 30
    """How long hosts that are being asked may come to their end after SIGTERM."""
    stop_file: str | None = None
    """While this file exists, nobody is probed."""
    metrics: str | None = None
    """Address and port for Prometheus, such as ``127.0.0.1:9464``."""


class ReportTable(Table, frozen=True):
    """Weekly reports."""

    mmdb: str | None = None
    """An MMDB file that tells the country of an address."""
    cymru: bool = False
    """Ask Team Cymru's DNS zones for the origin of the networks that a report lists."""


class MailTable(Table, frozen=True):
    """How reports are sent."""

    sender: str | None = None
    host: str = "localhost"
    port: int = 25
    security: Literal["none", "starttls", "tls"] = "none"
    """``starttls`` and ``tls`` insist: without a verified certificate nothing is sent."""
    ca_file: str | None = None
    """Certificates to trust instead of the system's."""
    username: str | None = None
    password_file: str | None = None
    """A file, so that the password stands neither here nor in the list of processes."""
    timeout: float = 60


class ExportTable(Table, frozen=True):
    """Who signs abuse reports, and how long a published entry holds."""

    organisation: str | None = None
    contact: str | None = None
    """Mail address that answers questions about a report."""
    days: float = 14
    """After so many days without a new look an entry is published no more."""


class IdentityTable(Table, frozen=True):
    """Who others see when they are probed."""

    addresses: tuple[str, ...] = ()
    """That packets leave from, as others see them; without any, those of this machine."""


class Settings(Table, frozen=True):
    """All settings, each table with its defaults."""

    trust: TrustTable = TrustTable()
    scope: ScopeTable = ScopeTable()
    smtp: SmtpTable = SmtpTable()
    canary: CanaryTable = CanaryTable()
    dns: DnsTable = DnsTable()
    dnsbl: DnsblTable = DnsblTable()
    proxy: ProxyTable = ProxyTable()
    passive: PassiveTable = PassiveTable()
    network: NetworkTable = NetworkTable()
    nmap: NmapTable = NmapTable()
    verdict: VerdictTable = VerdictTable()
    store: StoreTable = StoreTable()
    log: LogTable = LogTable()
    watch: WatchTable = WatchTable()
    worker: WorkerTable = WorkerTable()
    report: ReportTable = ReportTable()
    mail: MailTable = MailTable()
    export: ExportTable = ExportTable()
    identity: IdentityTable = IdentityTable()


def is_shared(store: StoreTable) -> bool:
    """Say whether the store is a database that other machines may use too."""
    return (store.path or "").startswith(SHARED)


def without_password(place: str) -> str:
    """Return the place of a store as it may be shown."""
    return _PASSWORD.sub(_starred, place) if place.startswith(SHARED) else place


def _starred(password: re.Match[str]) -> str:
    return "password=***" if password[1] is None else f"{password[1]}:***@"
