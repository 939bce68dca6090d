"""What was concluded about a host, and everything that it was concluded from."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from botprobe.model.facts import Facts
from botprobe.model.target import Target


class Label(StrEnum):
    """What a host is taken for."""

    BOT = "bot"
    SUSPECTED_BOT = "suspected-bot"
    OPEN_PROXY = "open-proxy"
    MAIL_SERVER = "mail-server"
    OTHER_SERVER = "other-server"
    NAT_OR_SHARED = "nat-or-shared"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    NOT_PROBED = "not-probed"


class Family(StrEnum):
    """Kinds of evidence that are not independent of each other: one capped vote each."""

    ADDRESS = "address"
    OS = "os"
    SERVICE = "service"
    RECEIPT = "receipt"
    REPUTATION = "reputation"
    PROXY = "proxy"
    TRAFFIC = "traffic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one rule found."""

    rule: str
    family: Family
    weight: float
    """Log-odds (natural logarithm); positive speaks for a bot."""
    because: str
    """A clause fit for a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A label, how sure it is, and why."""

    label: Label
    probability: float
    """That the host is a bot, 0 to 1."""
    client_windows_without_mail_service: bool | None = None
    """Endo's rule (2009); None where it could not be decided."""
    prior: float = 0.0
    """Log-odds before anything is known; with all evidence they are those of the probability."""
    evidence: tuple[Evidence, ...] = ()
    """Heaviest first."""
    would_change: tuple[str, ...] = ()
    """What would alter the label, nearest first."""
    rules: str = ""
    """Version and hash of the table of weights that it stands on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One investigation of one address: facts and verdict kept together."""

    target: Target
    started: datetime
    seconds: float
    facts: Facts
    verdict: Verdict
    lag_seconds: float | None = None
    """From the delivery of the newest mail that named the address to the first probe."""
    refused: str | None = None
    """Why no packet was sent, None if the host was probed."""
    vantage: str | None = None
    """From which place it was seen, where there are several."""
