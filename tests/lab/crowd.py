"""A crowd of labelled hosts, and the mails that they handed to a trap: what verdicts are scored on.

Stacks are drawn from the whole of nmap's database by its own classes, not by botprobe's reading of
them; names, HELOs and listings are drawn by kind of host, with the same dice for good and bad
luck: bots with a server's name, mail servers on dialled lines, customers who log in.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import TypeVar

from tests.lab.osdb import OsClass, OsDatabase
from tests.lab.population import Host, PortState

FIRST = IPv4Address("198.18.32.1")
ASKED = (21, 22, 25, 80, 110, 135, 139, 143, 443, 445, 3389, 5900)

# nmap's generation to the Windows services of that system: RDP by build, SMB 1 by name, SMB 2 where
# SMB 1 is turned off.
CLIENT_BUILDS = {
    "XP": ("smb1-xp",),
    "Vista": ("rdp-6.0.6000", "rdp-6.0.6002", "smb2-2.0.2"),
    "7": ("rdp-6.1.7601", "smb1-7", "smb2-2.1"),
    "8": ("rdp-6.2.9200", "smb2-3.0"),
    "8.1": ("rdp-6.3.9600", "smb2-3.0.2"),
    "10": ("rdp-10.0.19045", "rdp-10.0.17763", "rdp-10.0.14393", "smb2-3.1.1"),
    "11": ("rdp-10.0.22631", "rdp-10.0.26100", "smb2-3.1.1"),
}
SERVER_BUILDS = {
    "2003": ("rdp-5.2.3790", "smb1-2003"),
    "2008": ("rdp-6.0.6002", "smb1-2008r2", "smb2-2.1"),
    "2012": ("rdp-6.2.9200", "rdp-6.3.9600", "smb2-3.0", "smb2-3.0.2"),
    "2016": ("rdp-10.0.14393", "smb2-3.1.1"),
    "2019": ("rdp-10.0.17763", "smb2-3.1.1"),
    "2022": ("rdp-10.0.20348", "smb2-3.1.1"),
}
# What a domain controller has open: Kerberos, LDAP, the global catalogue.
DIRECTORY = frozenset({88, 389, 3268})
T = TypeVar("T")

_OLD_CLIENTS = ("95", "98", "Me")
# Services whose answer no server edition shares.
TELLING = frozenset({"smb1-xp", "smb1-7", "rdp-6.0.6000", "rdp-10.0.19045", "rdp-10.0.22631"})
_GATEWAYS = ("broadband router", "router", "WAP", "firewall")
_THINGS = ("webcam", "media device", "storage-misc", "VoIP phone", "specialized")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One host of the crowd, and the mail that named it."""

    host: Host
    truth: str
    """Its kind."""
    is_bot: bool
    detectable: bool
    """A bot that can be seen from outside: on a client Windows of its own with an open port,
    whose stack no server edition shares by nmap's own classes, or of which a service tells."""
    helo: str
    auth: str | None = None
    claimed: bool = False
    """Named by a hop further down only."""

    @property
    def address(self) -> IPv4Address:
        """Its address."""
        address = self.host.addresses[0]
        assert isinstance(address, IPv4Address)
        return address


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Names of nmap's entries by what they are."""

    clients: Sequence[tuple[str, str]]
    """With the generation."""
    shared: frozenset[str]
    """Entries that name a client and a server, or an edition that is sold as both."""
    servers: Sequence[tuple[str, str]]
    linux: Sequence[str]
    unix: Sequence[str]
    gateways: Sequence[str]
    printers: Sequence[str]
    things: Sequence[str]

    @classmethod
    def of(cls, database: OsDatabase) -> "Catalogue":
        """Sort the entries by nmap's own classes."""
        entries = [entry for name in database.names if (entry := database.entry(name))]
        classes = {entry.name: entry.classes for entry in entries}

        def windows(generations: Iterable[str]) -> list[tuple[str, str]]:
            return [
                (name, line.generation)
                for name, lines in classes.items()
                for line in lines
                if line.family == "Windows" and line.generation in generations
                if line.kind == "general purpose" and "Embedded" not in name
            ]

        def named(wanted: Callable[[OsClass], bool]) -> list[str]:
            return [name for name, lines in classes.items() if lines and all(map(wanted, lines))]

        return cls(
            clients=windows({*CLIENT_BUILDS, *_OLD_CLIENTS}),
            shared=frozenset(
                name
                for name, lines in classes.items()
                if not all(line.generation in {*CLIENT_BUILDS, *_OLD_CLIENTS} for line in lines)
            ),
            servers=windows(SERVER_BUILDS),
            linux=named(lambda line: line.family == "Linux" and line.kind == "general purpose"),
            unix=named(
                lambda line: (
                    line.vendor not in {"Microsoft", "Linux"} and line.kind == "general purpose"
                )
            ),
            gateways=named(lambda line: line.kind in _GATEWAYS),
            printers=named(lambda line: line.kind == "printer"),
            things=named(lambda line: line.kind in _THINGS),
        )


