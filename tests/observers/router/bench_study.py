"""Thresholds of the credit rule and the sequential test, over days whose truth is known.

Each machine's day goes minute by minute through botprobe's own rules; who is suspected loses the
rest of its mail. "Alone" is the bare rule, as the original published it: every packet counts, and
nobody is excused. "Router" is what `botprobe router` does: packets without an answer earn nothing,
and mail servers that greet, shared addresses and one-way senders are left alone.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from statistics import mean

from botprobe.observers.router.credit import THRESHOLDS, CreditRule, Hypothesis, SequentialTest
from botprobe.observers.router.table import Entry, Standing, judge
from tests.observers.router.machines import BOT_RATES, NUMBERS, Kind, Machine, machines

ADDRESS = ip_address("198.18.0.1")
TEST = SequentialTest()
COLUMNS = (
    *("rule", "mail traffic saved", "bots found", "NATs with a bot hit", "innocents hit"),
    *("their mails lost", "who"),
)
ORIGINAL = "| Endo 2009 at 150, other traffic | 25 % | 2 of 2 | - | - | 0.31 % of packets | - |"

Suspects = Callable[[Entry], bool]


@dataclass(frozen=True, slots=True)
class Method:
    """A rule under study."""

    name: str
    rule: CreditRule
    suspects: Suspects
    alone: bool


@dataclass(slots=True)
class Score:
    """What a method did in one day."""

    spam: int = 0
    stopped: int = 0
    mails: int = 0
    lost: int = 0
    """Mails of innocents that were dropped."""
    hit: Counter[Kind] = field(default_factory=Counter)


def methods() -> Iterator[Method]:
    """Yield all rules."""
    for threshold in THRESHOLDS:
        rule = CreditRule(threshold=threshold, floor=-threshold)
        yield Method(f"credit {threshold}, alone", rule, _over(rule), alone=True)
        yield Method(f"credit {threshold}, router", rule, _standing(rule), alone=False)
    rule = CreditRule()
    yield Method("SPRT, alone", rule, _says_bot, alone=True)
    yield Method("SPRT, router", rule, _says_bot_of_unexcused, alone=False)


def _over(rule: CreditRule) -> Suspects:
    return lambda entry: rule.is_over(entry.credit)


def _standing(rule: CreditRule) -> Suspects:
    return lambda entry: judge(entry, rule, TEST).standing is Standing.SUSPECT


def _says_bot(entry: Entry) -> bool:
    return TEST.decide(entry.sends, entry.fetches) is Hypothesis.BOT


def _says_bot_of_unexcused(entry: Entry) -> bool:
    return not (entry.answers or entry.is_shared or entry.one_way) and _says_bot(entry)


def play(day: Iterable[Machine], method: Method) -> Score:
    """Let a method watch a day."""
    score = Score()
    for machine in day:
        caught = _caught(machine, method)
        for minute in machine.minutes:
            stopped = caught is not None and minute.at > caught
            score.spam += minute.spam
            score.stopped += minute.spam * stopped
            if machine.kind is not Kind.FORGED:  # a forger's packets deliver nothing
                score.mails += minute.mails
                score.lost += minute.mails * stopped
        score.hit[machine.kind] += caught is not None
    return score


def _caught(machine: Machine, method: Method) -> int | None:
    """Return the minute in which a machine is suspected."""
    credit = sends = fetches = smtp = mailbox = one_way = 0
    for minute in machine.minutes:
        counts = method.alone or machine.seen_answered
        sent = minute.sent if counts else 0
        one_way += minute.sent - sent
        credit = method.rule.added(credit, sent, minute.fetched)
        smtp, mailbox = smtp + sent, mailbox + minute.fetched
        sends, fetches = sends + minute.spam + minute.mails, fetches + minute.looks
        entry = Entry(
            address=ADDRESS, credit=credit, smtp=smtp, mailbox=mailbox, one_way=one_way,
            sends=sends, fetches=fetches, answers=machine.answers, systems=machine.systems, last=0,
        )  # fmt: skip
        if method.suspects(entry):
            return minute.at
    return None


def row(name: str, scores: list[Score]) -> str:
    """Write a method's means over the days as a row of the table."""
    saved = mean(100 * one.stopped / (one.spam + one.mails) for one in scores)
    lost = mean(100 * one.lost / one.mails for one in scores)
    hit = {kind: mean(one.hit[kind] for one in scores) for kind in Kind}
    innocents = {kind: hit[kind] for kind in Kind if kind not in {Kind.BOT, Kind.NAT_WITH_BOT}}
    whom = ", ".join(
        f"{count:.1f} {kind}" for kind, count in sorted(innocents.items(), key=lambda one: -one[1])
        if count
    )  # fmt: skip
    least, most = min(one.hit[Kind.BOT] for one in scores), max(one.hit[Kind.BOT] for one in scores)
    return (
        f"| {name} | {saved:.1f} % | {hit[Kind.BOT]:.1f} ({least}-{most}) | "
        f"{hit[Kind.NAT_WITH_BOT]:.1f} | {sum(innocents.values()):.1f} | {lost:.2f} % | "
        f"{whom or 'nobody'} |"
    )


def main() -> None:
    """Play some days, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    days = [machines(seed) for seed in range(1, options.seeds + 1)]
    scores = {method.name: [play(day, method) for day in days] for method in methods()}
    spam = mean(100 * one.spam / (one.spam + one.mails) for one in next(iter(scores.values())))
    rates = ", ".join(f"{rate:,}" for rate in BOT_RATES)
    print(f"{sum(NUMBERS.values()):,} machines, means of {len(days)} days; spam is {spam:.1f} %")
    print(f"of all mails. {NUMBERS[Kind.BOT]} bots of {rates} mails a day.\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    print(ORIGINAL)
    for name, found in scores.items():
        print(row(name, found))


if __name__ == "__main__":
    main()
