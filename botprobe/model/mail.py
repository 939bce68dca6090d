"""A mail as its header block tells it: who it says it is from, and which way it came.

Trace information is described in RFC 5321, section 4.4: each server on the way puts one
``Received`` field on top, so the newest hop stands first.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

import msgspec

IpAddress = IPv4Address | IPv6Address


class HopStatus(StrEnum):
    """What became of one ``Received`` field."""

    PARSED = "parsed"
    IGNORED = "ignored"
    """A line that names no sending host by design: local pickup, LMTP, ``by`` only, a fetcher."""
    UNPARSEABLE = "unparseable"


class Trust(StrEnum):
    """How far the address of a hop can be believed."""

    OWN = "own"
    """Written by us, and the peer is ours too."""
    BOUNDARY = "boundary"
    """The outside peer that our own server saw with its own eyes: surely true."""
    CLAIMED = "claimed"
    """Below the boundary: may be true, may be forged."""
    FORGED = "forged"
    """Contradicted; the reasons say by what."""
    SYNTHETIC = "synthetic"
    """From ``X-Originating-IP`` and the like, not from a ``Received`` field."""


class BoundaryBasis(StrEnum):
    """On what ground a hop was taken for the boundary."""

    CONFIG = "config"
    PRIVATE = "private"
    AUTH = "auth"
    MAILBOX = "mailbox"
    FIRST_HOP = "first-hop"
    NONE = "none"


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One ``Received`` field, each value from the slot that the writing server fills itself.

    A Struct, as a frozen dataclass of this many fields takes eight times as long to build, and
    that would be a fifth of the time it takes to read a mail.
    """

    index: int
    """Position in the header, 0 is the newest."""
    status: HopStatus
    raw: str
    """The field's value, unfolded."""
    ip: IpAddress | None = None
    rdns: str | None = None
    """Name of the peer as the writer resolved it; never a copy of the HELO."""
    rdns_verified: bool | None = None
    """Whether the writer also resolved the name back to the address; None is unknown."""
    helo: str | None = None
    by: str | None = None
    ident: str | None = None
    """RFC 1413 user of the peer."""
    auth: str | None = None
    """Authenticated user, or the mechanism where the writer gives no user."""
    protocol: str | None = None
    """The ``with`` clause: ESMTP, ESMTPSA, HTTP, ..."""
    id: str | None = None
    envelope_from: str | None = None
    recipient: str | None = None
    """The ``for`` clause."""
    at: datetime | None = None
    """When the writer took the mail, in UTC."""
    trust: Trust | None = None
    reasons: tuple[str, ...] = ()
    """Why it is trusted that far, and what speaks for or against its being forged."""

    def judged(self, trust: Trust | None, reasons: tuple[str, ...]) -> "Hop":
        """The same hop with another trust."""
        return msgspec.structs.replace(self, trust=trust, reasons=reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """Where the outside begins: the hop whose peer handed the mail to us."""

    basis: BoundaryBasis
    hop: int | None = None
    """Index of the boundary hop; None is "boundary unknown"."""
    note: str = ""
    """One sentence on the decision, or on what to configure where it could not be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The header block of one message and the chain of hops read from it."""

    file: str
    """Where it was read: a path, ``-`` for standard input, ``mbox:N`` behind an mbox's path."""
    message_id: str | None = None
    sender: str | None = None
    """The address of the From field."""
    recipients: tuple[str, ...] = ()
    """The addresses of the To field."""
    subject: str | None = None
    date: datetime | None = None
    envelope_from: str | None = None
    """Return-Path."""
    envelope_to: str | None = None
    """Delivered-To."""
    delivered_at: datetime | None = None
    """When our own server took it: the date of the newest hop that can be believed."""
    boundary: Boundary = Boundary(basis=BoundaryBasis.NONE)
    hops: tuple[Hop, ...] = ()
    """Newest first; synthetic hops last."""
    errors: tuple[str, ...] = ()
    """What was damaged, cut or skipped while reading."""

    @property
    def source_ip(self) -> IpAddress | None:
        """The address that delivered the mail to us, None where the boundary is unknown."""
        if self.boundary.hop is None:
            return None
        return next((hop.ip for hop in self.hops if hop.index == self.boundary.hop), None)

    def trust_of(self, hop: Hop) -> Trust | None:
        """Return how far a hop of this mail is trusted.

        The boundary is it whatever the line is: a trusted host may have told of the peer in a
        line that anybody can write (X-Originating-IP).
        """
        return Trust.BOUNDARY if hop.index == self.boundary.hop else hop.trust
