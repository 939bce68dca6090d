"""Which lines of a chain can be believed, and where the outside begins.

The words are SpamAssassin's: *trusted* hosts write no forgeries, *internal* ones are our own mail
exchangers and part of the trusted, an *MSA* takes mail from authenticated users only. Starting at
the newest line, which our own server wrote, the walk goes on as long as the peer is one of ours.
It fails closed: a line that cannot be read, names no address or was handed in on the spot gives
"boundary unknown", never the address of the line below it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from botprobe.intake.evidence import examine, helo_evidence
from botprobe.intake.literals import parse_literal
from botprobe.intake.networks import NO_NETWORKS, NetworkList, is_loopback, is_private
from botprobe.model.mail import Boundary, BoundaryBasis, Hop, HopStatus, IpAddress, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSettings:
    """What the operator says about the own side; all empty means inference."""

    trusted_networks: NetworkList = NO_NETWORKS
    internal_networks: NetworkList = NO_NETWORKS
    msa_networks: NetworkList = NO_NETWORKS
    own_hosts: frozenset[str] = frozenset()
    """Names of our mail servers in lower case; one with a leading dot stands for a domain."""
    mailbox_hosts: frozenset[str] = frozenset()
    """The same, inferred from a whole mailbox."""

    @property
    def has_networks(self) -> bool:
        """Whether the operator named the trusted networks, and inference is not asked for."""
        return bool(self.trusted_networks.entries or self.internal_networks.entries)


class Judgement(NamedTuple):
    """A chain with the trust of each hop and its boundary."""

    hops: tuple[Hop, ...]
    boundary: Boundary


class _Ours(NamedTuple):
    """The peer of a line is one of us."""

    basis: BoundaryBasis
    reason: str


class _Outside(NamedTuple):
    """The peer of a line is not one of us: the boundary."""


class _Through(NamedTuple):
    """A line of ours without a peer: a delivery inside of the machine, or a fetched mailbox."""


class _Unknown(NamedTuple):
    """What stands below this line cannot be believed, and it names nobody itself."""

    note: str


# qmail's own queue, between the line of the network and the delivery.
_QMAIL_QUEUE = re.compile(r"\(qmail [0-9]+ invoked (?:from network|by alias)\)")
_FETCHED = re.compile(r"pop[23]|apop|kpop|imap|odmr|etrn", re.IGNORECASE)
_HERE = frozenset(("localhost", "localhost.localdomain", "127.0.0.1", "::1"))


def judge_hops(
    hops: Sequence[Hop], settings: TrustSettings, below_fields: frozenset[int] = frozenset()
) -> Judgement:
    """Say how far each hop can be believed, and where the outside begins.

    Args:
        hops: the chain, newest first; synthetic hops last.
        settings: what is known about the own side.
        below_fields: indices of the lines that stand below other fields of the message.
    """
    walk = _Walk(settings)
    judged: list[Hop] = []
    boundary: Boundary | None = None
    above: Hop | None = None
    for position, line in enumerate(hops):
        hop = line
        if hop.trust is Trust.SYNTHETIC:
            judged.append(hop)
            continue
        if boundary is None:
            hop, boundary = walk.step(hop, position)
        else:
            hop = _claimed(hop, above, below_fields=hop.index in below_fields)
        judged.append(hop)
        above = hop if hop.status is not HopStatus.IGNORED else above
    return Judgement(tuple(judged), boundary or walk.end(judged))


def _claimed(hop: Hop, above: Hop | None, *, below_fields: bool) -> Hop:
    """A line below the boundary: claimed, or forged where something contradicts it."""
    if hop.status is HopStatus.IGNORED:
        return hop
    against, odd = examine(hop, above, below_fields=below_fields)
    trust = Trust.FORGED if against else Trust.CLAIMED
    if hop.trust is trust and not odd:
        return hop
    reasons = dict.fromkeys((*hop.reasons, *against, *odd))
    return hop.judged(trust, tuple(reasons))


@dataclass(slots=True)
class _Walk:
    """Where the walk down the own part of a chain stands."""

    settings: TrustSettings
    internal: bool = True
    """All peers so far are internal."""
    submitted: bool = False
    """An MSA took the mail from one of its own users."""
    from_here: bool = True
    """The line may have been written by a program on the machine of the line above."""
    provider: bool = False
    """The mail was fetched from a provider, whose names are not ours."""
    last: tuple[int, _Ours] | None = None

    def step(self, hop: Hop, position: int) -> tuple[Hop, Boundary | None]:
        """Judge the next line; a boundary ends the walk."""
        match self._look(hop):
            case _Ours() as ours:
                if self.last is None or self.last[1].basis is not BoundaryBasis.AUTH:
                    self.last = (hop.index, ours)
                self.from_here = hop.ip is not None and is_loopback(hop.ip)
                return hop.judged(Trust.OWN, (*hop.reasons, ours.reason)), None
            case _Outside():
                reasons = (*hop.reasons, *helo_evidence(hop))
                return hop.judged(Trust.BOUNDARY, reasons), self._found(hop)
            case _Unknown(note):
                note = f"line {position + 1} {note}"
                return hop.judged(None, (*hop.reasons, note)), _unknown(note)
            case _Through():
                self.provider = self.provider or _is_fetched(hop)
                return hop, None

    def end(self, hops: Iterable[Hop]) -> Boundary:
        """The boundary of a chain that has no outside peer."""
        synthetic = next((hop for hop in hops if hop.trust is Trust.SYNTHETIC), None)
        if self.last is None:
            return _unknown("no line names a peer")
        index, ours = self.last
        if ours.basis is BoundaryBasis.AUTH:
            return Boundary(basis=ours.basis, hop=index, note=ours.reason)
        if synthetic is not None and ours.basis is BoundaryBasis.CONFIG:
            return Boundary(basis=ours.basis, hop=synthetic.index, note="added by a trusted host")
        return _unknown("every line names one of our own hosts: the mail came from inside")

    def _look(self, hop: Hop) -> _Ours | _Outside | _Through | _Unknown:
        if hop.status is HopStatus.UNPARSEABLE:
            return _Unknown("cannot be read")
        if hop.status is HopStatus.IGNORED:
            return _look_at_ignored(hop)
        if not self._is_our_writer(hop):
            return _Unknown(
                f"was written by {hop.by or 'an unnamed host'}, which is not an own host"
            )
        if hop.ip is None:
            return _Unknown("names no address")
        return self._ours(hop, hop.ip) or _Outside()

    def _is_our_writer(self, hop: Hop) -> bool:
        """Whether the line was written on a machine of ours, where the operator named them."""
        settings = self.settings
        if not settings.own_hosts or self.provider or self.submitted:
            return True
        if settings.has_networks and self.last is not None:
            return True
        by = (hop.by or "").lower()
        return (self.from_here and by in _HERE) or is_named(by, settings.own_hosts)

    def _ours(self, hop: Hop, ip: IpAddress) -> _Ours | None:
        """Say why the peer is one of us; None where it is not."""
        if self.submitted:
            return _Ours(BoundaryBasis.AUTH, "submitted to our mail submission agent")
        ours = self._configured(ip) if self.settings.has_networks else self._inferred(hop, ip)
        if ours is not None and ip in self.settings.msa_networks:
            self.submitted = True
        return ours

    def _configured(self, ip: IpAddress) -> _Ours | None:
        """SpamAssassin's rules for networks that the operator named."""
        settings = self.settings
        trusted = settings.trusted_networks or settings.internal_networks
        internal = settings.internal_networks or settings.trusted_networks
        self.internal = self.internal and (is_loopback(ip) or ip in internal)
        if self.internal:
            word = "internal" if settings.internal_networks else "trusted"
            return _Ours(BoundaryBasis.CONFIG, f"{ip} is {word}")
        if is_loopback(ip) or ip in trusted:
            return _Ours(BoundaryBasis.CONFIG, f"{ip} is trusted")
        return None

    def _inferred(self, hop: Hop, ip: IpAddress) -> _Ours | None:
        settings = self.settings
        if is_private(ip):
            return _Ours(BoundaryBasis.PRIVATE, f"{ip} is a private address")
        if hop.protocol is not None and hop.protocol[:4].upper() == "LMTP":
            return _Ours(BoundaryBasis.PRIVATE, "LMTP is spoken inside of one system only")
        if hop.rdns is not None and hop.rdns_verified:
            if is_named(hop.rdns, settings.own_hosts):
                return _Ours(BoundaryBasis.CONFIG, f"{hop.rdns} is an own host")
            if is_named(hop.rdns, settings.mailbox_hosts):
                return _Ours(BoundaryBasis.MAILBOX, f"{hop.rdns} hands over the whole mailbox")
        return None

    def _found(self, hop: Hop) -> Boundary:
        settings = self.settings
        if hop.auth is not None:
            # Below may stand what a stolen account wrote: its address is the last sure thing.
            basis, note = BoundaryBasis.AUTH, f"authenticated to {hop.by} ({hop.auth})"
        elif self.last is not None:
            basis, note = self.last[1]
        elif settings.has_networks or settings.own_hosts:
            basis, note = BoundaryBasis.CONFIG, f"{hop.by} is ours, {hop.ip} is not"
        elif hop.by is not None and is_named(hop.by, settings.mailbox_hosts):
            basis, note = BoundaryBasis.MAILBOX, f"{hop.by} took the whole mailbox"
        else:
            basis, note = BoundaryBasis.FIRST_HOP, "the newest line was written by our own server"
        return Boundary(basis=basis, hop=hop.index, note=note)


def is_named(host: str, names: frozenset[str]) -> bool:
    """Whether a host is one of the names, or in one of the domains that begin with a dot."""
    name = host.lower().rstrip(".")
    while name:
        if name in names:
            return True
        _, dot, name = name.lstrip(".").partition(".")
        name = dot + name
    return False


def _look_at_ignored(hop: Hop) -> _Through | _Unknown:
    if _is_fetched(hop) or _is_handed_on(hop):
        return _Through()
    if hop.helo is not None:
        return _Unknown("names no address")
    return _Unknown("was written when the mail was handed in on the spot")


def _is_handed_on(hop: Hop) -> bool:
    """Whether the mail was given on inside of one system: LMTP, qmail's queue, Gmail's stores."""
    protocol = (hop.protocol or "").upper()
    if protocol.startswith("LMTP") or _QMAIL_QUEUE.match(hop.raw) is not None:
        return True
    return protocol == "SMTP" and hop.by is not None and parse_literal(hop.by) is not None


def _is_fetched(hop: Hop) -> bool:
    return hop.protocol is not None and _FETCHED.match(hop.protocol) is not None


def _unknown(note: str) -> Boundary:
    return Boundary(basis=BoundaryBasis.NONE, note=note)
