"""How the mails came that named a host: what our own server saw, and what the host called itself.

Only what our own server took from the host itself counts: every other line may be forged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from botprobe.classify.heloforms import HeloForm, helo_form
from botprobe.classify.mailfunction import same_name
from botprobe.model.mail import IpAddress, Trust
from botprobe.model.target import Sighting, Target

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The mails that named a host, read once for all rules."""

    named: bool
    """Whether any mail named it."""
    deliveries: tuple[Sighting, ...]
    """The mails that our own server took from the host itself."""
    authenticated: bool
    """Whether every mail that the host delivered was submitted by a user who logged in."""
    greetings: tuple[Sighting, ...]
    """Deliveries whose HELO counts: a mail program says what it likes where its user logged in."""
    names: frozenset[str]
    """What it called itself, in the form in which names are compared."""
    forms: Mapping[HeloForm, str]
    """Forms of its HELOs, each with the first one that has it."""

    @property
    def only_claimed(self) -> bool:
        """Whether no server of ours saw it deliver, though mails name it."""
        return self.named and not self.deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Readings of all mails that named a host, and of those that the host of today sent."""

    address: IpAddress
    whole: Receipt
    recent: Receipt
    """Without deliveries so long before the newest one that a former customer may have made
    them."""


def read_receipts(target: Target, is_fresh: Callable[[float], bool]) -> Receipts:
    """Read the mails that named the target.

    A delivery without a date may be of any age; where none has a date, nothing is left out.

    Args:
        target: the address, with the mails that named it.
        is_fresh: whether what was seen so many seconds earlier still holds, should the address
            be one that changes hands.
    """
    whole = _read(target.sightings, target.address)
    newest = max((seen.delivered_at or _LONG_AGO for seen in whole.deliveries), default=_LONG_AGO)
    recent = tuple(
        seen
        for seen in target.sightings
        if seen.trust is not Trust.BOUNDARY
        or is_fresh((newest - (seen.delivered_at or _LONG_AGO)).total_seconds())
    )
    return Receipts(
        address=target.address,
        whole=whole,
        recent=whole if recent == target.sightings else _read(recent, target.address),
    )


def _read(sightings: tuple[Sighting, ...], address: IpAddress) -> Receipt:
    deliveries = tuple(seen for seen in sightings if seen.trust is Trust.BOUNDARY)
    greetings = tuple(seen for seen in deliveries if seen.helo and seen.auth is None)
    helos = tuple(dict.fromkeys(seen.helo or "" for seen in greetings))
    return Receipt(
        named=bool(sightings),
        deliveries=deliveries,
        authenticated=bool(deliveries) and all(seen.auth is not None for seen in deliveries),
        greetings=greetings,
        names=frozenset(map(same_name, helos)),
        forms={helo_form(helo, address): helo for helo in reversed(helos)},
    )
