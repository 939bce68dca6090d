"""The host under judgement: its facts, read once into the words that rules speak."""

from collections.abc import Mapping
from dataclasses import dataclass

from botprobe.classify.addressnames import NameKind, name_kind
from botprobe.classify.listings import Listing, Zones, read_listings
from botprobe.classify.mailfunction import MailGrade, mail_grade
from botprobe.classify.oscatalog import OsReading
from botprobe.classify.system import differs_behind, read_system, services_differ
from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.outcome import Measured
from botprobe.model.results import DnsResult, OpenDoor, OsResult, PortState, PtrName
from botprobe.model.target import Sighting, Target

# nmap asks 12 ports by default. A real server may have ten of those open, SSH beside VNC beside
# RDP on all of them nobody has: that is a middlebox, a tarpit or a honeypot.
LIAR_MIN_PORTS = 8

SMTP_PORT = 25

_BEST_FIRST = tuple(NameKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A target and what its facts say; None stands for whatever was not measured."""

    facts: Facts
    target: Target
    answers_everywhere: bool
    """Whether every asked port is open: then its system and its grade count as not measured."""
    os: OsReading | None
    hides_a_windows: bool
    """Whether a Windows answers behind the stack of another system."""
    services_differ: bool
    """Whether its Windows services belong to several systems."""
    grade: MailGrade | None
    name: PtrName | None
    """Of its names the one that suits a server best; None if there is none, or not measured."""
    name_kind: NameKind | None
    """What that name says about the line."""
    listings: Mapping[Listing, tuple[str, ...]]
    """What block lists say, and which; empty if they were not asked."""

    @property
    def is_shared(self) -> bool:
        """Whether several hosts, or none that can be told, stand behind the address."""
        gateway = self.os is not None and self.os.is_gateway
        several = self.hides_a_windows or self.services_differ
        return gateway or self.answers_everywhere or several

    @property
    def shows_life(self) -> bool:
        """Whether the host answered anything at all."""
        return any(self._signs_of_life())

    @property
    def is_silent(self) -> bool:
        """Whether echo requests, ports and SMTP were all tried and none was answered."""
        ping, os, smtp = self.facts.ping, self.facts.os, self.facts.smtp
        tried_ports = isinstance(os, Measured) and bool(os.result.ports)
        tried = isinstance(ping, Measured) and tried_ports and isinstance(smtp, Measured)
        return tried and not self.shows_life

    @property
    def port_25_is_unsteady(self) -> bool:
        """Whether nmap found port 25 open and the SMTP session a moment apart did not.

        Rate limits and intrusion prevention do so; the mail server behind them is real.
        """
        closed = self.grade in {MailGrade.CLOSED, MailGrade.FILTERED}
        return closed and SMTP_PORT in self.open_ports

    @property
    def open_ports(self) -> tuple[int, ...]:
        """The ports that nmap found open."""
        match self.facts.os:
            case Measured(result):
                return result.open_ports
            case _:
                return ()

    @property
    def open_doors(self) -> tuple[OpenDoor, ...]:
        """Where our own words came out again at our own listener."""
        proxy = self.facts.proxy
        return proxy.result.open if isinstance(proxy, Measured) else ()

    @property
    def may_change_hands(self) -> bool:
        """Whether somebody else may have the address soon: unless a confirmed name denies it."""
        lasting = self.name_kind in {NameKind.MAIL, NameKind.STATIC, NameKind.PLAIN}
        return self.name is None or not self.name.confirmed or not lasting

    @property
    def deliveries(self) -> tuple[Sighting, ...]:
        """The mails that our own server took from the host itself."""
        return tuple(
            sighting for sighting in self.target.sightings if sighting.trust is Trust.BOUNDARY
        )

    @property
    def authenticated(self) -> bool:
        """Whether every mail that the host delivered was submitted by a user who logged in."""
        deliveries = self.deliveries
        return bool(deliveries) and all(sighting.auth is not None for sighting in deliveries)

    def _signs_of_life(self) -> tuple[bool, ...]:
        ping, os, smtp = self.facts.ping, self.facts.os, self.facts.smtp
        return (
            isinstance(ping, Measured) and ping.result.alive,
            isinstance(os, Measured)
            and any(state is not PortState.FILTERED for _, state in os.result.ports),
            isinstance(smtp, Measured) and smtp.result.port is not PortState.FILTERED,
        )


def read_subject(facts: Facts, target: Target, zones: Zones) -> Subject:
    """Read the facts about a target once, for all rules."""
    dns, dnsbl = facts.dns, facts.dnsbl
    name, kind = _best_name(dns.result, target) if isinstance(dns, Measured) else (None, None)
    liar = isinstance(facts.os, Measured) and answers_everywhere(facts.os.result)
    return Subject(
        facts=facts,
        target=target,
        answers_everywhere=liar,
        os=None if liar else read_system(facts),
        hides_a_windows=not liar and differs_behind(facts),
        services_differ=not liar and services_differ(facts),
        grade=None if liar else mail_grade(facts),
        name=name,
        name_kind=kind,
        listings=read_listings(dnsbl.result, zones) if isinstance(dnsbl, Measured) else {},
    )


def answers_everywhere(result: OsResult) -> bool:
    """Whether all of so many ports are open that no real host has them.

    One that seems filtered may be a packet that was lost.
    """
    states = [state for _, state in result.ports]
    unanswered = states.count(PortState.FILTERED)
    opened = states.count(PortState.OPEN)
    return opened >= LIAR_MIN_PORTS and unanswered <= 1 and opened + unanswered == len(states)


def _best_name(dns: DnsResult, target: Target) -> tuple[PtrName | None, NameKind | None]:
    """Choose among confirmed names, if there are any, the one that suits a server best.

    A name that is not confirmed can accuse but not excuse: whoever holds the address can give it
    any name.
    """
    candidates = [name for name in dns.names if name.confirmed] or dns.names
    kinds = [(name_kind(name.name, target.address), name) for name in candidates]
    if not kinds:
        return None, None
    kind, name = min(kinds, key=lambda pair: _BEST_FIRST.index(pair[0]))
    excuses = kind in {NameKind.MAIL, NameKind.STATIC}
    return name, NameKind.PLAIN if excuses and not name.confirmed else kind
