"""A synthetic day of a site: 1,300 machines with labels, and what each of them mails, by minute.

All numbers are assumptions, written down here and tuned to nothing: how many of each kind there
are, how often they send and fetch, and how many small packets that takes.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

DAY = 24 * 60
WORK = range(8 * 60, 18 * 60)
# Small packets of a client: one mail, one look into a mailbox (capturemaker counts 10 and 8).
PER_MAIL, PER_LOOK = (8, 12), (6, 10)
BOT_RATES = (10, 30, 100, 300, 1_000, 3_000)
"""Mails of a bot in a day; as many bots of each."""


class Kind(StrEnum):
    """What a machine is."""

    BOT = "bot"
    USER = "user with POP or IMAP"
    WEBMAIL = "webmail only"
    DEVICE = "scanner, monitor"
    MAIL_SERVER = "mail server"
    GATEWAY = "mail gateway"
    NEWSLETTER = "newsletter sender"
    NAT = "NAT, users only"
    NAT_WITH_BOT = "NAT with a bot"
    ASYMMETRIC = "asymmetric sender"
    FORGED = "forger's victim"


NUMBERS = {
    Kind.BOT: 4 * len(BOT_RATES),
    Kind.USER: 800,
    Kind.WEBMAIL: 330,
    Kind.DEVICE: 40,
    Kind.MAIL_SERVER: 10,
    Kind.GATEWAY: 5,
    Kind.NEWSLETTER: 6,
    Kind.NAT: 30,
    Kind.NAT_WITH_BOT: 10,
    Kind.ASYMMETRIC: 35,
    Kind.FORGED: 10,
}


class Minute(NamedTuple):
    """What a router sees of a machine in a minute."""

    at: int
    spam: int
    """Mails of a bot."""
    mails: int
    looks: int
    sent: int
    """Small packets to ports that take mail."""
    fetched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An address of the site, and its day."""

    kind: Kind
    answers: bool = False
    """It greets whoever asks it on port 25."""
    systems: int = 1
    """How many TCP/IP stacks are seen behind the address."""
    seen_answered: bool = True
    """Whether answers to its mail pass the same router."""
    minutes: tuple[Minute, ...] = ()


@dataclass(slots=True)
class _Day:
    """When a machine does what."""

    luck: random.Random
    spam: Counter[int]
    mails: Counter[int]
    looks: Counter[int]

    def minutes(self) -> Iterator[Minute]:
        for at in sorted(self.spam | self.mails | self.looks):
            spam, mails, looks = self.spam[at], self.mails[at], self.looks[at]
            sent = sum(self.luck.randint(*PER_MAIL) for _ in range(spam + mails))
            fetched = sum(self.luck.randint(*PER_LOOK) for _ in range(looks))
            yield Minute(at, spam, mails, looks, sent, fetched)

    def user(self) -> None:
        """Send a few, and look by hand or by a timer while at work."""
        self._add(self.mails, _poisson(self.luck, self.luck.expovariate(1 / 5)), WORK)
        start = self.luck.choice(WORK[:120])
        if self.luck.random() < 0.8:
            every = self.luck.choice((5, 10, 15, 30))
            self.looks.update(range(start, start + self.luck.randint(240, 600), every))
        else:
            self._add(self.looks, 1 + 3 * sum(self.mails.values()), WORK)

    def send(self, number: float, when: range = range(DAY)) -> None:
        """Send so many on the mean, and fetch none."""
        self._add(self.mails, _poisson(self.luck, number), when)

    def spew(self, number: float) -> None:
        """Send spam in a few hours of the day."""
        start = self.luck.randrange(DAY - 360)
        self._add(self.spam, _poisson(self.luck, number), range(start, start + 360))

    def _add(self, to: Counter[int], number: int, when: range) -> None:
        to.update(self.luck.choices(when, k=number))


def machines(seed: int) -> list[Machine]:
    """Return all machines of a day."""
    luck = random.Random(seed)
    return [_machine(luck, kind, n) for kind, count in NUMBERS.items() for n in range(count)]


def _machine(luck: random.Random, kind: Kind, number: int) -> Machine:
    day = _Day(luck, Counter(), Counter(), Counter())
    _LIVES[kind](day, number)
    shared = kind in {Kind.NAT, Kind.NAT_WITH_BOT}
    return Machine(
        kind=kind,
        # A few that only send have closed their port 25.
        answers=kind is Kind.MAIL_SERVER
        or (kind in {Kind.GATEWAY, Kind.NEWSLETTER} and number % 5 > 0),
        # A third of the NATs hides machines of one system only.
        systems=luck.randint(2, 3) if shared and number % 3 else 1,
        seen_answered=kind not in {Kind.ASYMMETRIC, Kind.FORGED},
        minutes=tuple(day.minutes()),
    )


def _bot(day: _Day, number: int) -> None:
    """Half of the bots live on the machine of somebody who reads his mail on it."""
    day.spew(BOT_RATES[number % len(BOT_RATES)])
    if number // len(BOT_RATES) % 2:
        day.user()


def _nat(day: _Day, _: int) -> None:
    for _ in range(3):
        day.user()


def _nat_with_bot(day: _Day, number: int) -> None:
    _nat(day, number)
    day.spew(BOT_RATES[1 + number % (len(BOT_RATES) - 1)])


def _webmail(day: _Day, _: int) -> None:
    """One of ten has a program that sends a mail now and then."""
    if day.luck.random() < 0.1:
        day.send(2, WORK)


_LIVES: dict[Kind, Callable[[_Day, int], None]] = {
    Kind.BOT: _bot,
    Kind.USER: lambda day, _: day.user(),
    Kind.WEBMAIL: _webmail,
    Kind.DEVICE: lambda day, _: day.send(day.luck.expovariate(1 / 8), WORK),
    Kind.MAIL_SERVER: lambda day, _: day.send(1_000),
    Kind.GATEWAY: lambda day, _: day.send(2_000),
    Kind.NEWSLETTER: lambda day, _: day.send(1_500, WORK),
    Kind.NAT: _nat,
    Kind.NAT_WITH_BOT: _nat_with_bot,
    Kind.ASYMMETRIC: lambda day, _: day.send(day.luck.expovariate(1 / 60)),
    Kind.FORGED: lambda day, _: day.send(500),
}


def _poisson(luck: random.Random, mean: float) -> int:
    """Draw a number of events (Knuth for small means, the normal distribution for others)."""
    if mean > 50:
        return max(0, round(luck.gauss(mean, math.sqrt(mean))))
    number, product, bound = 0, luck.random(), math.exp(-mean)
    while product > bound:
        number, product = number + 1, product * luck.random()
    return number
