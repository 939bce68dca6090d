"""What a host runs on: the word of nmap, and of Windows services where they were asked."""

from botprobe.classify.oscatalog import OsReading, OsRole
from botprobe.classify.rules.base import Group, Rule, quoted
from botprobe.classify.subject import Subject
from botprobe.model.verdict import Family


def client_windows(subject: Subject) -> str | None:
    """Bots live on the computers of people (Endo 2009)."""
    return _if_role(subject, OsRole.CLIENT, "the system is a client Windows: {}")


def ambiguous_windows(subject: Subject) -> str | None:
    """Of the mail that Windows sends most is spam, client or server."""
    if subject.os is not None and subject.os.family != "Windows":
        return None
    return _if_role(subject, OsRole.AMBIGUOUS, "the system is a Windows, client or server: {}")


def server_windows(subject: Subject) -> str | None:
    """A server edition is bought to serve."""
    return _if_role(subject, OsRole.SERVER, "the system is a server Windows: {}")


def other_system(subject: Subject) -> str | None:
    """Most mail of Unix systems is wanted, though not from every Linux box."""
    if _is_appliance(subject):
        return None
    return _if_role(subject, OsRole.OTHER, "the system is not a Windows: {}")


def device(subject: Subject) -> str | None:
    """A printer or a camera has no business to deliver mail."""
    if subject.os is None or not subject.os.is_device or subject.os.is_gateway:
        return None
    return _if_role(subject, OsRole.OTHER, "the system is that of a device: {}")


def gateway(subject: Subject) -> str | None:
    """A router or firewall answers for hosts that nobody sees from outside."""
    if subject.os is None or not subject.os.is_gateway:
        return None
    return _if_role(subject, OsRole.OTHER, "a gateway answers for the hosts behind it: {}")


def hides_a_windows(subject: Subject) -> str | None:
    """Two systems at one address: a router passes some ports on."""
    if subject.system.services_differ:
        return "its services are those of several systems"
    if subject.system.hides_a_windows:
        return "a Windows answers behind the stack of another system"
    return "a Windows delivered from behind another system" if subject.sent_by_another else None


def ttls_differ(subject: Subject) -> str | None:
    """Packets of one stack arrive with one TTL, give or take a hop."""
    if not subject.system.ttls_differ:
        return None
    return "its open ports answer with the TTLs of several systems"


def _if_role(subject: Subject, role: OsRole, clause: str) -> str | None:
    reading = subject.os
    if reading is None or reading.role is not role:
        return None
    return clause.format(_described(reading))


def _described(reading: OsReading) -> str:
    more = len(reading.names) - 1
    others = f" and {more} more" if more else ""
    source = "its own word" if reading.told_by_host else f"nmap, {reading.accuracy} %"
    return f"{quoted(reading.name or '')}{others} ({source})"


def _is_appliance(subject: Subject) -> bool:
    return subject.os is not None and (subject.os.is_device or subject.os.is_gateway)


SYSTEM_RULES = Group(
    looks_at=lambda subject: (subject.system, subject.sent_by_another),
    rules=(
        Rule("client-windows", Family.OS, client_windows),
        Rule("ambiguous-windows", Family.OS, ambiguous_windows),
        Rule("server-windows", Family.OS, server_windows),
        Rule("other-system", Family.OS, other_system),
        Rule("device", Family.OS, device),
        Rule("gateway", Family.OS, gateway),
        Rule("hides-a-windows", Family.OS, hides_a_windows),
        Rule("ttls-differ", Family.OS, ttls_differ),
    ),
)
