"""Abuse reports as mails, ready to be looked through and sent by a person.

ARF (RFC 5965) and XARF 4 (https://xarf.org). botprobe never sends them: a verdict may be wrong, and
who answers for an address is for a person to find out. Only the host that handed the mail to us is
reported; every hop below may be forged.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from botprobe import __version__
from botprobe.contract.wording import dns_line, os_line, ping_line, ports_line, smtp_line
from botprobe.errors import InputError
from botprobe.export.base import Publication, instant, stable_uuid
from botprobe.export.redaction import redacted_header
from botprobe.model.finding import Finding
from botprobe.model.text import visible

# The contract of XARF: longer descriptions are refused.
MAX_DESCRIPTION = 1_000

# Mails are sent as they are written: no line may be longer (RFC 5322, section 2.1.1).
_POLICY = policy.SMTP.clone(max_line_length=None, utf8=False)


def arf_mail(finding: Finding, mail: Mapping[str, Any], publication: Publication) -> bytes:
    """Write a report about one host in the Abuse Reporting Format.

    Args:
        finding: the host; it must have handed a mail to us.
        mail: the mail, a ``botprobe/mail/1`` document.
        publication: who reports.

    Raises:
        ConfigError: nobody is named who reports.
        InputError: the host did not deliver to us itself.
    """
    report = _envelope(finding, publication)
    report["Content-Type"] = 'multipart/report; report-type="feedback-report"'
    report.attach(_part("text/plain", _text(finding)))
    report.attach(_part("message/feedback-report", _feedback(finding, mail)))
    report.attach(_part("text/rfc822-headers", redacted_header(mail)))
    return report.as_bytes(policy=_POLICY)


def xarf_mail(finding: Finding, mail: Mapping[str, Any], publication: Publication) -> bytes:
    """Write a report about one host as a mail with an XARF document; arguments as ``arf_mail``."""
    report = _envelope(finding, publication)
    report["X-XARF"] = "PLAIN"
    report["Content-Type"] = "multipart/mixed"
    document = json.dumps(xarf_document(finding, mail, publication), indent=2)
    report.attach(_part("text/plain", _text(finding)))
    attached = _part("application/json", document + "\n")
    attached["Content-Disposition"] = 'attachment; filename="xarf.json"'
    report.attach(attached)
    return report.as_bytes(policy=_POLICY)


def xarf_document(
    finding: Finding, mail: Mapping[str, Any], publication: Publication
) -> dict[str, Any]:
    """Write the report of a bot in XARF's category "infrastructure"; arguments as ``arf_mail``."""
    organisation, contact = publication.signature
    party = {"org": organisation, "contact": contact, "domain": contact.rpartition("@")[2]}
    reasons = "; ".join(evidence.because for evidence in finding.case.verdict.evidence)
    return {
        "xarf_version": "4.2.0",
        "report_id": str(stable_uuid("xarf", finding.evidence_id)),
        "timestamp": instant(finding.case.started),
        "reporter": party,
        "sender": party,
        "source_identifier": str(finding.address),
        "category": "infrastructure",
        "type": "botnet",
        "compromise_evidence": visible(reasons)[:MAX_DESCRIPTION] or "see the evidence",
        "bot_capabilities": ["spam"],
        "evidence_source": "spamtrap",
        "confidence": round(finding.case.verdict.probability, 4),
        "description": f"{finding.evidence_id}; expires {instant(finding.expires)}",
        "evidence": [
            _evidence("text/plain", "what the host answered", _text(finding)),
            _evidence("message/rfc822", "header of a mail, redacted", redacted_header(mail)),
        ],
    }


def _envelope(finding: Finding, publication: Publication) -> EmailMessage:
    if not finding.handed_to_us:
        raise InputError(f"{finding.address} did not deliver to us itself: no report")
    organisation, contact = publication.signature
    report = EmailMessage(policy=_POLICY)
    report["From"] = contact
    report["Subject"] = f"Abuse report: {finding.address} sends spam as part of a botnet"
    report["Date"] = format_datetime(publication.made)
    report["Message-ID"] = make_msgid(domain=contact.rpartition("@")[2])
    report["Organization"] = visible(organisation)
    report["Auto-Submitted"] = "auto-generated"
    report["X-Botprobe-Evidence"] = finding.evidence_id
    report["MIME-Version"] = "1.0"
    return report


def _part(kind: str, text: str) -> EmailMessage:
    part = EmailMessage(policy=_POLICY)
    part["Content-Type"] = f'{kind}; charset="utf-8"' if kind.startswith("text/") else kind
    data = text.encode("utf-8", "replace")
    if data.isascii() and max(map(len, data.splitlines()), default=0) < 990:
        part["Content-Transfer-Encoding"] = "7bit"
        part.set_payload(text)
    else:
        part["Content-Transfer-Encoding"] = "base64"
        part.set_payload(base64.encodebytes(data).decode("ascii"))
    return part


def _feedback(finding: Finding, mail: Mapping[str, Any]) -> str:
    lines = [
        "Feedback-Type: abuse",
        f"User-Agent: botprobe/{__version__}",
        "Version: 1",
        f"Source-IP: {finding.address}",
        f"Incidents: {finding.delivered}",
    ]
    hops = {hop["index"]: hop for hop in mail["hops"]}
    arrived = hops.get(mail["boundary"]["hop"], {}).get("at")
    if arrived:
        lines.append(f"Arrival-Date: {_rfc5322(arrived)}")
    return "\n".join(lines) + "\n"


def _text(finding: Finding) -> str:
    case = finding.case
    facts = case.facts
    reasons = [
        f"  {evidence.weight:+.1f}  {visible(evidence.because)}"
        for evidence in case.verdict.evidence
    ]
    return "\n".join(
        (
            f"The host {finding.address} handed {finding.delivered} unsolicited mails to us and",
            f"is taken for: {case.verdict.label} (probability {case.verdict.probability:.2f}).",
            "",
            f"Looked at:  {instant(case.started)} (first {instant(finding.first_seen)})",
            f"Evidence:   {finding.evidence_id}",
            f"Expires:    {instant(finding.expires)}",
            f"Ping:       {ping_line(facts.ping)}",
            f"System:     {os_line(facts.os)}",
            f"Ports:      {ports_line(facts.os)}",
            f"Port 25:    {smtp_line(facts.smtp)}",
            f"Names:      {dns_line(facts.dns)}",
            "",
            "Why (log-odds; + speaks for a bot):",
            *reasons,
            "",
        )
    )


def _evidence(kind: str, description: str, text: str) -> dict[str, Any]:
    data = text.encode("utf-8", "replace")
    return {
        "content_type": kind,
        "description": description,
        "payload": base64.b64encode(data).decode("ascii"),
        "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "size": len(data),
    }


def _rfc5322(text: str) -> str:
    return format_datetime(datetime.fromisoformat(text))
