"""What tracing found, as values: sessions, the connections that ordered them, and why we say so."""

from dataclasses import dataclass
from enum import StrEnum

from botprobe.model.mail import IpAddress
from botprobe.observers.proxytrace.orders import Order
from botprobe.observers.proxytrace.smtp import SentMail


class Answer(StrEnum):
    """How sure it is who ordered a session."""

    PROVEN = "proven"
    """The same bytes went through both legs."""
    ORDERED = "ordered"
    """An order for this destination came just before, and nothing contradicts it."""
    SUSPICION = "suspicion"
    """One leg is encrypted: only times and sizes fit."""
    EQUAL = "two-equal"
    """Two connections fit equally well: nobody is named."""
    NONE = "none-found"
    """Nobody's connection fits: the host's own mail, or an order that was not captured."""
    ONE_LEG = "one-leg"
    """An order and its tunnel were captured, but not what the proxy opened for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Something that speaks for a connection."""

    name: str
    points: float
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderingClient:
    """A connection that may have ordered a session."""

    address: IpAddress
    port: int
    proxy: IpAddress
    proxy_port: int
    at: float
    """When the order came; if none was read, when the connection opened. Seconds since 1970."""
    order: Order | None
    reasons: tuple[Reason, ...]

    @property
    def score(self) -> float:
        """All that speaks for it."""
        return sum(reason.points for reason in self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an SMTP session said."""

    helo: str | None
    greeting: str | None
    mails: tuple[SentMail, ...]
    more_mails: int
    """Beyond those that are remembered."""
    encrypted: bool
    gaps: int
    """Places where bytes of the client are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An SMTP session that left a proxy, or that was ordered from one."""

    proxy: IpAddress
    proxy_port: int | None
    """None if this leg was not captured."""
    victim: IpAddress | str
    victim_port: int
    opened: float
    """Seconds since 1970."""
    said: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A session and who ordered it."""

    session: Session
    answer: Answer
    origin: OrderingClient | None
    rivals: tuple[OrderingClient, ...] = ()
    """Others that fit, the best first."""
    margin: float | None = None
    """Points between the first and the second."""
