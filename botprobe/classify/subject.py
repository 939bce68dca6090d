"""The host under judgement: its facts, read once into the words that rules speak."""

from collections.abc import Mapping
from dataclasses import dataclass

from botprobe.classify.addressnames import NameKind
from botprobe.classify.editions import told_by_signs
from botprobe.classify.listings import Listing, Zones, read_listings
from botprobe.classify.mailfunction import MailGrade, mail_grade
from botprobe.classify.naming import Naming, read_naming
from botprobe.classify.oscatalog import OsReading, OsRole
from botprobe.classify.passive import is_windows, seen_at_delivery
from botprobe.classify.receipt import Receipt, Receipts
from botprobe.classify.system import System, read_system
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import ElsewhereResult, OpenDoor, PortState, PtrName

SMTP_PORT = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A target and what its facts say; None stands for whatever was not measured."""

    facts: Facts
    receipt: Receipt
    """The mails that named it, former customers' left out where the address changes hands."""
    system: System
    """Its stack, its ports and its Windows services."""
    naming: Naming
    """Its names."""
    grade: MailGrade | None
    """None of a host that answers on every port, too: nothing it says is believed."""
    sent_by_another: bool
    """Whether a Windows delivered from behind the stack of another system, as p0f saw."""
    shows_life: bool
    """Whether the host answered anything at all."""
    listings: Mapping[Listing, tuple[str, ...]]
    """What block lists say, and which; empty if they were not asked."""

    @property
    def os(self) -> OsReading | None:
        """Its system; None of a host that answers on every port."""
        return self.system.os

    @property
    def name(self) -> PtrName | None:
        """Of its names the one that suits a server best; None if there is none, or not measured."""
        return self.naming.name

    @property
    def name_kind(self) -> NameKind | None:
        """What that name says about the line."""
        return self.naming.kind

    @property
    def is_shared(self) -> bool:
        """Whether several hosts, or none that can be told, stand behind the address."""
        system = self.system
        gateway = system.os is not None and system.os.is_gateway
        return gateway or system.answers_everywhere or system.is_several or self.sent_by_another

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
        closed = self.grade is MailGrade.CLOSED or self.grade is MailGrade.FILTERED
        return closed and SMTP_PORT in self.system.open_ports

    @property
    def port(self) -> PortState | None:
        """The state of port 25; None if it was not measured."""
        smtp = self.facts.smtp
        return smtp.result.port if isinstance(smtp, Measured) else None

    @property
    def alive(self) -> bool | None:
        """Whether it answered echo requests; None if that was not measured."""
        ping = self.facts.ping
        return ping.result.alive if isinstance(ping, Measured) else None

    @property
    def elsewhere(self) -> ElsewhereResult | None:
        """What another place saw of it; None if none looked, or if nothing it says is believed."""
        seen = self.facts.elsewhere
        if not isinstance(seen, Measured) or self.system.answers_everywhere:
            return None
        return seen.result

    @property
    def greeted_elsewhere(self) -> bool:
        """Whether a mail server spoke to another place, and not to us."""
        spoke = self.grade in {MailGrade.GREETS, MailGrade.SPEAKS, MailGrade.OWN_NAME}
        return self.elsewhere is not None and self.elsewhere.greeted and not spoke

    @property
    def open_doors(self) -> tuple[OpenDoor, ...]:
        """Where our own words came out again at our own listener."""
        proxy = self.facts.proxy
        return proxy.result.open if isinstance(proxy, Measured) else ()


def read_subject(
    facts: Facts, receipts: Receipts, zones: Zones, like: Subject | None = None
) -> Subject:
    """Read the facts about a host once, for all rules.

    Args:
        facts: the outcomes of the probes.
        receipts: the mails that named it.
        zones: what the codes of block lists mean.
        like: what was read about the same host before; the readings of outcomes that both share
            are taken from it.
    """
    system = like.system if like and _same_system(facts, like.facts) else read_system(facts)
    if like and facts.dns is like.facts.dns:
        naming = like.naming
    else:
        naming = read_naming(facts.dns, receipts.address)
    receipt = receipts.recent if naming.may_change_hands else receipts.whole
    grade = None if system.answers_everywhere else mail_grade(facts)
    return Subject(
        facts=facts,
        receipt=receipt,
        system=system,
        naming=naming,
        grade=grade,
        sent_by_another=_sent_by_another(system, facts, receipt),
        shows_life=_shows_life(facts),
        listings=_listings(facts, zones, like),
    )


def _sent_by_another(system: System, facts: Facts, receipt: Receipt) -> bool:
    """Whether a router answers now for the Windows that delivered."""
    if system.os is None or system.os.role is not OsRole.OTHER:
        return False
    seen = seen_at_delivery(facts, receipt)
    return seen is not None and is_windows(seen)


def _same_system(one: Facts, other: Facts) -> bool:
    same = one.os is other.os and one.windows is other.windows
    return same and (one.smtp is other.smtp or told_by_signs(one) == told_by_signs(other))


def _listings(
    facts: Facts, zones: Zones, like: Subject | None
) -> Mapping[Listing, tuple[str, ...]]:
    if like and facts.dnsbl is like.facts.dnsbl:
        return like.listings
    return read_listings(facts.dnsbl.result, zones) if isinstance(facts.dnsbl, Measured) else {}


def _shows_life(facts: Facts) -> bool:
    ping, os, smtp = facts.ping, facts.os, facts.smtp
    if isinstance(ping, Measured) and ping.result.alive:
        return True
    if isinstance(smtp, Measured) and smtp.result.port is not PortState.FILTERED:
        return True
    return isinstance(os, Measured) and any(
        state is not PortState.FILTERED for _, state in os.result.ports
    )
