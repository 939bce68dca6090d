"""Whom an observer suspects is made due, and so probed by the next watch, within its limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from botprobe.model.mail import IpAddress
from botprobe.scope.addresses import Scope, unmapped
from botprobe.store.base import HostTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What became of the suspects."""

    due: tuple[IpAddress, ...] = ()
    """Those that are to be probed now."""
    known: tuple[IpAddress, ...] = ()
    """Those that were due already, or were looked at within the cool-down."""
    refused: tuple[tuple[IpAddress, str], ...] = ()
    """Those that must not be probed, each with the reason."""


async def hand_over(
    suspects: Mapping[IpAddress, str], *, store: HostTable, scope: Scope, cooldown: timedelta
) -> Handover:
    """Put addresses into the host table as due, where any worker finds them.

    No packet is sent here: budgets are spent, and the scope is asked again, by whoever probes.

    Args:
        suspects: whom the observer suspects, and why: a clause for the dossier, such as
            ``drove the abnormal load of 2026-10-05``.
        store: whose host table it is.
        scope: who may be probed.
        cooldown: who was decided on within this time is left alone.

    Raises:
        StoreError: the store fails; nobody became due.
    """
    wanted = {unmapped(address): why for address, why in suspects.items()}
    reasons = {address: scope.refusal(address) for address in wanted}
    allowed = {address: why for address, why in wanted.items() if reasons[address] is None}
    due = tuple(await store.suspect(allowed, cooldown)) if allowed else ()
    return Handover(
        due=due,
        known=tuple(address for address in allowed if address not in due),
        refused=tuple((address, reason) for address, reason in reasons.items() if reason),
    )
