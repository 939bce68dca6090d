"""How well abnormal days and their drivers are found: simulated months with planted events.

Each month belongs to a server of its own (size, alpha, noise, clients), has 56 days of history and
30 days that are judged. Planted: one driver client or a burst of new clients on some days, a DNS
outage, a public holiday that no calendar lists. Seeds are fixed; nothing is tuned to them.
"""

import argparse
import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from statistics import median

from botprobe.observers.maillog.alarms import AlarmKind, judge_day
from botprobe.observers.maillog.drivers import attribute
from botprobe.observers.maillog.figures import ClientDay, Figures
from botprobe.observers.maillog.surges import USUAL_DAYS, find_surge

HISTORY, JUDGED = 56, 30
FIRST = date(2026, 1, 5)
M_SMTP = 8.8
DRIVER = 10_000
SHARES = (0.02, 0.05, 0.10, 0.20, 0.40, 0.60, 0.80)
# Clients that come once and waste what they do, a working day, from server to server; none of them
# as much as a hundredth of N_c. Deviation of the logarithm of their number, from day to day.
STRANGERS = (10, 80)
STRANGERS_VARY = 0.3


@dataclass(frozen=True, slots=True)
class Planted:
    """What was put into a day."""

    what: str
    share: float = 0.0
    """Of the day's N_c."""


NOTHING = Planted("nothing")


