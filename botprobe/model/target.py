"""One address to investigate, and the mails that led to it."""

from dataclasses import dataclass
from datetime import datetime

from botprobe.model.mail import IpAddress, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One hop of one mail that named the address."""

    file: str
    message_id: str | None
    sender: str | None
    recipients: tuple[str, ...]
    hop: int
    """Index of the hop in the mail, 0 is the newest."""
    trust: Trust
    helo: str | None = None
    auth: str | None = None
    """Authenticated user, or the mechanism where the writer gives no user."""
    at: datetime | None = None
    """When the writer of the hop took the mail."""
    delivered_at: datetime | None = None
    """When our own server took it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One address that may be investigated now."""

    address: IpAddress
    sightings: tuple[Sighting, ...] = ()
    """Empty if an operator named the address."""

    def __str__(self) -> str:
        return str(self.address)
