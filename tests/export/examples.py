"""Findings to export: a bot by IPv4, one by IPv6, and one whose words are hostile."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

from botprobe.export.base import Publication
from botprobe.model.finding import Finding
from botprobe.model.target import Target
from botprobe.model.verdict import Evidence, Family
from tests.cases import NOON, bot_case

PUBLICATION = Publication(
    made=NOON + timedelta(days=1),
    organisation="Example Trap",
    contact="abuse@trap.example",
    zone="bots.example",
)

HOSTILE = "=cmd|' /C calc'!A0\r\nBcc: victim@example.net\x1b[31m \u202e<script>alert(1)</script>"


def finding(ip: str, *, because: str = "Windows XP is a client", delivered: int = 3) -> Finding:
    """Return the finding of a bot."""
    case = bot_case()
    evidence = Evidence(rule="client-windows", family=Family.OS, weight=2.0, because=because)
    return Finding(
        case=replace(
            case,
            target=Target(ip_address(ip), case.target.sightings),
            verdict=replace(case.verdict, evidence=(evidence,)),
        ),
        first_seen=NOON - timedelta(days=3),
        delivered=delivered,
        expires=NOON + timedelta(days=14),
    )


def findings() -> list[Finding]:
    """Return three findings."""
    return [
        finding("198.18.10.1"),
        finding("2001:db8::10:1"),
        finding("198.18.10.3", because=HOSTILE),
    ]


MAIL = {
    "schema": "botprobe/mail/1",
    "file": "new/1.mail",
    "message_id": "<trap.trap=trap.example@spam.example>",
    "from": "seller@spam.example",
    "to": ["Trap.Trap@trap.example"],
    "subject": "Buy now, trap.trap@trap.example",
    "date": None,
    "envelope_to": "trap.trap@trap.example",
    "boundary": {"basis": "private", "hop": 1, "note": ""},
    "hops": [
        {
            "index": 0,
            "trust": "own",
            "for": "<secret@inside.example>",
            "at": None,
            "raw": "from mx by store.inside.example for <secret@inside.example>; D",
        },
        {
            "index": 1,
            "trust": "boundary",
            "for": "<trap.trap@trap.example>",
            "at": "2026-11-22T11:59:57Z",
            "raw": "from x ([198.18.10.1]) by mx for <trap.trap@trap.example>;\r\n D",
        },
    ],
    "errors": [],
}