class Dealer:
    """Draws members one after another."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        self._catalogue = catalogue
        self._chance = random.Random(seed)
        self._next = FIRST

    def deal(self, count: int) -> list[Member]:
        """Draw so many members, of each kind its share."""
        whole = sum(share for share, _ in KINDS)
        dealt: list[Member] = []
        for index, (share, make) in enumerate(KINDS):
            rest = count - len(dealt)
            number = rest if index == len(KINDS) - 1 else round(count * share / whole)
            dealt += [make(self) for _ in range(number)]
        return dealt

    # --- bots -------------------------------------------------------------------------------

    def bot_open(self) -> Member:
        """A client Windows at home, without a firewall."""
        host = self._client(self._home(), sorted({135, 139, 445} - {self._pick((0, 139))}))
        return self._bot("bot-windows-open", host, detectable=self._can_be_told(host))

    def bot_firewalled(self) -> Member:
        """A client Windows of which one port can be reached."""
        host = self._client(self._home(), [self._pick((445, 3389))])
        host = replace(host, default=PortState.FILTERED)
        return self._bot("bot-windows-firewalled", host, detectable=self._can_be_told(host))

    def bot_sealed(self) -> Member:
        """A client Windows that answers nobody."""
        host = replace(self._client(self._home(), []), default=PortState.FILTERED, ping=False)
        return self._bot("bot-windows-sealed", host)

    def bot_gone(self) -> Member:
        """A bot whose line is somebody else's by now, or nobody's."""
        host = replace(self._home(), ping=False, default=PortState.FILTERED)
        return self._bot("bot-gone", host)

    def bot_behind_nat(self) -> Member:
        """A client Windows for which a router answers; sometimes RDP is passed on."""
        host = self._home(persona=self._pick(self._catalogue.gateways))
        passed_on = {3389: "rdp-10.0.19045"} if self._luck(0.15) else {}
        ports = {80: "silent", **passed_on} if self._luck(0.6) else passed_on
        host = replace(host, open=frozenset(ports), services=ports, forwarded=frozenset(passed_on))
        return self._bot("bot-behind-nat", host)

    def bot_thing(self) -> Member:
        """A camera or recorder with a weak password."""
        host = self._home(persona=self._pick(self._catalogue.things))
        return self._bot("bot-iot", replace(host, open=frozenset({22, 80})))

    # --- mail servers -----------------------------------------------------------------------

    def mail_linux(self) -> Member:
        """A mail server as most are."""
        return self._mail_server("mail-linux", self._pick(self._catalogue.linux), "smtp")

    def mail_exchange(self) -> Member:
        """Exchange on a Windows Server."""
        entry, generation = self._pick(self._catalogue.servers)
        member = self._mail_server("mail-exchange", entry, "smtp-exchange", more=(135, 443, 445))
        host = self._tells(member.host, SERVER_BUILDS[generation], 3389)
        # A small business has one server for everything.
        return replace(member, host=self._controls_domain(host, 0.3))

    def mail_desktop(self) -> Member:
        """Somebody's mail server on a client Windows."""
        entry, generation = self._pick(self._catalogue.clients)
        member = self._mail_server("mail-desktop", entry, "smtp-hmail", more=(135, 445))
        return replace(member, host=self._tells(member.host, CLIENT_BUILDS.get(generation, ())))

    def mail_slow(self) -> Member:
        """A mail server that lets one wait for its greeting."""
        service = self._pick(("smtp-delayed", "smtp-postscreen"))
        return self._mail_server("mail-slow", self._pick(self._catalogue.linux), service)

    def mail_refusing(self) -> Member:
        """A mail server that does not want to talk with us."""
        service = self._pick(("smtp-refuse", "smtp-busy"))
        return self._mail_server("mail-refusing", self._pick(self._catalogue.unix), service)

    def mail_dynamic(self) -> Member:
        """A mail server on a line for customers, on any system."""
        entries = (*self._catalogue.linux, *(name for name, _ in self._catalogue.clients))
        member = self._mail_server("mail-dynamic", self._pick(entries), "smtp")
        home = self._home()
        host = replace(member.host, ptr=home.ptr, forward=home.forward, mx=(), dnsbl=home.dnsbl)
        return replace(member, host=host)

    def mail_behind_nat(self) -> Member:
        """A mail server to which a router passes port 25 on."""
        return self._mail_server("mail-behind-nat", self._pick(self._catalogue.gateways), "smtp")

    # --- others -----------------------------------------------------------------------------

    def sender(self) -> Member:
        """A server that only sends, such as a newsletter's or a shop's."""
        entry = self._pick((*self._catalogue.linux, *self._catalogue.unix))
        host = self._server(entry, self._pick(("out", "bounce", "www", "app")), (22, 80, 443))
        return self._good("sender", host)

    def windows_application(self) -> Member:
        """A Windows Server whose application sends mail and takes none."""
        entry, generation = self._pick(self._catalogue.servers)
        host = self._server(entry, self._pick(("erp", "app", "web")), (80, 135, 445))
        host = self._tells(host, SERVER_BUILDS[generation], 3389)
        return self._good("windows-application", self._controls_domain(host, 0.2))

    def customer(self) -> Member:
        """Somebody's computer that hands its mail to us with a password."""
        member = self._good("customer", self._client(self._home(clean=True), [135, 445]))
        helo = self._pick(("[192.168.1.20]", "LAPTOP-7", member.host.name))
        return replace(member, helo=helo, auth="customer")

    def bystander(self) -> Member:
        """The same, named by a forged line of somebody else's mail."""
        return replace(self.customer(), truth="bystander", auth=None, claimed=True)

    def printer(self) -> Member:
        """A printer that sends its scans."""
        host = self._server(self._pick(self._catalogue.printers), "printer", (80,))
        return replace(self._good("printer", host), helo="printer")

    def dead(self) -> Member:
        """A server that is down."""
        host = self._server("", "mail", ())
        return self._good("dead", replace(host, ping=False, default=PortState.FILTERED))

    def liar(self) -> Member:
        """Everything is open, and everything answers."""
        host = self._server(self._pick(self._catalogue.linux), "trap", ASKED)
        services = dict.fromkeys(ASKED, "garbage") | {25: self._pick(("smtp", "garbage"))}
        return self._good("liar", replace(host, services=services))

    def tarpit(self) -> Member:
        """Port 25 answers, a letter a second."""
        host = self._server(self._pick(self._catalogue.linux), "tarpit", (22, 25))
        return self._good("tarpit", replace(host, services={25: "smtp-tarpit"}))

    # --- parts ------------------------------------------------------------------------------

    def _luck(self, share: float) -> bool:
        return self._chance.random() < share

    def _pick(self, choices: Sequence[T]) -> T:
        return self._chance.choice(choices)

    def _host(self, name: str, persona: str | None) -> Host:
        address, self._next = self._next, self._next + 1
        delay = self._chance.uniform(20, 200)
        return Host(
            name=f"{name}-{int(address) - int(FIRST)}",
            addresses=(address,),
            persona=(persona,) if persona else (),
            ping=True,
            hops=self._chance.randint(3, 20),
            delay_ms=round(delay, 1),
            jitter_ms=round(delay * self._chance.uniform(0, 0.3), 1),
            loss=0.025,  # on the way there and on the way back
        )

    def _home(self, persona: str | None = None, *, clean: bool = False) -> Host:
        """A line of a provider, as often listed as such lines are."""
        host = self._host("line", persona)
        dashed = str(host.addresses[0]).replace(".", "-")
        provider = f"isp{self._chance.randint(1, 9)}.example"
        ptr = self._pick(
            (
                *(f"dsl-{dashed}.pool.{provider}", f"{dashed}.dynamic.{provider}"),
                *(f"host-{dashed}.{provider}", f"{host.name}.{provider}", None),
            )
        )
        listed = [IPv4Address("127.0.0.10")] if self._luck(0.5) else []
        if not clean and self._luck(0.5):
            listed.append(IPv4Address("127.0.0.4"))
        return replace(
            host, ptr=ptr, forward=ptr is not None and self._luck(0.6), dnsbl=tuple(listed)
        )

    def _client(self, host: Host, ports: Sequence[int]) -> Host:
        entry, generation = self._pick(self._catalogue.clients)
        host = replace(host, persona=(entry,), open=frozenset(ports))
        return self._tells(host, CLIENT_BUILDS.get(generation, ()))

    def _tells(self, host: Host, services: Sequence[str], extra: int | None = None) -> Host:
        """Let the system's own service answer where its port is open; ``extra`` opens one."""
        if extra is not None and self._luck(0.5):
            host = replace(host, open=host.open | {extra})
        chosen = self._pick(services) if services else ""
        port = 3389 if chosen.startswith("rdp") else 445
        if port not in host.open or not chosen:
            return host
        return replace(host, services={**host.services, port: chosen})

    def _controls_domain(self, host: Host, share: float) -> Host:
        return replace(host, open=host.open | DIRECTORY) if self._luck(share) else host

    def _can_be_told(self, host: Host) -> bool:
        shared = bool(self._catalogue.shared & set(host.persona))
        return not shared or bool(TELLING & set(host.services.values()))

    def _server(self, persona: str, name: str, ports: Iterable[int]) -> Host:
        host = self._host(name, persona)
        ptr = None if self._luck(0.06) else f"{name}.{host.name}.example"
        listed = (IPv4Address("127.0.0.2"),) if self._luck(0.04) else ()
        return replace(
            host,
            open=frozenset(ports),
            ptr=ptr,
            forward=ptr is not None and self._luck(0.93),
            dnsbl=listed,
        )

    def _bot(self, truth: str, host: Host, *, detectable: bool = False) -> Member:
        return Member(
            host=host, truth=truth, is_bot=True, detectable=detectable, helo=self._bot_helo(host)
        )

    def _bot_helo(self, host: Host) -> str:
        """What bots call themselves; in two of five cases nothing is wrong with it."""
        if self._luck(0.4):
            return self._pick(("mail.bank.example", "mx1.shop.example", "smtp.post.example"))
        address = str(host.addresses[0])
        words = ("localhost", "User", "OFFICE-PC", "gmail.com", "trap.example", address)
        return self._pick((*words, f"[{address}]", "[192.168.1.3]", host.ptr or "198.18.9.9"))

    def _mail_server(
        self, truth: str, persona: str, service: str, more: Sequence[int] = (22,)
    ) -> Member:
        host = self._server(persona, self._pick(("mail", "mx1", "smtp", "post")), (25, *more))
        domains = (f"{host.name}.example",) if host.ptr and self._luck(0.7) else ()
        return self._good(truth, replace(host, services={25: service}, mx=domains))

    def _good(self, truth: str, host: Host) -> Member:
        odd = self._pick(("server.local", "mail.other.example", host.name))
        helo = host.ptr if host.ptr and self._luck(0.85) else odd
        return Member(host=host, truth=truth, is_bot=False, detectable=False, helo=helo)


KINDS: tuple[tuple[int, Callable[[Dealer], Member]], ...] = (
    *((410, Dealer.bot_open), (250, Dealer.bot_firewalled), (60, Dealer.bot_sealed)),
    *((120, Dealer.bot_behind_nat), (80, Dealer.bot_thing)),
    *((260, Dealer.mail_linux), (120, Dealer.mail_exchange), (40, Dealer.mail_desktop)),
    *((60, Dealer.mail_slow), (40, Dealer.mail_refusing), (60, Dealer.mail_dynamic)),
    *((30, Dealer.mail_behind_nat), (80, Dealer.sender), (60, Dealer.windows_application)),
    *((60, Dealer.customer), (60, Dealer.bystander), (40, Dealer.printer), (60, Dealer.bot_gone)),
    *((60, Dealer.dead), (30, Dealer.liar), (20, Dealer.tarpit)),
)
"""Shares and kinds."""
