"""What p0f saw of a host while it delivered, which no router can answer for a minute later."""

from datetime import datetime, timedelta

from botprobe.classify.receipt import Receipt
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import PassiveResult

# RFC 5321, section 4.5.3.2.6: so long a client waits until its mail is taken. What p0f saw earlier
# or later may be another customer's of the same line.
SESSION = timedelta(minutes=10)


def seen_at_delivery(facts: Facts, receipt: Receipt) -> str | None:
    """Return p0f's name of the system that delivered; None if it is not sure of one."""
    match facts.passive:
        case Measured(PassiveResult(system=str(system), fuzzy=False) as seen) if any(
            _near(seen.last_seen, sighting.delivered_at) for sighting in receipt.deliveries
        ):
            return f"{system} {seen.flavor or ''}".strip()
        case _:
            return None


def is_windows(name: str) -> bool:
    """Whether a system of p0f is a Windows, of which it knows no editions."""
    return name.startswith("Windows")


def _near(seen: datetime | None, delivered_at: datetime | None) -> bool:
    return seen is not None and delivered_at is not None and abs(seen - delivered_at) <= SESSION
