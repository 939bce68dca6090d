"""Facts and targets for tests, built from the few values that a test is about."""

from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from botprobe.classify.receipt import read_receipts
from botprobe.classify.subject import Subject, read_subject
from botprobe.classify.weights import Weights, load_weights
from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.outcome import Measured
from botprobe.model.results import (
    DnsResult,
    OsClass,
    OsMatch,
    OsResult,
    PingResult,
    PortState,
    PtrName,
    Reply,
    SmtpResult,
)
from botprobe.model.target import Sighting, Target

R = TypeVar("R")

TABLE = Path(__file__).parents[2] / "botprobe" / "classify" / "weights.toml"
ADDRESS = ip_address("198.18.10.1")
DYNAMIC_NAME = "dsl-198-18-10-1.pool.isp-a.example"
MAIL_NAME = "mail.firm.example"


def shipped_weights() -> Weights:
    """The table that comes with the package."""
    return load_weights(TABLE.read_text(encoding="utf-8"))


def subject_of(facts: Facts, target: Target) -> Subject:
    """What rules see of a host, by the shipped table."""
    weights = shipped_weights()
    return read_subject(facts, read_receipts(target, weights.holds_after), weights.zones)


def measured(result: R) -> Measured[R]:
    """An outcome of one second."""
    return Measured(result, datetime(2026, 11, 22, tzinfo=UTC), 1.0)


def match(
    name: str,
    generation: str | None = None,
    *,
    vendor: str = "Microsoft",
    family: str = "Windows",
    kind: str = "general purpose",
    accuracy: int = 100,
    cpe: tuple[str, ...] = (),
) -> OsMatch:
    """One osmatch of one class."""
    osclass = OsClass(
        vendor=vendor,
        family=family,
        generation=generation,
        type=kind,
        accuracy=accuracy,
        cpe=cpe,
    )
    return OsMatch(name=name, accuracy=accuracy, classes=(osclass,))


XP = match("Microsoft Windows XP SP3", "XP")
SEVEN = match("Microsoft Windows 7", "7")
SERVER = match("Microsoft Windows Server 2008", "2008")
LINUX = match("Linux 5.4", "5.X", vendor="Linux", family="Linux")
ROUTER = match("Cisco 827", "12.X", vendor="Cisco", family="IOS", kind="router")
PRINTER = match("HP LaserJet", vendor="HP", family="embedded", kind="printer")


def system(
    *matches: OsMatch, opened: Iterable[int] = (80,), closed: Iterable[int] = (22,)
) -> Measured[OsResult]:
    """A measured OS with its ports."""
    ports = dict.fromkeys(opened, PortState.OPEN) | dict.fromkeys(closed, PortState.CLOSED)
    return measured(OsResult(matches=matches, ports=tuple(sorted(ports.items()))))


def sealed() -> Measured[OsResult]:
    """A host that drops everything."""
    ports = tuple((port, PortState.FILTERED) for port in (22, 25, 80, 135))
    return measured(OsResult(ports=ports))


def smtp(port: PortState, code: int | None = None, name: str = MAIL_NAME) -> Measured[SmtpResult]:
    """A session: no greeting without a code, and an EHLO if the code is 220."""
    return measured(
        SmtpResult(
            port=port,
            greeting=None if code is None else Reply(code, (f"{name} ESMTP",)),
            ehlo=Reply(250, (f"{name} at your service", "PIPELINING")) if code == 220 else None,
        )
    )


CLOSED = smtp(PortState.CLOSED)
FILTERED = smtp(PortState.FILTERED)
SILENT = smtp(PortState.OPEN)
REFUSES = smtp(PortState.OPEN, 554)
TAKES_MAIL = smtp(PortState.OPEN, 220)
ALIVE = measured(PingResult(sent=2, received=2, rtt_ms=20.0))
DEAD = measured(PingResult(sent=2, received=0))


def named(
    *names: str, confirmed: bool | None = True, mx_points_here: bool = False
) -> Measured[DnsResult]:
    """PTR names; none at all is a measured lack of them."""
    return measured(
        DnsResult(
            names=tuple(
                PtrName(name=name, confirmed=confirmed, mx_points_here=mx_points_here)
                for name in names
            )
        )
    )


def seen(
    *sightings: tuple[Trust, str | None], auth: str | None = None, at: datetime | None = None
) -> Target:
    """A target with its trust and HELO in each mail."""
    return Target(
        ADDRESS,
        tuple(
            Sighting(
                file="spam.eml",
                message_id=None,
                sender=None,
                recipients=("someone@trap.example",),
                hop=0,
                trust=trust,
                helo=helo,
                auth=auth,
                delivered_at=at,
            )
            for trust, helo in sightings
        ),
    )


def delivered(*helos: str, auth: str | None = None, at: datetime | None = None) -> Target:
    """A target that handed mails to us itself, one for each HELO."""
    return seen(*((Trust.BOUNDARY, helo) for helo in helos or (None,)), auth=auth, at=at)


NAMED_BY_OPERATOR = Target(ADDRESS)
