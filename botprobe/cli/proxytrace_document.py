"""``botprobe/proxytrace/1``: what tracing found, as other programs read it (docs/proxytrace.md)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botprobe.contract.case import rfc3339
from botprobe.model.mail import IpAddress
from botprobe.observers.capture import CaptureNotes
from botprobe.observers.proxytrace.advice import Advice
from botprobe.observers.proxytrace.model import OrderingClient, Trace
from botprobe.observers.proxytrace.proxylogs import LoggedOrigin, LogTracing
from botprobe.observers.proxytrace.smtp import SentMail
from botprobe.observers.proxytrace.trace import OriginSummary, Tracing
from botprobe.observers.reading import ReadNotes

SCHEMA = "botprobe/proxytrace/1"


def capture_document(
    tracing: Tracing, notes: CaptureNotes, to_do: Sequence[Advice]
) -> dict[str, Any]:
    """Write what captures told."""
    return {
        "schema": SCHEMA,
        "source": "capture",
        "proxies": [
            {
                "ip": str(one.address),
                "ports": list(one.ports),
                "mail_sessions": one.mail_sessions,
                "orders": one.orders,
                "because": one.because,
            }
            for one in tracing.proxies
        ],
        "origins": [_summary(one) for one in tracing.origins],
        "traces": [_trace(one, tracing.own_domains) for one in tracing.traces],
        "refused_orders": [{"ip": str(ip), "answer": why} for ip, why in tracing.refused_orders],
        "own_domains": list(tracing.own_domains),
        "advice": _advice(to_do),
        "read": {
            "files": notes.files,
            "packets": notes.packets,
            "unread": tracing.unread + notes.strangers,
            "dropped": tracing.dropped,
            "damaged": notes.damaged,
        },
    }


def log_document(tracing: LogTracing, notes: ReadNotes, to_do: Sequence[Advice]) -> dict[str, Any]:
    """Write what a proxy's logs told."""
    return {
        "schema": SCHEMA,
        "source": "log",
        "origins": [_logged(one) for one in tracing.origins],
        "advice": _advice(to_do),
        "read": {
            "files": notes.files,
            "lines": tracing.lines,
            "unread": tracing.unread,
            "too_long": tracing.too_long,
            "samples": tracing.samples,
            "damaged": notes.damaged,
        },
    }


def stamp(seconds: float) -> str:
    """Write a moment of a capture."""
    return rfc3339(datetime.fromtimestamp(seconds, tz=UTC))


def ours(mail: SentMail, own_domains: Sequence[str]) -> bool | None:
    """Say whether a mail has to do with our own domains; None if the operator named none."""
    if not own_domains:
        return None
    return any(
        domain == own or domain.endswith(f".{own}")
        for domain in mail.domains
        for own in own_domains
    )


def _summary(one: OriginSummary) -> dict[str, Any]:
    return {
        "ip": str(one.address),
        "sessions": one.sessions,
        "mails": one.mails,
        "recipients": one.recipients,
        "victims": one.victims,
        "first": stamp(one.first),
        "last": stamp(one.last),
        "answers": {str(answer): count for answer, count in one.answers},
        "ways": list(one.ways),
    }


def _trace(one: Trace, own_domains: Sequence[str]) -> dict[str, Any]:
    session, said = one.session, one.session.said
    return {
        "answer": str(one.answer),
        "proxy": {"ip": str(session.proxy), "port": session.proxy_port},
        "victim": {"host": str(session.victim), "port": session.victim_port},
        "opened": stamp(session.opened),
        "helo": said.helo,
        "greeting": said.greeting,
        "encrypted": said.encrypted,
        "gaps": said.gaps,
        "mails": [_mail(mail, own_domains) for mail in said.mails],
        "more_mails": said.more_mails,
        "origin": None if one.origin is None else _origin(one.origin),
        "rivals": [_origin(rival) for rival in one.rivals],
        "margin": one.margin,
    }


def _mail(mail: SentMail, own_domains: Sequence[str]) -> dict[str, Any]:
    return {
        "from": mail.sender,
        "to": mail.recipients,
        "recipients": mail.recipient_count,
        "bytes": mail.size,
        "domains": sorted(mail.domains),
        "ours": ours(mail, own_domains),
        "received": mail.received or [],
    }


def _origin(one: OrderingClient) -> dict[str, Any]:
    return {
        "ip": str(one.address),
        "port": one.port,
        "proxy": {"ip": str(one.proxy), "port": one.proxy_port},
        "at": stamp(one.at),
        "order": None
        if one.order is None
        else _order(one.order.way, one.order.host, one.order.port),
        "score": round(one.score, 3),
        "reasons": [
            {"name": why.name, "points": why.points, "because": why.because} for why in one.reasons
        ],
    }


def _order(way: str, host: IpAddress | str, port: int) -> dict[str, Any]:
    return {"way": str(way), "host": str(host), "port": port}


def _logged(one: LoggedOrigin) -> dict[str, Any]:
    return {
        "ip": str(one.address),
        "orders": one.orders,
        "refused": one.refused,
        "first": None if one.first is None else rfc3339(one.first),
        "last": None if one.last is None else rfc3339(one.last),
        "destinations": one.destinations,
        "more_destinations": one.more_destinations,
    }


def _advice(to_do: Sequence[Advice]) -> list[dict[str, Any]]:
    return [{"program": one.program, "file": one.file, "lines": list(one.lines)} for one in to_do]
