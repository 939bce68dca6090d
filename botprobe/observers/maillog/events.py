"""What one hour of one log file says, before anything is concluded from it."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

# Enough to see what kind of line it is.
MAX_SAMPLES = 5
MAX_SAMPLE_BYTES = 300


class Way(StrEnum):
    """Where a delivery went."""

    LOCAL = "local"
    """To a mailbox, a program or a queue of this host."""
    LOOPBACK = "loopback"
    """To a content filter on this host, which hands the mail back."""
    REMOTE = "remote"

    __hash__ = str.__hash__  # a million deliveries are counted by it; that of Enum is slow


@dataclass(slots=True)
class Unread:
    """Lines that could not be understood: how many, and the first of them."""

    count: int = 0
    too_long: int = 0
    """Of these, lines that nobody would hold in memory."""
    samples: list[bytes] = field(default_factory=list)

    def add(self, line: bytes) -> None:
        """Count one line and keep it if it is among the first."""
        self.count += 1
        if len(self.samples) < MAX_SAMPLES:
            self.samples.append(line[:MAX_SAMPLE_BYTES])

    def skip(self, head: bytes) -> None:
        """Count a line that is too long to be read, and keep its beginning as of any other."""
        self.too_long += 1
        self.add(head)

    def update(self, other: "Unread") -> None:
        """Add the lines of another part of the log."""
        self.count += other.count
        self.too_long += other.too_long
        self.samples += other.samples[: MAX_SAMPLES - len(self.samples)]


@dataclass(slots=True)
class HourEvents:
    """Counts of one hour; clients are addresses as the log writes them."""

    stamp: bytes
    """The start of the time stamps, hour included: ``Oct 22 02`` or ``2023-03-14T00``."""
    lines: int = 0
    connects: list[bytes] = field(default_factory=list)
    """The client of each SMTP connection: whoever adds hours up counts faster than we do."""
    accepted: list[bytes] = field(default_factory=list)
    """The client of each mail that got a queue id over SMTP."""
    rejects: defaultdict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """The client of each refused command, by kind; an empty one cannot be believed."""
    actions: Counter[str] = field(default_factory=Counter)
    """Other actions of access tables: discard, hold, filter, redirect, ..."""
    queue: list[bytes] = field(default_factory=list)
    """Queue ids in the order of the log: of mails that become active, and of those that end."""
    active: list[bool] = field(default_factory=list)
    """For each of them: True where the mail becomes active (``from=``), False where it ends."""
    deliveries: Counter[tuple[Way, str]] = field(default_factory=Counter)
    """Deliveries per way and status."""
    pickups: int = 0
    """Mails that a local program handed in."""
    sasl_failures: Counter[bytes] = field(default_factory=Counter)
    logins: Counter[str] = field(default_factory=Counter)
    """POP3 and IMAP logins per protocol."""
    postscreen: Counter[str] = field(default_factory=Counter)
    """Events of postscreen by its own words: CONNECT, PASS OLD, PREGREET, ..."""
    unread: Unread = field(default_factory=Unread)

    def refuse(self, client: bytes, kind: str) -> None:
        """Count one refused command."""
        self.rejects[kind].append(client)

    def queued(self, queue_id: bytes, *, active: bool) -> None:
        """Count one mail that becomes active, or ends."""
        self.queue.append(queue_id)
        self.active.append(active)
