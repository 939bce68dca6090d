"""What is to be done about an address, and who does it: plans, claims, and what came in.

The host table of the store is the truth about work; no queue and no memory is.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from botprobe.model.mail import IpAddress, Mail
from botprobe.model.target import Target

# What the reason of a host begins with that was given up.
GIVEN_UP = "given up"


class Rank(IntEnum):
    """Who goes first; a bot of a minute ago may be gone in the next."""

    FRESH = 0
    """Handed a mail to us a moment ago."""
    CLAIMED = 1
    """Named by a mail of a moment ago."""
    BACKLOG = 2
    """Handed us a mail that lay in the mailbox for long."""
    BACKLOG_CLAIMED = 3
    LATER = 4
    """A later look, or another try: the only rank whose due time may lie ahead."""
    SUSPECT = 5
    """Named by an observer, not by a mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one mail asks to be done about one address."""

    address: IpAddress
    rank: Rank
    refused: str | None = None
    """Why nothing is done, None if the address is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail in a mailbox, and what it asks for."""

    key: str
    """Digest of mailbox and file; the same file has the same key wherever it is moved inside."""
    mail: Mail
    arrived: datetime
    """When the file was written."""
    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to investigate one address, until the lease ends or somebody else claims it."""

    target: Target
    rank: Rank
    due: datetime
    """When it became due: the arrival of its mail, or the time of a later look."""
    attempt: int
    """Number of the claim, never used twice for one address."""
    tries: int
    """How many claims in a row ended without a case, this one included."""
    first_looked: datetime | None = None
    """When the address was probed for the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostHistory:
    """What the store knows of an address beside its cases."""

    address: IpAddress
    first_seen: datetime
    last_seen: datetime
    sightings: int
    """How many mails named it."""
    due: datetime | None
    """When it is or was to be looked at next; None: nothing is planned."""
    refused: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What a worker says of itself while it lives."""

    owner: str
    """Its name, as in its claims."""
    vantage: str
    """Where it looks from."""
    concurrency: int
    under_way: int = 0
    finished: int = 0
    """How many hosts it has concluded since it started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A worker, as the store knows it."""

    presence: Presence
    started: datetime
    silent: float
    """Seconds since it said that it lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankDepth:
    """How many hosts of a rank there are in the host table."""

    rank: Rank
    due: int
    """Due, and claimed by nobody."""
    oldest: float | None
    """Seconds for which the first of them has been due."""
    planned: int
    """Due later."""
    claimed: int
    """Being investigated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """How the work stands."""

    ranks: tuple[RankDepth, ...]
    retried: int
    """Hosts whose latest claims ended without a case, and which are tried again."""
    given_up: int
    """Hosts whose claims ended without a case so often that nobody tries again."""
    workers: tuple[WorkerStatus, ...]
