"""The names of a host: which of them counts, and what it says about the line."""

from collections.abc import Iterable
from dataclasses import dataclass

from botprobe.classify.addressnames import NameKind, name_kind
from botprobe.classify.mailfunction import same_name
from botprobe.model.mail import IpAddress
from botprobe.model.outcome import Measured, Outcome
from botprobe.model.results import DnsResult, PtrName

_BEST_FIRST = {kind: place for place, kind in enumerate(NameKind)}
_LASTING = frozenset({NameKind.MAIL, NameKind.STATIC, NameKind.PLAIN})
_EXCUSES = frozenset({NameKind.MAIL, NameKind.STATIC})


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the names of a host say together."""

    name: PtrName | None = None
    """The one that suits a server best; None if there is none, or not measured."""
    kind: NameKind | None = None
    """What that name says about the line."""
    confirmed: frozenset[str] = frozenset()
    """Names that resolve back to the address, in the form in which names are compared."""

    @property
    def may_change_hands(self) -> bool:
        """Whether somebody else may have the address soon: unless a confirmed name denies it."""
        return self.name is None or not self.name.confirmed or self.kind not in _LASTING


NAMELESS = Naming()


def read_naming(outcome: Outcome[DnsResult], address: IpAddress) -> Naming:
    """Read the names of the host at ``address``.

    Among confirmed names, if there are any, the one that suits a server best counts. A name that
    is not confirmed can accuse but not excuse: whoever holds the address can give it any name.
    """
    if not isinstance(outcome, Measured) or not outcome.result.names:
        return NAMELESS
    confirmed = [name for name in outcome.result.names if name.confirmed]
    name, kind = _best(confirmed or outcome.result.names, address)
    if kind in _EXCUSES and not name.confirmed:
        kind = NameKind.PLAIN
    names = frozenset(same_name(one.name) for one in confirmed)
    return Naming(name=name, kind=kind, confirmed=names)


def _best(names: Iterable[PtrName], address: IpAddress) -> tuple[PtrName, NameKind]:
    kinds = ((name, name_kind(name.name, address)) for name in names)
    return min(kinds, key=lambda pair: _BEST_FIRST[pair[1]])
