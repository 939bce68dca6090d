"""The credit rule of SpamFinder: sending earns, fetching costs, who only sends runs up a credit.

A host with a mailbox fetches mail three times for each time that it sends (the measured ratio of
the original), so with the weights 1 and -3 an ordinary host stays near zero. Nothing here knows
where the counts come from: a capture, or the sets of a kernel.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import log

THRESHOLDS = (150, 200, 300, 450, 650)
"""Those that the original compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRule:
    """The parameters of the rule."""

    smtp: int = 1
    """Credit for a small packet to a port that takes mail."""
    mailbox: int = -3
    """Credit for a small packet to a port from which mail is fetched."""
    threshold: int = 150
    """Above it, a host is a suspect."""
    floor: int = -150
    """Below it no credit falls: who polls for years must not buy immunity by it."""
    sampling: int = 1
    """One packet of so many was counted."""
    least_samples: int = 10
    """Sampled packets by which sending must outweigh fetching: one of 500 is no evidence."""

    def added(self, credit: int, smtp: int, mailbox: int) -> int:
        """Return a credit after so many more counted packets."""
        change = (self.smtp * smtp + self.mailbox * mailbox) * self.sampling
        return max(self.floor, credit + change)

    def is_over(self, credit: int) -> bool:
        """Say whether a credit makes a suspect."""
        least = self.added(0, self.least_samples, 0) if self.sampling > 1 else 0
        return credit > self.threshold and credit >= least


class Action(IntEnum):
    """What is done with a host's mail; the numbers are those of the original's table."""

    ACCEPT = 0
    DROP = 1
    REDIRECT = 2


class Hypothesis(IntEnum):
    """What a sequential test says so far."""

    BOT = 1
    UNDECIDED = 0
    NORMAL = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTest:
    """Wald's sequential probability ratio test, as SPOT applies it to senders.

    SPOT (Duan et al., 2012) asks of each mail whether it is spam. A router cannot tell, but it sees
    whether a connection sends or fetches: an ordinary host sends with one of four.
    """

    sends_if_bot: float = 0.98
    sends_if_normal: float = 0.25
    """By the measured ratio of one to three."""
    false_positive: float = 0.001
    false_negative: float = 0.01

    def decide(self, sends: int, fetches: int) -> Hypothesis:
        """Return what so many connections say, whatever their order."""
        if not sends + fetches:
            return Hypothesis.UNDECIDED
        ratio = sends * log(self.sends_if_bot / self.sends_if_normal) + fetches * log(
            (1 - self.sends_if_bot) / (1 - self.sends_if_normal)
        )
        if ratio >= log((1 - self.false_negative) / self.false_positive):
            return Hypothesis.BOT
        if ratio <= log(self.false_negative / (1 - self.false_positive)):
            return Hypothesis.NORMAL
        return Hypothesis.UNDECIDED
