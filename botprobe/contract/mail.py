"""``botprobe/mail/1``: the header block of one mail and its hops, as other programs read it."""

from datetime import datetime
from typing import Any

from botprobe.contract.case import rfc3339
from botprobe.model.mail import Hop, Mail

SCHEMA = "botprobe/mail/1"

Document = dict[str, Any]


def mail_document(mail: Mail) -> Document:
    """Write a mail as a JSON-ready mapping."""
    return {
        "schema": SCHEMA,
        "file": mail.file,
        "message_id": mail.message_id,
        "from": mail.sender,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "date": _moment(mail.date),
        "envelope_from": mail.envelope_from,
        "envelope_to": mail.envelope_to,
        "delivered": _moment(mail.delivered_at),
        "source_ip": str(mail.source_ip) if mail.source_ip else None,
        "boundary": {
            "basis": str(mail.boundary.basis),
            "hop": mail.boundary.hop,
            "note": mail.boundary.note,
        },
        "hops": [hop_document(hop) for hop in mail.hops],
        "errors": list(mail.errors),
    }


def hop_document(hop: Hop) -> Document:
    """Write a hop under the names that RFC 5321 gives to the clauses of its field."""
    return {
        "index": hop.index,
        "status": str(hop.status),
        "trust": str(hop.trust) if hop.trust else None,
        "ip": str(hop.ip) if hop.ip else None,
        "rdns": hop.rdns,
        "rdns_verified": hop.rdns_verified,
        "helo": hop.helo,
        "by": hop.by,
        "ident": hop.ident,
        "auth": hop.auth,
        "with": hop.protocol,
        "id": hop.id,
        "envelope_from": hop.envelope_from,
        "for": hop.recipient,
        "at": _moment(hop.at),
        "reasons": list(hop.reasons),
        "raw": hop.raw,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
