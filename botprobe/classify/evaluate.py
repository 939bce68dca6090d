"""How good the verdicts are: labels and probabilities of judged hosts against what they really are.

Intervals are Wilson's (1927), which hold for few hosts and for shares near 0 and 1; the score of
probabilities is Brier's (1950), the mean squared error.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from botprobe.classify.weights import log_odds, probability_of
from botprobe.model.verdict import Evidence, Family, Label

# Two-sided 95 per cent of the normal distribution.
WILSON_Z = 1.959964

# A probability of exactly 0 or 1 has no log-odds.
_NEARLY_SURE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One host with its verdict and the truth."""

    label: Label
    truth: str
    """What the host really is, in the words of who labelled it."""
    is_bot: bool
    probability: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of a whole with its 95 % interval."""

    hits: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The part, 0 to 1; None of nothing."""
        return self.hits / self.total if self.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Hosts of like probability: what was said, and how many really were bots."""

    low: float
    high: float
    hosts: int
    mean_probability: float
    bots: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All figures about one set of hosts."""

    hosts: int
    confusion: Mapping[tuple[str, Label], int]
    """How many hosts of each truth were given each label."""
    precision: Share
    """Of those called bot, the bots."""
    recall: Share
    """Of the bots, those called bot."""
    brier: float | None
    reliability: tuple[Bin, ...]
    without_family: Mapping[Family, float]
    """Brier score if a family of evidence is left out: the higher, the more it is worth."""


def evaluate(hosts: Sequence[Judged], positive: frozenset[Label], bins: int = 10) -> Evaluation:
    """Compare verdicts with the truth.

    Args:
        hosts: the judged hosts; ``not-probed`` ones are not left out here.
        positive: the labels that count as calling a host a bot.
        bins: into how many equal ranges of probability the reliability table is cut.
    """
    called = [host for host in hosts if host.label in positive]
    bots = [host for host in hosts if host.is_bot]
    hits = sum(host.is_bot for host in called)
    families = {item.family for host in hosts for item in host.evidence}
    return Evaluation(
        hosts=len(hosts),
        confusion=Counter((host.truth, host.label) for host in hosts),
        precision=wilson(hits, len(called)),
        recall=wilson(hits, len(bots)),
        brier=brier((host.probability, host.is_bot) for host in hosts),
        reliability=_reliability(hosts, bins),
        without_family={family: _brier_without(hosts, family) for family in sorted(families)},
    )


def wilson(hits: int, total: int) -> Share:
    """Give a share its Wilson score interval; of nothing it is the whole range."""
    if total == 0:
        return Share(hits=0, total=0, low=0.0, high=1.0)
    share, z2 = hits / total, WILSON_Z**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    spread = math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    half = WILSON_Z * spread / (1 + z2 / total)
    # The interval always holds the share itself; rounding may say otherwise at 0 and 1.
    low, high = max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
    return Share(hits=hits, total=total, low=low, high=high)


def brier(forecasts: Iterable[tuple[float, bool]]) -> float | None:
    """Return the mean squared error of probabilities, 0 is best; None without any."""
    errors = [(probability - truth) ** 2 for probability, truth in forecasts]
    return sum(errors) / len(errors) if errors else None


def _reliability(hosts: Sequence[Judged], bins: int) -> tuple[Bin, ...]:
    groups: dict[int, list[Judged]] = {}
    for host in hosts:
        groups.setdefault(min(int(host.probability * bins), bins - 1), []).append(host)
    return tuple(
        Bin(
            low=index / bins,
            high=(index + 1) / bins,
            hosts=len(group),
            mean_probability=sum(host.probability for host in group) / len(group),
            bots=wilson(sum(host.is_bot for host in group), len(group)),
        )
        for index, group in sorted(groups.items())
    )


def _brier_without(hosts: Sequence[Judged], family: Family) -> float:
    score = brier((_probability_without(host, family), host.is_bot) for host in hosts)
    return 0.0 if score is None else score


def _probability_without(host: Judged, family: Family) -> float:
    """Take the votes of a family back; evidence adds up to the log-odds, so this is exact."""
    vote = sum(item.weight for item in host.evidence if item.family is family)
    said = min(max(host.probability, _NEARLY_SURE), 1 - _NEARLY_SURE)
    return probability_of(log_odds(said) - vote)
