"""What could have been seen instead: cases that differ in one point, to be judged as well."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.outcome import Measured, Outcome
from botprobe.model.results import (
    DnsResult,
    OsClass,
    OsMatch,
    OsResult,
    PortState,
    PtrName,
    Reply,
    SmtpResult,
)
from botprobe.model.target import Target

R = TypeVar("R")

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_HOST = "host.example.net"
_ONE_OPEN_PORT = ((80, PortState.OPEN),)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Facts that were not seen, or mails that did not come."""

    clause: str
    """What is different, as the subject of a sentence."""
    facts: Facts
    target: Target
    lag_seconds: float | None


def alternatives(facts: Facts, target: Target, lag_seconds: float | None) -> Iterator[Alternative]:
    """Yield the same case with one outcome replaced, delivered by the host, or probed in time."""
    for clause, smtp in _SMTP_ANSWERS:
        changed = _changed(facts, smtp=_instead(facts.smtp, smtp))
        yield Alternative(clause + _unmeasured(facts.smtp), changed, target, lag_seconds)
    for clause, match in _SYSTEMS:
        changed = _changed(facts, os=_instead(facts.os, _stack(facts, match)))
        yield Alternative(clause + _unmeasured(facts.os), changed, target, lag_seconds)
    for clause, dns in _NAMES:
        changed = _changed(facts, dns=_instead(facts.dns, dns))
        yield Alternative(clause + _unmeasured(facts.dns), changed, target, lag_seconds)
    if target.sightings and not any(seen.trust is Trust.BOUNDARY for seen in target.sightings):
        clause = "a delivery that a server of ours saw"
        yield Alternative(clause, facts, _delivering(target), lag_seconds)
    if lag_seconds != 0:
        yield Alternative("a probe at the time of delivery", facts, target, 0.0)


def _delivering(target: Target) -> Target:
    """Let the host itself have handed over the first of the mails that name it."""
    first, *others = target.sightings
    return replace(target, sightings=(replace(first, trust=Trust.BOUNDARY), *others))


def _changed(
    facts: Facts,
    *,
    os: Outcome[OsResult] | None = None,
    smtp: Outcome[SmtpResult] | None = None,
    dns: Outcome[DnsResult] | None = None,
) -> Facts:
    """The same facts with one outcome replaced; ``dataclasses.replace`` takes three times as long.

    Eight facts per verdict are made so.
    """
    return Facts(
        ping=facts.ping,
        os=os or facts.os,
        smtp=smtp or facts.smtp,
        dns=dns or facts.dns,
        dnsbl=facts.dnsbl,
        windows=facts.windows,
        proxy=facts.proxy,
        passive=facts.passive,
        network=facts.network,
        traffic=facts.traffic,
        elsewhere=facts.elsewhere,
    )


def _instead(outcome: Outcome[R], result: R) -> Measured[R]:
    if isinstance(outcome, Measured):
        return Measured(result, outcome.started, outcome.seconds)
    return Measured(result, _NEVER, 0.0)


def _unmeasured(outcome: Outcome[object]) -> str:
    return "" if isinstance(outcome, Measured) else " (not measured so far)"


def _stack(facts: Facts, match: OsMatch) -> OsResult:
    """The same ports with another stack."""
    if isinstance(facts.os, Measured):
        seen = facts.os.result
        return OsResult(matches=(match,), ports=seen.ports, ttls=seen.ttls)
    return OsResult(matches=(match,), ports=_ONE_OPEN_PORT)


def _system(name: str, vendor: str, family: str, generation: str) -> OsMatch:
    osclass = OsClass(
        vendor=vendor,
        family=family,
        generation=generation,
        type="general purpose",
        accuracy=100,
    )
    return OsMatch(name=name, accuracy=100, classes=(osclass,))


_SMTP_ANSWERS = (
    ("a closed port 25", SmtpResult(port=PortState.CLOSED)),
    (
        "a mail server on port 25",
        SmtpResult(
            port=PortState.OPEN,
            greeting=Reply(220, (f"{_HOST} ESMTP",)),
            ehlo=Reply(250, (_HOST,)),
        ),
    ),
)
_SYSTEMS = (
    ("a client Windows", _system("a client Windows", "Microsoft", "Windows", "XP")),
    ("a server Windows", _system("a server Windows", "Microsoft", "Windows", "2003")),
    ("a Linux", _system("a Linux", "Linux", "Linux", "6.X")),
)
_NAMES = (
    ("no PTR record", DnsResult()),
    (
        "the name of a customer's line",
        DnsResult(names=(PtrName(name="1.dsl.pool.example.net", confirmed=True),)),
    ),
    (
        "a mail server's confirmed name and an MX",
        DnsResult(
            names=(PtrName(name="mail.site.example.net", confirmed=True, mx_points_here=True),)
        ),
    ),
)
