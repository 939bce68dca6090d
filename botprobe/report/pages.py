"""A page for one address, and one for the mails of a scan: the way, the answers, the reasons.

Everything on these pages was written by strangers. Two nets catch it: Jinja escapes all values, and
``visible`` (as the templates' ``finalize``) shows control and bidirectional characters.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from botprobe import __version__
from botprobe.contract.case import facts_document, rfc3339
from botprobe.contract.history import Event
from botprobe.contract.wording import (
    BEFORE,
    dns_line,
    further_lines,
    os_line,
    ping_line,
    ports_line,
    run_line,
    smtp_line,
)
from botprobe.model.mail import Hop, IpAddress, Mail, Trust
from botprobe.model.verdict import Case, Verdict
from botprobe.report.html import template_environment

# Bars that all weigh next to nothing are not blown up to the whole width.
NARROW = 1e-4

# More cases of one address than this are history for the host log, not for a page.
MAX_CASES = 20
MAX_EVENTS = 200

TRUST_WORDS = {
    Trust.OWN: "one of our own",
    Trust.BOUNDARY: "handed the mail to us: surely true",
    Trust.CLAIMED: "claimed by the header: may be forged",
    Trust.FORGED: "contradicted: forged",
    Trust.SYNTHETIC: "named by a field of its own",
    None: "not judged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One line of evidence, as long as it is heavy."""

    text: str
    source: str
    weight: float
    start: float
    """Where the bar begins, per cent of the width."""
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One hop on the way of a mail."""

    hop: Hop
    trust: str
    label: str | None
    """The verdict on its host, None if there is none."""


def host_page(address: IpAddress, events: Sequence[Event], cases: Sequence[Case]) -> str:
    """Write the page of one address.

    Args:
        address: the host.
        events: all that happened to it, oldest first: mails, observations, looks.
        cases: what was found, newest first; none of a host that was only observed.
    """
    shown = cases[:MAX_CASES]
    return _page(
        "host.html",
        title=str(address),
        events=events[-MAX_EVENTS:],
        earlier=max(len(events) - MAX_EVENTS, 0),
        cases=shown,
        left=len(cases),
    )


def scan_page(mails: Sequence[Mail], cases: Sequence[Case]) -> str:
    """Write the page of the mails of a scan and of the hosts that they named."""
    labels = {case.target.address: str(case.verdict.label) for case in cases}
    ways = [(mail, way(mail, labels)) for mail in mails]
    return _page("scan.html", title=f"Mails: {len(mails)}", ways=ways, cases=cases, left=len(cases))


def bars(verdict: Verdict) -> list[Bar]:
    """Draw the evidence: every bar begins where the one before ended, the last at the verdict."""
    steps = [(evidence.weight, evidence.because) for evidence in verdict.evidence]
    sources = [f"{evidence.family}: {evidence.rule}" for evidence in verdict.evidence]
    steps.insert(0, (verdict.prior, BEFORE))
    sources.insert(0, "prior")
    ends = [0.0]
    for weight, _ in steps:
        ends.append(ends[-1] + weight)
    low, high = min(ends), max(ends)
    scale = 100 / max(high - low, NARROW)
    return [
        Bar(
            text=text,
            source=source,
            weight=weight,
            start=(min(start, start + weight) - low) * scale,
            width=abs(weight) * scale,
        )
        for (weight, text), source, start in zip(steps, sources, ends, strict=False)
    ]


def way(mail: Mail, labels: Mapping[IpAddress, str]) -> list[Station]:
    """Put the hops in the order in which the mail went: the sender first, we last."""
    return [
        Station(
            hop=hop,
            trust=TRUST_WORDS[hop.trust],
            label=None if hop.ip is None else labels.get(hop.ip),
        )
        for hop in sorted(mail.hops, key=lambda hop: -hop.index)
    ]


def answers(case: Case) -> list[tuple[str, str]]:
    """Write each probe's outcome in a line."""
    facts = case.facts
    return [
        ("Ping", ping_line(facts.ping)),
        ("System (nmap)", os_line(facts.os)),
        ("Ports", ports_line(facts.os)),
        ("Port 25", smtp_line(facts.smtp)),
        ("Names", dns_line(facts.dns)),
        *further_lines(facts),
    ]


def raw_answers(case: Case) -> list[tuple[str, list[str]]]:
    """Write what each probe measured in full, line by line."""
    return [
        (name, json.dumps(document, indent=2, ensure_ascii=False).splitlines())
        for name, document in facts_document(case.facts).items()
        if document["measured"]
    ]


def _page(template: str, *, cases: Iterable[Case], left: int, **values: object) -> str:
    environment = template_environment()
    environment.globals.update(
        bars=bars, answers=answers, raw_answers=raw_answers, run_line=run_line, rfc3339=rfc3339
    )
    shown = list(cases)
    return environment.get_template(template).render(
        cases=shown, more=left - len(shown), version=__version__, **values
    )
