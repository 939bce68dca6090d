"""What was sent to whom and why, as JSON and as an answer to an abuse desk."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botprobe.contract.case import rfc3339
from botprobe.model.audit import AuditRow, IpNetwork
from botprobe.model.text import counted, visible

SCHEMA = "botprobe/audit/1"

# An abuse desk reads a page; the rest is in the log, and can be asked for.
LISTED = 50


def audit_row(row: AuditRow) -> dict[str, Any]:
    """Write one grant."""
    return {
        "at": rfc3339(row.at),
        "from": row.source,
        "to": str(row.address),
        "owner": row.owner,
        "asked": list(row.asked),
        "rule": row.rule,
        "mails": list(row.mails),
    }


def audit_document(
    network: IpNetwork, rows: Sequence[AuditRow], refused: Mapping[str, int]
) -> dict[str, Any]:
    """Write all grants of a network, newest first, and why others were refused there."""
    return {
        "schema": SCHEMA,
        "target": str(network),
        "granted": [audit_row(row) for row in rows],
        "refused": dict(refused),
    }


def abuse_reply(
    network: IpNetwork, rows: Sequence[AuditRow], organisation: str | None, contact: str | None
) -> str:
    """Write an answer to whoever asks what our packets were.

    Args:
        network: of the one who asks.
        rows: what was granted there, newest first; no more is claimed than stands in them.
        organisation: who we are, None if that is not set.
        contact: where to reach us.
    """
    if not rows:
        return _nothing_was_sent(network)
    sources = sorted({row.source for row in rows if row.source})
    parts = [
        "Dear colleagues,",
        "",
        f"the packets that you saw came from a spam trap of {organisation or 'ours'}. Each host",
        "that hands spam to it, or that such a mail names as its origin, is asked once what it is,",
        "to tell whether a stranger controls it. Nobody logged in, and no mail was offered.",
        "",
        f"Network:        {network}",
        f"From:           {', '.join(sources) or 'not recorded'}",
        f"First, last:    {rfc3339(rows[-1].at)}, {rfc3339(rows[0].at)}",
        f"Investigations: {len(rows)} of {counted(len({row.address for row in rows}), 'address')}",
        "",
        "At most this was sent in one investigation:",
        *(f"  - {visible(line)}" for line in rows[0].asked),
        "",
        "When, to whom, and why:",
        *_listed(rows),
        "",
        f"If you want to be left alone, tell {contact or 'us'} the network, the domain or the AS:",
        "it is taken out within a second and stays out. If a machine of yours sent us spam, we",
        "gladly send you the mail.",
        "",
    ]
    return "\n".join(parts)


def _nothing_was_sent(network: IpNetwork) -> str:
    return (
        f"Our log shows that none of our hosts sent any packet to {network} in the time that "
        "you ask about.\nPlease send us the address and the time in UTC that you saw.\n"
    )


def _listed(rows: Sequence[AuditRow]) -> Iterator[str]:
    for row in rows[:LISTED]:
        mail = f" ({visible(row.mails[0])})" if row.mails else ""
        yield f"  {rfc3339(row.at)}  {row.address}  {visible(row.rule)}{mail}"
    if len(rows) > LISTED:
        yield f"  and {len(rows) - LISTED} more"
