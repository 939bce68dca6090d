"""What alpha is too coarse for: one client far above its own usual, or many that nobody knew.

A bot that makes a tenth of the connections hardly moves alpha, but it stands out from its own past,
and so does a crowd of clients that were never seen before.
"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from statistics import median

from botprobe.observers.maillog.baseline import MAD_SCALE, MIN_DAYS
from botprobe.observers.maillog.figures import ClientDay, Figures, Surge
from botprobe.observers.maillog.tally import LogTally

# Days of the same kind that a client's usual is taken from.
USUAL_DAYS = 15
# Of N_c; smaller clients are not looked at.
MIN_SHARE = 0.01
# Robust standard deviations by which a client has to be above its own usual ...
FAR = 5.0
# ... each of them at least this share of N_c, and of the client's usual.
LEAST_OF_ALL = 0.002
LEAST_OF_OWN = 0.6
# More clients than this at once are a crowd.
FEW = 3
# So many days have to pass before a client that was never seen is a stranger.
FIRST_DAYS = 7

ClientDays = Mapping[int, ClientDay]
_NOTHING = ClientDay()


def with_surges(
    days: Sequence[Figures], tally: LogTally, left_out: AbstractSet[int]
) -> list[Figures]:
    """Return the days with the surges of their clients."""
    clients = _heavy_clients(days, tally, left_out)
    return [
        replace(
            day,
            surge=find_surge(number, days, clients),
            strangers=strangers if number >= FIRST_DAYS else None,
            newcomers=newcomers if number >= FIRST_DAYS else None,
        )
        for number, (day, (strangers, newcomers)) in enumerate(
            zip(days, _strangers(days, tally, left_out), strict=True)
        )
    ]


def find_surge(number: int, days: Sequence[Figures], clients: Sequence[ClientDays]) -> Surge | None:
    """Find the client that wasted the most connections above what is usual for it.

    Where more than a few do so at the same time, it is none of them.

    Args:
        number: position of the day.
        days: the figures of all days.
        clients: what the clients did on each day; those below MIN_SHARE may be left out.
    """
    today = days[number]
    usual_days = [clients[other] for other in _alike(number, days)]
    if len(usual_days) < MIN_DAYS:
        return None
    least = LEAST_OF_ALL * today.connects
    surges = [
        Surge(client=client, connects=did.connects, usual=usual, surplus=surplus)
        for client, did in clients[number].items()
        if did.wasted >= MIN_SHARE * today.connects
        for usual, surplus in [_surplus(client, did, usual_days, least)]
        if surplus > 0
    ]
    if len(surges) > FEW:
        return None
    return max(surges, key=lambda surge: surge.surplus, default=None)


def _surplus(
    client: int, did: ClientDay, usual_days: Sequence[ClientDays], least: float
) -> tuple[float, float]:
    """Return a client's usual connections, and those of today that are far too many and useless."""
    before = [day.get(client, _NOTHING) for day in usual_days]
    usual = median(one.connects for one in before)
    spread = MAD_SCALE * median(abs(one.connects - usual) for one in before)
    scale = max(spread, LEAST_OF_OWN * usual, least, math.sqrt(usual + 1))
    if did.connects - usual < FAR * scale:
        return usual, 0.0
    # Connections that are as useful as ever are no surge, and neither are usual ones that fail.
    wasted = median(one.wasted for one in before)
    return usual, max(0.0, min(did.connects - usual, did.wasted - wasted))


def _alike(number: int, days: Sequence[Figures]) -> list[int]:
    """Return the positions of the days to compare with, as ``baseline.score`` chooses them."""
    holiday = days[number].holiday
    before = [other for other in range(number) if days[other].holiday == holiday][-USUAL_DAYS:]
    if len(before) >= MIN_DAYS:
        return before
    behind = [other for other in range(number + 1, len(days)) if days[other].holiday == holiday]
    return before + behind[: USUAL_DAYS - len(before)]


def _heavy_clients(
    days: Sequence[Figures], tally: LogTally, left_out: AbstractSet[int]
) -> list[dict[int, ClientDay]]:
    """Return what those did on each day that were heavy on any: few enough for the memory."""
    heavy = {
        client
        for day in days
        for client, connects in tally.days[day.day].connects
        if connects >= MIN_SHARE * day.connects and client not in left_out
    }
    found = []
    for day in days:
        clients = tally.days[day.day]
        connects = {c: n for c, n in clients.connects if c in heavy}
        accepted = {c: n for c, n in clients.accepted if c in heavy}
        found.append({c: ClientDay(n, accepted.get(c, 0)) for c, n in connects.items()})
    return found


def _strangers(
    days: Sequence[Figures], tally: LogTally, left_out: AbstractSet[int]
) -> list[tuple[int, int]]:
    """Return what clients that no day before knew wasted on each day, and how many wasted all.

    Clients are numbered in the order of their appearance, so these are the highest numbers.
    """
    known = -1
    found = []
    for day in days:
        clients = tally.days[day.day]
        connects = {c: n for c, n in clients.connects if c > known and c not in left_out}
        accepted = {c: n for c, n in clients.accepted if c > known and c not in left_out}
        wasted = max(0, sum(connects.values()) - sum(accepted.values()))
        found.append((wasted, len(connects.keys() - accepted.keys())))
        known = max((c for c, _ in clients.connects), default=known)
    return found
