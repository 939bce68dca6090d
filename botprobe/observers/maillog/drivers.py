"""Who drives an abnormal day: the clients whose connections explain what is too many.

What a client wasted are its connections that handed in no mail. The clients with the most waste
above their own usual are taken away, one after the other, until alpha is back; how many it takes,
who they are and what they were refused for tells the causes apart.
"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from botprobe.observers.maillog.alarms import Alarm
from botprobe.observers.maillog.baseline import Score
from botprobe.observers.maillog.figures import ClientDay, Figures

MAX_DRIVERS = 20
# Alpha is back when it is within two robust standard deviations of its usual value.
BACK = -2.0
# So few clients with at least half of the excess are drivers; more are a crowd.
FEW = 3
HALF = 0.5
# The second and third are named from this share of the excess on.
WORTH_A_NAME = 0.1


class Cause(StrEnum):
    """What is behind an abnormal day."""

    SMTP_DOS = "smtp-dos"
    """Few clients connect very often and try to hand in next to nothing."""
    SIMPLE_ERROR = "simple-error"
    """Few clients repeat mails that are refused: a broken program, or guessing of addresses."""
    REMOVED_ACCOUNTS = "removed-accounts"
    """Many known clients write to users that no longer exist."""
    DISTRIBUTED_BURST = "distributed-burst"
    """Many clients, most of them not seen before: a botnet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One client that drives the day."""

    client: int
    """Its number in the tally."""
    connects: int
    """N_c(A)."""
    accepted: int
    rejects: int
    share: float
    """Of the day's N_c."""
    excess_share: float
    """Of all that was wasted above the usual."""
    alpha_without: float | None
    """The day's alpha without this client and the drivers before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The drivers of a day, heaviest first, and what they tell."""

    drivers: tuple[Driver, ...]
    cause: Cause | None
    """None if nothing above the usual was wasted."""
    crowd: int
    """Clients that wasted more than usual."""
    new_share: float
    """Share of the excess by clients not seen on the days compared with."""


def attribute(
    day: Figures,
    clients: Mapping[int, ClientDay],
    usual_days: Sequence[Mapping[int, ClientDay]],
    alarm: Alarm,
    left_out: frozenset[int],
) -> Attribution:
    """Find the drivers of a day.

    Args:
        day: the figures of the day.
        clients: what each client did on it.
        usual_days: what each client did on the days compared with.
        alarm: why the day is abnormal; a client that surges is a driver in any case.
        left_out: clients that do not count.
    """
    excess = _excess(clients, usual_days, left_out)
    total = sum(excess.values())
    if not total or alarm.alpha is None:
        return Attribution(drivers=(), cause=None, crowd=0, new_share=0.0)
    drivers = _taken_away(day, clients, excess, alarm.alpha, alarm.surging)
    known = frozenset().union(*(usual.keys() for usual in usual_days))
    new_share = sum(n for client, n in excess.items() if client not in known) / total
    cause = _cause(day, drivers, new_share, total, sure=alarm.surging is not None)
    return Attribution(
        drivers=tuple(_to_blame(drivers, cause, known)),
        cause=cause,
        crowd=len(excess),
        new_share=new_share,
    )


def _taken_away(
    day: Figures,
    clients: Mapping[int, ClientDay],
    excess: Mapping[int, float],
    alpha: Score,
    surging: int | None,
) -> list[Driver]:
    """Take the clients with the most excess away, one after the other, until alpha is back."""
    target = math.exp(alpha.usual + BACK * alpha.scale)
    total, connects, mails = sum(excess.values()), day.connects, day.mails
    drivers: list[Driver] = []
    for client in sorted(excess, key=excess.__getitem__, reverse=True)[:MAX_DRIVERS]:
        if connects <= 0 or (client != surging and mails / connects >= target):
            continue
        did = clients[client]
        connects -= did.connects
        mails = max(0, mails - did.accepted)
        drivers.append(
            Driver(
                client=client,
                connects=did.connects,
                accepted=did.accepted,
                rejects=did.rejects,
                share=did.connects / day.connects,
                excess_share=excess[client] / total,
                alpha_without=mails / connects if connects > 0 else None,
            )
        )
    return drivers


def _to_blame(drivers: Sequence[Driver], cause: Cause, known: AbstractSet[int]) -> list[Driver]:
    """Choose whom a filter and a probe may be pointed at.

    In a crowd that is nobody who is known or hands mail in: where accounts were removed, all of
    the crowd are ordinary correspondents.
    """
    match cause:
        case Cause.SMTP_DOS | Cause.SIMPLE_ERROR:
            return [driver for driver in drivers[:FEW] if driver.excess_share >= WORTH_A_NAME]
        case Cause.DISTRIBUTED_BURST:
            return [d for d in drivers if d.client not in known and not d.accepted]
        case Cause.REMOVED_ACCOUNTS:
            return []


def _excess(
    clients: Mapping[int, ClientDay],
    usual_days: Sequence[Mapping[int, ClientDay]],
    left_out: frozenset[int],
) -> dict[int, float]:
    nothing = ClientDay()
    excess = {}
    for client, did in clients.items():
        if did.wasted and client not in left_out:
            usual = median([d.get(client, nothing).wasted for d in usual_days] or [0])
            if did.wasted > usual:
                excess[client] = did.wasted - usual
    return excess


def _cause(
    day: Figures, drivers: Sequence[Driver], new_share: float, total: float, *, sure: bool
) -> Cause:
    few = drivers[:FEW]
    if (few and sure) or sum(driver.excess_share for driver in few) >= HALF:
        refused = sum(driver.rejects for driver in few)
        connected = sum(driver.connects for driver in few)
        return Cause.SIMPLE_ERROR if refused >= HALF * connected else Cause.SMTP_DOS
    unknown = day.rejects.get("user-unknown", 0)
    if unknown >= HALF * total and new_share < HALF:
        return Cause.REMOVED_ACCOUNTS
    return Cause.DISTRIBUTED_BURST
