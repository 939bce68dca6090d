"""What an observer tells of an address: the part of a dossier that nobody had to ask for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from botprobe.model.mail import IpAddress
from botprobe.model.results import MailLogTraffic, ObservedTraffic, ProxyTraffic, RouterTraffic


class Observer(StrEnum):
    """Who saw it; each fills the field of ``TrafficResult`` that has its name."""

    MAILLOG = "maillog"
    ROUTER = "router"
    PROXYTRACE = "proxytrace"


OBSERVERS: dict[type[ObservedTraffic], Observer] = {
    MailLogTraffic: Observer.MAILLOG,
    RouterTraffic: Observer.ROUTER,
    ProxyTraffic: Observer.PROXYTRACE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one observer saw of one address, as of one moment."""

    address: IpAddress
    seen: datetime
    """When the host was last seen (aware UTC): a time of the traffic, not of our run."""
    saw: ObservedTraffic

    @property
    def observer(self) -> Observer:
        """Who saw it."""
        return OBSERVERS[type(self.saw)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Why an observer wants an address to be probed, and since when."""

    at: datetime
    why: str
