"""``botprobe/case/1``: one investigation of one address, as other programs read it.

The document keeps all that was measured, so that stored facts can be judged anew; what is
derived from it (role, function, ...) is written beside it and never read back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeVar

import msgspec

from botprobe.classify.mailfunction import mail_function
from botprobe.classify.oscatalog import read_os
from botprobe.errors import ParseError
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured, NotMeasured, Outcome
from botprobe.model.results import (
    DnsblResult,
    DnsResult,
    ElsewhereResult,
    NetworkResult,
    OsResult,
    PassiveResult,
    PingResult,
    PortState,
    ProxyResult,
    Reply,
    SmtpResult,
    TrafficResult,
    WindowsResult,
)
from botprobe.model.target import Sighting, Target
from botprobe.model.verdict import Case, Evidence, Family, Label, Verdict

SCHEMA = "botprobe/case/1"

Document = dict[str, Any]
T = TypeVar("T")

_READERS: Mapping[str, type[Any]] = {
    "ping": PingResult,
    "os": OsResult,
    "smtp": SmtpResult,
    "dns": DnsResult,
    "dnsbl": DnsblResult,
    "windows": WindowsResult,
    "proxy": ProxyResult,
    "passive": PassiveResult,
    "network": NetworkResult,
    "traffic": TrafficResult,
    "elsewhere": ElsewhereResult,
}


def case_document(case: Case) -> Document:
    """Write a case as a JSON-ready mapping."""
    return {
        "schema": SCHEMA,
        "ip": str(case.target),
        "started": rfc3339(case.started),
        "seconds": round(case.seconds, 3),
        "lag_seconds": None if case.lag_seconds is None else round(case.lag_seconds, 3),
        "probed": case.refused is None,
        "refused": case.refused,
        "vantage": case.vantage,
        "sightings": [builtins(sighting) for sighting in case.target.sightings],
        "facts": facts_document(case.facts),
        "verdict": verdict_document(case.verdict),
    }


def facts_document(facts: Facts) -> Document:
    """Write each outcome under the name of its probe."""
    documents = {
        field.name: _outcome_document(getattr(facts, field.name)) for field in fields(facts)
    }
    documents["os"] |= _os_meaning(facts)
    documents["smtp"] |= _smtp_meaning(facts)
    return documents


def verdict_document(verdict: Verdict) -> Document:
    """Write a verdict with its evidence, heaviest first."""
    return {
        "label": str(verdict.label),
        "probability": round(verdict.probability, 4),
        "rule_client_windows_without_mail_service": verdict.client_windows_without_mail_service,
        "prior": verdict.prior,
        "evidence": [builtins(evidence) for evidence in verdict.evidence],
        "would_change": list(verdict.would_change),
        "rules": verdict.rules,
    }


def case_from_document(document: Mapping[str, Any]) -> Case:
    """Read back what ``case_document`` wrote.

    Raises:
        ParseError: it is not such a document.
    """
    try:
        return Case(
            target=Target(
                ip_address(document["ip"]),
                tuple(_decode(item, Sighting) for item in document["sightings"]),
            ),
            started=datetime.fromisoformat(document["started"]),
            seconds=float(document["seconds"]),
            lag_seconds=document["lag_seconds"],
            refused=document["refused"],
            vantage=document.get("vantage"),  # older documents know of no places
            facts=facts_from_document(document["facts"]),
            verdict=_verdict_from_document(document["verdict"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ParseError(f"not a {SCHEMA} document: {error}", b"") from error


def facts_from_document(document: Mapping[str, Any]) -> Facts:
    """Read back what ``facts_document`` wrote; what it does not hold was not asked."""
    outcomes: dict[str, Any] = {
        name: _outcome_from_document(document[name], cls)
        for name, cls in _READERS.items()
        if name in document
    }
    return Facts(**outcomes)


def rfc3339(moment: datetime) -> str:
    """Write an aware time in UTC with the letter Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def builtins(value: object) -> Any:
    """Turn a model value into plain lists, mappings, strings and numbers."""
    return msgspec.to_builtins(value, enc_hook=str)


def _outcome_document(outcome: Outcome[Any]) -> Document:
    match outcome:
        case Measured(result, started, seconds):
            written: Document = {
                "measured": True,
                "started": rfc3339(started),
                "seconds": round(seconds, 3),
            }
            return written | _result_document(result)
        case NotMeasured(reason):
            return {"measured": False, "reason": reason}


def _result_document(result: object) -> Document:
    written: Document = builtins(result)
    match result:
        case PingResult():
            return written | {"alive": result.alive}
        case OsResult():
            ttls = {str(port): ttl for port, ttl in result.ttls}
            return written | {"ports": _ports_document(result.ports), "ttls": ttls}
        case WindowsResult():
            return written | {"ports": _ports_document(result.ports)}
        case SmtpResult():
            return written | {
                "greeting": _reply_text(result.greeting),
                "greeting_reply": written["greeting"],
                "ehlo": list(result.ehlo.lines) if result.ehlo else [],
                "ehlo_reply": written["ehlo"],
                "speaks_smtp": result.speaks_smtp,
            }
        case _:
            return written


def _ports_document(ports: Iterable[tuple[int, PortState]]) -> Document:
    return {str(port): str(state) for port, state in ports}


def _outcome_from_document(document: Mapping[str, Any], cls: type[T]) -> Outcome[T]:
    if not document["measured"]:
        return NotMeasured(document["reason"])
    plain = dict(document)
    if cls in {OsResult, WindowsResult}:
        # Some came later: facts of former versions have none.
        for name in ("ports", "ttls"):
            plain[name] = [(int(port), value) for port, value in document.get(name, {}).items()]
    if cls is SmtpResult:
        plain |= {"greeting": document["greeting_reply"], "ehlo": document["ehlo_reply"]}
    started = datetime.fromisoformat(document["started"])
    return Measured(_decode(plain, cls), started, float(document["seconds"]))


def _os_meaning(facts: Facts) -> Document:
    match facts.os:
        case Measured(result):
            reading = read_os(result)
            return {
                "name": reading.name,
                "accuracy": reading.accuracy,
                "family": reading.family,
                "generation": reading.generation,
                "role": str(reading.role),
            }
        case _:
            return {}


def _smtp_meaning(facts: Facts) -> Document:
    match facts.smtp:
        case Measured():
            return {"function": str(mail_function(facts))}
        case _:
            return {}


def _verdict_from_document(document: Mapping[str, Any]) -> Verdict:
    return Verdict(
        label=Label(document["label"]),
        probability=float(document["probability"]),
        client_windows_without_mail_service=document["rule_client_windows_without_mail_service"],
        prior=float(document.get("prior", 0.0)),
        evidence=tuple(
            Evidence(
                rule=item["rule"],
                family=Family(item["family"]),
                weight=float(item["weight"]),
                because=item["because"],
            )
            for item in document["evidence"]
        ),
        would_change=tuple(document["would_change"]),
        rules=document["rules"],
    )


def _reply_text(reply: Reply | None) -> str | None:
    return None if reply is None else f"{reply.code} " + "\n".join(reply.lines)


def _decode(plain: object, cls: type[T]) -> T:
    return msgspec.convert(plain, cls, dec_hook=_decode_address)


def _decode_address(cls: type, value: Any) -> Any:
    if cls in {IPv4Address, IPv6Address}:
        return cls(value)
    raise NotImplementedError
