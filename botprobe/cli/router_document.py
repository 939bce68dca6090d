"""The router's table as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botprobe.contract.case import rfc3339
from botprobe.observers.capture import CaptureNotes
from botprobe.observers.router.credit import Action, CreditRule
from botprobe.observers.router.table import Judgement, Standing, own_ratio


def router_document(
    judged: Sequence[Judgement],
    rule: CreditRule,
    notes: CaptureNotes | None = None,
    taken: Action = Action.ACCEPT,
) -> dict[str, Any]:
    """Build the document of a table.

    Args:
        judged: the table.
        rule: by which it was judged.
        notes: what was read, if it comes from captures.
        taken: what is done to suspects now; a report only accepts.
    """
    return {
        "schema": "botprobe/router/1",
        "rule": {
            "smtp": rule.smtp,
            "mailbox": rule.mailbox,
            "threshold": rule.threshold,
            "floor": rule.floor,
            "sampling": rule.sampling,
        },
        "site_ratio": own_ratio(one.entry for one in judged),
        "captures": None
        if notes is None
        else {"files": notes.files, "packets": notes.packets, "damaged": notes.damaged},
        "addresses": [_address(one, taken) for one in judged],
    }


def _address(judged: Judgement, taken: Action) -> dict[str, Any]:
    entry = judged.entry
    action = taken if judged.standing is Standing.SUSPECT else Action.ACCEPT
    return {
        "ip": str(entry.address),
        "credit": entry.credit,
        "nat": entry.is_shared if entry.systems else None,
        "mail_server": entry.answers,
        "action": action.name.lower(),
        "standing": judged.standing.value,
        "sprt": judged.test.name.lower(),
        "smtp_packets": entry.smtp,
        "mailbox_packets": entry.mailbox,
        "one_way_packets": entry.one_way,
        "smtp_connections": entry.sends,
        "mailbox_connections": entry.fetches,
        "destinations": entry.destinations,
        "systems": entry.systems,
        "last": rfc3339(datetime.fromtimestamp(entry.last, UTC)),
    }
