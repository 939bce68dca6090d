"""Findings as JSON lines and as CSV (docs/export.md, docs/schemas/finding.schema.json)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from botprobe.classify.oscatalog import OsReading, read_os
from botprobe.export.base import Publication, instant
from botprobe.model.finding import Finding
from botprobe.model.outcome import Measured
from botprobe.model.text import spreadsheet_cell

SCHEMA = "botprobe/finding/1"

COLUMNS = (
    "ip",
    "label",
    "probability",
    "handed_to_us",
    "mails",
    "first_seen",
    "last_seen",
    "expires",
    "evidence_id",
    "os_name",
    "os_family",
    "os_generation",
    "os_role",
    "reasons",
)


def finding_record(finding: Finding) -> dict[str, Any]:
    """Write a finding as a flat, JSON-ready mapping; no recipient is in it."""
    case = finding.case
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "ip": str(finding.address),
        "label": str(case.verdict.label),
        "probability": round(case.verdict.probability, 4),
        "rule_client_windows_without_mail_service": (
            case.verdict.client_windows_without_mail_service
        ),
        "handed_to_us": finding.handed_to_us,
        "mails": finding.delivered,
        "first_seen": instant(finding.first_seen),
        "last_seen": instant(case.started),
        "expires": instant(finding.expires),
        "evidence_id": finding.evidence_id,
        "reasons": [evidence.because for evidence in case.verdict.evidence if evidence.weight > 0],
    }
    reading = OsReading()
    match case.facts.os:
        case Measured(result):
            reading = read_os(result)
    return record | {
        "os_name": reading.name,
        "os_family": reading.family,
        "os_generation": reading.generation,
        "os_role": str(reading.role),
    }


def json_lines(findings: Iterable[Finding], _: Publication) -> Iterator[str]:
    """Write one JSON object per line."""
    for finding in findings:
        yield json.dumps(finding_record(finding), ensure_ascii=True) + "\n"


def csv_lines(findings: Iterable[Finding], _: Publication) -> Iterator[str]:
    """Write one line per finding after a line of names (RFC 4180)."""
    yield _csv_line(COLUMNS)
    for finding in findings:
        record = finding_record(finding)
        record["reasons"] = "; ".join(record["reasons"])
        cells = (record[name] for name in COLUMNS)
        yield _csv_line(spreadsheet_cell(it) if isinstance(it, str) else it for it in cells)


def _csv_line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