@dataclass(slots=True)
class Server:
    """One simulated server."""

    chance: random.Random
    connects: float = 0.0
    alpha: tuple[float, float] = (0.0, 0.0)
    """On working days and on holidays."""
    noise: float = 0.0
    """Standard deviation of alpha's logit from day to day."""
    weights: list[float] = field(default_factory=list)
    strangers: float = 0.0
    newest: int = DRIVER
    """The number of the client that was seen last for the first time."""

    def __post_init__(self) -> None:
        chance = self.chance
        self.connects = 10 ** chance.uniform(2.7, 4.3)
        self.alpha = (chance.uniform(0.55, 0.85), chance.uniform(0.30, 0.60))
        self.noise = chance.uniform(0.08, 0.20)
        self.weights = [1 / rank ** chance.uniform(0.7, 1.2) for rank in range(1, 61)]
        self.strangers = chance.uniform(*STRANGERS)

    def day(self, day: date, planted: Planted) -> tuple[Figures, dict[int, ClientDay]]:
        """Simulate one day."""
        chance, known = self.chance, self.newest
        holiday = day.weekday() >= 5
        quiet = holiday or planted.what == "holiday"
        level = self.connects * (0.45 if quiet else 1.0) * math.exp(chance.gauss(0, 0.12))
        logit = math.log(self.alpha[quiet] / (1 - self.alpha[quiet])) + chance.gauss(0, self.noise)
        alpha = 1 / (1 + math.exp(-logit))
        if planted.what == "outage":
            alpha *= 0.3
        clients = self._clients(level, alpha) | self._strangers(level, quiet=quiet)
        if planted.what == "driver":
            extra = round(level * planted.share / (1 - planted.share))
            clients[DRIVER] = ClientDay(extra, 0, extra)
        elif planted.what == "burst":
            extra = round(level * planted.share / (1 - planted.share))
            for _ in range(min(300, extra)):
                clients[self._stranger()] = ClientDay(max(1, extra // 300), 0, 0)
        connects = sum(did.connects for did in clients.values())
        asked = M_SMTP * connects * (0.4 if planted.what == "outage" else 1.0)
        figures = Figures(
            day=day,
            holiday=holiday,
            connects=connects,
            mails=sum(did.accepted for did in clients.values()),
            statuses={},
            rejects={},
            postscreen={},
            queries=round(asked * math.exp(chance.gauss(0, 0.05))),
            strangers=sum(did.wasted for client, did in clients.items() if client > known),
            newcomers=sum(1 for client in clients if client > known),
        )
        return figures, clients

    def _stranger(self) -> int:
        self.newest += 1
        return self.newest

    def _strangers(self, level: float, *, quiet: bool) -> dict[int, ClientDay]:
        often = self.strangers * (0.45 if quiet else 1.0)
        many = round(often * math.exp(self.chance.gauss(0, STRANGERS_VARY)))
        sizes = [
            int(min(0.01, 0.0003 * self.chance.paretovariate(1.1)) * level + self.chance.random())
            for _ in range(many)
        ]
        return {self._stranger(): ClientDay(size, 0, size // 2) for size in sizes if size}

    def _clients(self, level: float, alpha: float) -> dict[int, ClientDay]:
        drawn = [w * math.exp(self.chance.gauss(0, 0.3)) for w in self.weights]
        total = sum(drawn)
        clients = {}
        for number, weight in enumerate(drawn):
            connects = round(level * weight / total)
            accepted = min(connects, round(connects * alpha * self.chance.uniform(0.9, 1.1)))
            clients[number] = ClientDay(connects, accepted, (connects - accepted) // 2)
        return clients


def plan(chance: random.Random) -> dict[int, Planted]:
    """Choose what happens on the judged days of a month: on five of thirty, something."""
    days = chance.sample(range(HISTORY, HISTORY + JUDGED), 5)
    events = (
        Planted("driver", chance.choice(SHARES)),
        Planted("driver", chance.choice(SHARES)),
        Planted("burst", chance.choice(SHARES)),
        Planted("outage"),
        Planted("holiday"),
    )
    return dict(zip(days, events, strict=True))


@dataclass(slots=True)
class Tallies:
    """What was found, over all months."""

    judged: int = 0
    planted: Counter[tuple[str, float]] = field(default_factory=Counter)
    found: Counter[tuple[str, float]] = field(default_factory=Counter)
    named: Counter[float] = field(default_factory=Counter)
    """Driver days whose planted client is named first."""
    wrongly: Counter[str] = field(default_factory=Counter)
    """Alarms on other days, by what was planted there."""
    fixed_found: Counter[tuple[str, float]] = field(default_factory=Counter)
    fixed_wrongly: Counter[str] = field(default_factory=Counter)
    causes: Counter[tuple[str, str]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """Kinds of the right alarms."""


def judge_month(seed: int, tallies: Tallies) -> None:
    """Simulate one month and judge its days, each by what was known until then."""
    chance = random.Random(seed)
    server, planned = Server(chance), plan(chance)
    figures: list[Figures] = []
    clients: list[dict[int, ClientDay]] = []
    for offset in range(HISTORY + JUDGED):
        planted = planned.get(offset, NOTHING)
        today, did = server.day(FIRST + timedelta(days=offset), planted)
        figures.append(today)
        clients.append(did)
        figures[-1] = today = replace(today, surge=find_surge(offset, figures, clients))
        if offset >= HISTORY:
            _judge(today, figures, clients, planted, tallies)


def _judge(
    today: Figures,
    figures: list[Figures],
    clients: list[dict[int, ClientDay]],
    planted: Planted,
    tallies: Tallies,
) -> None:
    tallies.judged += 1
    key = (planted.what, planted.share)
    abuse = planted.what in {"driver", "burst"}
    tallies.planted[key] += abuse
    # The fixed rule that one would write: alpha below half of the median of all days so far.
    usual = median(day.alpha or 0.0 for day in figures[:-1])
    if (today.alpha or 0.0) < usual / 2:
        if abuse:
            tallies.fixed_found[key] += 1
        else:
            tallies.fixed_wrongly[planted.what] += 1
    alarm = judge_day(today, figures)
    if alarm is None or alarm.kind is AlarmKind.ALPHA_FALLS:
        return  # the latter says itself that it is the server, not the clients
    if not abuse:
        tallies.wrongly[planted.what] += 1
        return
    tallies.found[key] += 1
    alike = [i for i, day in enumerate(figures[:-1]) if day.holiday == today.holiday]
    tallies.kinds[alarm.kind] += 1
    usual_days = [clients[i] for i in alike[-USUAL_DAYS:]]
    found = attribute(today, clients[-1], usual_days, alarm, frozenset())
    tallies.causes[planted.what, str(found.cause)] += 1
    if planted.what == "driver" and found.drivers and found.drivers[0].client == DRIVER:
        tallies.named[planted.share] += 1


def show(tallies: Tallies) -> Iterator[str]:
    """Yield the lines of the table."""
    years = tallies.judged / 365
    yield f"{tallies.judged} days judged ({years:.1f} years)"
    yield " planted  share  days  recall  driver named  fixed rule"
    for key in sorted(tallies.planted):
        what, share = key
        days, found = tallies.planted[key], tallies.found[key]
        if not days:
            continue
        named = f"{tallies.named[share]}/{found}" if what == "driver" else ""
        fixed = tallies.fixed_found[key] / days
        yield f"{what:>8} {share:6.0%} {days:5} {found / days:7.2f} {named:>13} {fixed:11.2f}"
    for name, found_by, wrong in (
        ("ours", tallies.found, tallies.wrongly),
        ("fixed rule", tallies.fixed_found, tallies.fixed_wrongly),
    ):
        right, all_wrong = found_by.total(), wrong.total()
        precision = right / (right + all_wrong) if right + all_wrong else math.nan
        yield (
            f"{name}: precision {precision:.3f}, recall {right / tallies.planted.total():.3f}, "
            f"false alarms a year {all_wrong / years:.2f} {dict(wrong)}"
        )
    first = tallies.named.total()
    drivers = sum(n for (what, _), n in tallies.found.items() if what == "driver")
    yield f"driver named first on {first} of {drivers} driver days with an alarm"
    yield f"kinds of the right alarms: {dict(tallies.kinds)}"
    yield f"causes: {dict(tallies.causes)}"


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    tallies = Tallies()
    for month in range(wanted.months):
        judge_month(wanted.seed * 1_000_000 + month, tallies)
    print("\n".join(show(tallies)))


if __name__ == "__main__":
    main()
