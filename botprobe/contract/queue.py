"""How the work stands, as JSON (``botprobe queue --json``)."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from botprobe.contract.case import rfc3339
from botprobe.model.work import QueueStatus

SCHEMA = "botprobe/queue/1"


def queue_document(status: QueueStatus, now: datetime) -> dict[str, Any]:
    """Write the document; ages are seconds."""
    return {
        "schema": SCHEMA,
        "at": rfc3339(now),
        "ranks": [
            {
                "rank": one.rank.name.lower(),
                "due": one.due,
                "oldest_seconds": one.oldest,
                "under_way": one.claimed,
                "planned": one.planned,
            }
            for one in status.ranks
        ],
        "retried": status.retried,
        "given_up": status.given_up,
        "workers": [
            {
                **asdict(one.presence),
                "started": rfc3339(one.started),
                "silent_seconds": one.silent,
            }
            for one in status.workers
        ],
    }
