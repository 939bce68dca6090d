"""``botprobe host``: the history of one address, in the order in which it happened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from botprobe.classify.mailfunction import mail_function
from botprobe.classify.oscatalog import read_os
from botprobe.contract.case import builtins, case_document, rfc3339
from botprobe.contract.observation import observation_document
from botprobe.contract.wording import traffic_line
from botprobe.model.observation import Observation, Suspicion
from botprobe.model.outcome import Measured
from botprobe.model.target import Sighting
from botprobe.model.verdict import Case
from botprobe.model.work import HostHistory


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, or will."""

    at: datetime | None
    kind: str
    """``mails``, ``probed``, ``refused``, ``observed``, ``suspected`` or ``planned``."""
    says: str
    changed: tuple[str, ...] = ()
    """What is otherwise than at the probe before."""


class Known(NamedTuple):
    """What a store knows of an address beside its cases."""

    history: HostHistory | None = None
    sightings: Sequence[Sighting] = ()
    observed: Sequence[Observation] = ()
    suspicions: Sequence[Suspicion] = ()


def timeline(known: Known, cases: Sequence[Case]) -> list[Event]:
    """Put all that happened to an address, and its next look, in order, oldest first."""
    history, sightings, observed, suspicions = known
    events = [*_mail_events(sightings, cases), *_case_events(cases)]
    events += [Event(one.seen, "observed", traffic_line(one.saw)) for one in observed]
    events += [Event(one.at, "suspected", one.why) for one in suspicions]
    events.sort(key=lambda event: (event.at is not None, event.at))
    more = 0 if history is None else history.sightings - len(sightings)
    if history is not None and more > 0:
        events.insert(0, Event(history.first_seen, "mails", f"{more} earlier mails"))
    if history is not None and history.due is not None:
        events.append(Event(history.due, "planned", "next look"))
    return events


def history_document(known: Known, cases: Sequence[Case]) -> dict[str, Any]:
    """Write all that is known of an address as a JSON-ready mapping."""
    history, sightings, observed, _ = known
    return {
        "schema": "botprobe/host/1",
        "sightings": history.sightings if history else len(sightings),
        "newest_sightings": [builtins(sighting) for sighting in sightings],
        "due": rfc3339(history.due) if history and history.due else None,
        "refused": history.refused if history else None,
        "timeline": [
            {
                "at": rfc3339(event.at) if event.at else None,
                "kind": event.kind,
                "says": event.says,
                "changed": list(event.changed),
            }
            for event in timeline(known, cases)
        ],
        "observations": [observation_document(one) for one in observed],
        "cases": [case_document(case) for case in cases],
    }


def changes(before: Case, after: Case) -> Iterator[str]:
    """Say what a later probe found otherwise; what was not measured has not changed."""
    if before.verdict.label is not after.verdict.label:
        yield f"{before.verdict.label} became {after.verdict.label}"
    elsewhere = before.vantage != after.vantage and before.vantage and after.vantage
    for name, was, now in zip(_NAMES, _findings(before), _findings(after), strict=True):
        if was is None or now is None or was == now:
            continue
        if elsewhere:  # it need not have changed: two places may see a host differently
            there, here = before.vantage, after.vantage
            yield f"{name}: {was or 'none'} from {there}, {now or 'none'} from {here}"
        else:
            yield f"{name}: {was or 'none'} became {now or 'none'}"


_NAMES = ("ping", "system", "open ports", "port 25", "PTR")


def _findings(case: Case) -> tuple[str | None, ...]:
    facts = case.facts
    ping = system = ports = smtp = names = None
    match facts.ping:
        case Measured(echo):
            ping = "alive" if echo.alive else "silent"
    match facts.os:
        case Measured(stack):
            system = read_os(stack).name or ""
            ports = " ".join(map(str, stack.open_ports))
    match facts.smtp:
        case Measured(session):
            smtp = f"{session.port} ({mail_function(facts)})"
    match facts.dns:
        case Measured(answer):
            names = " ".join(sorted(name.name for name in answer.names))
    return ping, system, ports, smtp, names


def _case_events(cases: Sequence[Case]) -> Iterator[Event]:
    before: Case | None = None
    for case in sorted(cases, key=lambda case: case.started):
        if case.refused is not None:
            yield Event(case.started, "refused", case.refused)
            continue
        verdict = case.verdict
        says = f"{verdict.label}, probability {verdict.probability:.2f}"
        if case.vantage is not None:
            says += f", seen from {case.vantage}"
        changed = tuple(changes(before, case)) if before is not None else ()
        yield Event(case.started, "probed", says, changed)
        before = case


def _mail_events(sightings: Sequence[Sighting], cases: Sequence[Case]) -> Iterator[Event]:
    """Write mails that came between the same two cases as one event."""
    looks = sorted(case.started for case in cases)

    def place(sighting: Sighting) -> tuple[int, str]:
        at = sighting.delivered_at
        return sum(at is not None and look <= at for look in looks), str(sighting.trust)

    for (_, trust), group in groupby(sorted(sightings, key=place), key=place):
        mails = list(group)
        dates = sorted(mail.delivered_at for mail in mails if mail.delivered_at is not None)
        says = f"{len(mails)} mails" if len(mails) > 1 else "a mail"
        says += f" ({trust} hop)"
        if len(mails) == 1 and mails[0].sender:
            says += f" from {mails[0].sender}"
        elif len(dates) > 1:
            says += f", the last at {rfc3339(dates[-1])[:16]}Z"
        yield Event(dates[0] if dates else None, "mails", says)
