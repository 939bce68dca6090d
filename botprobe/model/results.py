"""What each probe saw, in the host's own words; meaning is derived in ``classify``."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from ipaddress import IPv4Address


class PortState(StrEnum):
    """State of a TCP port as nmap's reference guide defines it."""

    OPEN = "open"
    CLOSED = "closed"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PingResult:
    """Answers to ICMP echo requests (RFC 792, RFC 4443)."""

    sent: int
    received: int
    rtt_ms: float | None = None
    """The shortest round trip in milliseconds, None if nothing came back."""

    @property
    def alive(self) -> bool:
        """Whether any echo reply came back."""
        return self.received > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OsClass:
    """One ``osclass`` of nmap: a class of systems that an osmatch belongs to."""

    vendor: str
    family: str
    generation: str | None = None
    type: str | None = None
    accuracy: int
    """Per cent."""
    cpe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OsMatch:
    """One ``osmatch`` of nmap: a fingerprint of its database that looks like the host."""

    name: str
    accuracy: int
    """Per cent; 100 is a perfect match."""
    classes: tuple[OsClass, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OsResult:
    """What nmap made of the host's TCP/IP stack, best match first."""

    matches: tuple[OsMatch, ...] = ()
    ports: tuple[tuple[int, PortState], ...] = ()
    """The TCP ports that were asked, in rising order."""
    ttls: tuple[tuple[int, int], ...] = ()
    """TTL, or hop limit, with which the SYN-ACK of each open port arrived."""
    fingerprint: str | None = None
    """nmap's subject fingerprint where it gave one."""
    distance: int | None = None
    """Network distance in hops."""
    timed_out: bool = False
    """nmap gave up on the host before it was done."""
    nmap_version: str = ""

    @property
    def open_ports(self) -> tuple[int, ...]:
        """The ports that took a connection."""
        return tuple(port for port, state in self.ports if state is PortState.OPEN)


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321, section 4.2): a code and its lines of text."""

    code: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpResult:
    """One polite session on port 25: greeting, EHLO, QUIT."""

    port: PortState
    greeting: Reply | None = None
    ehlo: Reply | None = None
    greeting_seconds: float | None = None
    """From the open connection to the whole greeting."""
    broke: str | None = None
    """How the session ended early, None if it came to its QUIT."""

    @property
    def speaks_smtp(self) -> bool:
        """Whether it greeted with an SMTP reply, be it a refusal."""
        return self.greeting is not None

    @property
    def takes_mail(self) -> bool:
        """Whether it greeted with 220 and accepted our EHLO."""
        accepted = self.ehlo is not None and self.ehlo.code == 250
        return accepted and self.greeting is not None and self.greeting.code == 220


@dataclass(frozen=True, slots=True, kw_only=True)
class PtrName:
    """A name from the PTR record of an address, and what the name itself says."""

    name: str
    confirmed: bool | None
    """Forward-confirmed: the name resolves back to the address. None: the look-up failed."""
    mx: tuple[str, ...] = ()
    """Mail exchangers of the name, or of the domain above it, best first."""
    mx_points_here: bool | None = False
    """Whether one of these exchangers resolves to the address. None: a look-up failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsResult:
    """What the DNS says about an address; no names means that it has no PTR record."""

    names: tuple[PtrName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsblAnswer:
    """What one DNS block list answered about an address (RFC 5782)."""

    zone: str
    codes: tuple[IPv4Address, ...] = ()
    """The A records as they came; none means not listed."""
    failed: str | None = None
    """Why there was no answer to rely on, None if there was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsblResult:
    """The answers of all block lists that were asked."""

    answers: tuple[DnsblAnswer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsAnswer:
    """What a Windows service told of its system by itself, in an NTLM challenge or over SMB."""

    port: int
    script: str
    """The nmap script that asked: rdp-ntlm-info, smb-os-discovery, ..."""
    version: str | None = None
    """Product version, major.minor.build: 10.0.19045."""
    product: str | None = None
    """The name that the system gives itself: Windows Server 2012 R2 Standard 9600."""
    computer: str | None = None
    """The computer's NetBIOS name."""
    dialects: tuple[str, ...] = ()
    """The versions of SMB that it speaks, oldest first, as Microsoft writes them: 2.1, 3.0.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsResult:
    """All that Windows services told."""

    answers: tuple[WindowsAnswer, ...] = ()
    ports: tuple[tuple[int, PortState], ...] = ()
    """Further ports that were asked because some editions alone have them open."""


class ProxyProtocol(StrEnum):
    """How a proxy is asked to connect somewhere."""

    HTTP_CONNECT = "http-connect"
    """RFC 9110, section 9.3.6."""
    HTTP_POST = "http-post"
    """RFC 9112, section 3.2.2: a POST to somebody else's server."""
    SOCKS4 = "socks4"
    SOCKS5 = "socks5"
    """RFC 1928."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDoor:
    """A port that carried our own words to our own listener."""

    port: int
    protocol: ProxyProtocol
    seen_from: str
    """The address that connected to our listener: the host's, or another one of its operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyResult:
    """Whether the host is an open proxy, as far as our own listener can prove it."""

    tried: tuple[tuple[int, ProxyProtocol], ...] = ()
    open: tuple[OpenDoor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassiveResult:
    """What p0f made of the host's own SYNs; names are p0f's, None if it knew none."""

    system: str | None = None
    """Windows, Linux, ..."""
    flavor: str | None = None
    """7 or 8, 3.x, ..."""
    fuzzy: bool = False
    """Whether the signature fits only roughly."""
    distance: int | None = None
    """Network distance in hops."""
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkResult:
    """Whose network the address belongs to; None where nobody could tell."""

    asn: int | None = None
    """Number of the autonomous system that announces it."""
    prefix: str | None = None
    """The announced network."""
    country: str | None = None
    """ISO 3166 code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLogTraffic:
    """What a mail server's own logs know about the host, counted over all their days."""

    connects: int
    """SMTP connections."""
    accepted: int
    """Mails that were taken."""
    rejects: tuple[tuple[str, int], ...] = ()
    """Refused commands by kind."""
    share: float = 0.0
    """Of all connections of the server."""
    driver_days: tuple[date, ...] = ()
    """Abnormal days that the host drove."""
    mx_queries: int = 0
    """Questions for MX records on its busiest day, if it asked the DNS server itself."""


class RouterAction(StrEnum):
    """What a router did to the mail of a host."""

    ACCEPT = "accept"
    DROP = "drop"
    REDIRECT = "redirect"
    """Into a sink."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterTraffic:
    """What a router counted of the host's small mail packets since it first saw them."""

    credit: int
    """What sending adds and fetching mail takes away; much of it is the sign of a bot."""
    smtp_packets: int
    pop_imap_packets: int
    nat: bool | None = None
    """Whether several hosts stand behind the address, None if that was not looked at."""
    one_way: bool = False
    """Whether the answers took another way, so that no connection was seen to exist."""
    suspect: bool = False
    """Whether its credit was over the threshold and nothing excused it."""
    action: RouterAction = RouterAction.ACCEPT
    """What the router did to its mail."""
    stopped: int = 0
    """Connections to mail servers that it tried after that, each try counted."""


class ProxyRole(StrEnum):
    """What part a host had in mails that went through an open proxy."""

    ORDERED = "ordered"
    """It had a proxy send them."""
    CARRIED = "carried"
    """It was the proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTraffic:
    """Mails of others' traffic that the host sent through a proxy, or carried as one."""

    role: ProxyRole
    mails: int
    peers: tuple[str, ...] = ()
    """Addresses of the other side: the proxies it used, or who used it."""


ObservedTraffic = MailLogTraffic | RouterTraffic | ProxyTraffic


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficResult:
    """What each observer saw of the host last; None where it saw nothing."""

    maillog: MailLogTraffic | None = None
    router: RouterTraffic | None = None
    proxytrace: ProxyTraffic | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ElsewhereResult:
    """What another place saw of the host a short time before; None is what it did not measure."""

    vantage: str
    """Name of that place."""
    alive: bool | None = None
    port: PortState | None = None
    """Of SMTP."""
    greeted: bool = False
    """Whether a mail server spoke there."""
