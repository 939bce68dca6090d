"""The spring of 2003 at Kumamoto University, as published, made anew as logs.

Musashi, Matsuba and Sugitani: alpha 0.70 on weekdays and 0.35 on holidays, N_f = 0.95 N_c in
trend, D_q = 8.8 N_c + N_p; on 2003-04-13 16 relay denied, 2 recipients rejected and 13,505 users
unknown (accounts had been removed), alpha 0.21; on 2003-07-05 7, 0 and 32,028, from one client,
alpha 0.11. The published s = 0.95 cannot come from days with alpha 0.70 (a line through the
origin would need alpha 0.95): here N_f = 0.95 N_c - c, which has both.
"""

import random
from datetime import date, timedelta

from tests.observers.maillog.synthetic import REFUSED, RELAY, Day, Visit

FIRST, LAST = date(2003, 3, 14), date(2003, 7, 15)
REMOVED_ACCOUNTS, ONE_CLIENT = date(2003, 4, 13), date(2003, 7, 5)
CULPRIT = "198.51.100.77"
SERVER = "192.0.2.25"
M_SMTP, S = 8.8, 0.95
LOST = 37.5
"""The constant c: connections of each day that never bring a mail."""
CLIENTS = tuple(f"203.0.113.{number}" for number in range(1, 61))


def spring() -> list[Day]:
    """Return all days of the study."""
    chance = random.Random(2003)
    days = []
    for offset in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=offset)
        if day == REMOVED_ACCOUNTS:
            days.append(_removed_accounts(day, chance))
        elif day == ONE_CLIENT:
            days.append(_one_client(day, chance))
        else:
            days.append(_usual(day, chance))
    return days


def queries(days: list[Day]) -> list[int]:
    """Return D_q of each day by the published model, with one per cent of noise."""
    chance = random.Random(88)
    return [round(chance.gauss(1, 0.01) * M_SMTP * day.connects) + day.logins for day in days]


def _usual(day: date, chance: random.Random) -> Day:
    # LOST / N_c is 0.25 on weekdays and 0.60 on holidays: alpha is 0.70 and 0.35.
    middle = LOST / 0.60 if day.weekday() >= 5 else LOST / 0.25
    connects = round(chance.gauss(middle, middle * 0.04))
    mails = max(1, round(S * connects - LOST + chance.gauss(0, 0.7)))
    counts = _spread(mails, chance)
    idle = _spread(connects - mails, chance)
    visits = [Visit(client=c, accepted=counts[c], idle=idle[c]) for c in CLIENTS]
    return Day(day, tuple(visits), logins=chance.randrange(20, 60))


def _removed_accounts(day: date, chance: random.Random) -> Day:
    unknown = _spread(13_505, chance)
    mails = _spread(3_595, chance)
    visits = [Visit(client=c, accepted=mails[c], refused=unknown[c]) for c in CLIENTS]
    visits.append(Visit(client=CLIENTS[0], refused=16, reply=RELAY))
    visits.append(Visit(client=CLIENTS[1], refused=2, reply=REFUSED))
    return Day(day, tuple(visits), logins=40)


def _one_client(day: date, chance: random.Random) -> Day:
    mails = _spread(3_959, chance)
    visits = [Visit(client=c, accepted=mails[c]) for c in CLIENTS]
    visits.append(Visit(client=CLIENTS[0], refused=7, reply=RELAY))
    visits.append(Visit(client=CULPRIT, refused=32_028))
    return Day(day, tuple(visits), logins=40)


def _spread(count: int, chance: random.Random) -> dict[str, int]:
    counts = dict.fromkeys(CLIENTS, 0)
    for _ in range(count):
        counts[chance.choice(CLIENTS)] += 1
    return counts
