"""A verdict fit to be published: for how long it holds, and by which name its evidence is found."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botprobe.model.mail import IpAddress
from botprobe.model.verdict import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The latest case of one host, and what the store knows around it."""

    case: Case
    first_seen: datetime
    """The first look at the host."""
    delivered: int
    """Mails that the host handed to our own servers."""
    expires: datetime
    """When the finding is published no more: addresses change hands."""

    @property
    def address(self) -> IpAddress:
        """The host."""
        return self.case.target.address

    @property
    def evidence_id(self) -> str:
        """The name of the host log, which holds all that was seen."""
        host = str(self.address).replace(":", "-")
        return f"{host}_{self.case.started.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    @property
    def handed_to_us(self) -> bool:
        """Whether the host delivered to us: a hop further down may be forged, this one is true."""
        return self.delivered > 0

    def seconds_left(self, now: datetime) -> int:
        """Return for how many whole seconds the finding still holds."""
        return max(0, (self.expires - now) // timedelta(seconds=1))
