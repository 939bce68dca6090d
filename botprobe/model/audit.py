"""Who is asked what, on whose account and by which rule: written down before the first packet."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

from botprobe.model.mail import IpAddress

IpNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The permission to investigate one address, as it is asked for."""

    address: IpAddress
    """An IPv4 address as itself, never as mapped."""
    network: IpNetwork
    """Around it, as far as budgets are counted together."""
    owner: str
    """Who probes: host and process."""
    source: str | None = None
    """The address that the packets leave from, where it is known."""
    asked: tuple[str, ...] = ()
    """The questions in words: protocol and ports of each."""
    rule: str = ""
    """What allowed it, in words."""
    mails: tuple[str, ...] = ()
    """The mails that caused it: file and Message-ID, the newest few of them."""
    claimed: bool = False
    """The host table holds the address for this owner, so nobody else is at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was granted so far to all who share the store."""

    where: IpNetwork | None = None
    """The network around the address."""
    network: int = 0
    """In this network, within a day."""
    hour: int = 0
    day: int = 0
    total: int = 0
    probed: datetime | None = None
    """When the address was last probed."""


Decide = Callable[[Spent, datetime], str | None]
"""Says at a time why there is no room for one more investigation, None if there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A grant that was given."""

    address: IpAddress
    at: datetime
    owner: str
    source: str | None
    asked: tuple[str, ...]
    rule: str
    mails: tuple[str, ...]
