"""The table of weights: what each rule counts, read from TOML and checked against the rules.

The table that is shipped is ``weights.toml`` beside this module; it says where they are from.
"""

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from botprobe.classify.listings import Listing, Zones, read_zones
from botprobe.classify.rules import RULES
from botprobe.errors import ConfigError
from botprobe.model.verdict import Family

DIGEST_LENGTH = 8

Probability = Annotated[float, Meta(gt=0, lt=1)]
# Log-odds of 20 are one to half a thousand million: beyond it arithmetic replaces judgement.
LogOdds = Annotated[float, Meta(ge=-20, le=20)]
Bound = Annotated[float, Meta(ge=0, le=20)]
Seconds = Annotated[float, Meta(gt=0, le=1e9)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where one label ends and the next begins."""

    bot: Probability
    """From this probability on a host may be called a bot without Endo's rule."""
    suspected: Probability
    voice: Bound
    """The vote from which on a family counts as speaking for a bot."""
    contrary: Annotated[float, Meta(ge=-20, lt=0)]
    """The vote of a family from which on nobody is called a bot."""
    fresh: Probability
    """What a late probe must have kept of its weight for a host to be called a bot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How fast a probe loses its worth when the address may have changed hands."""

    grace_seconds: Seconds
    half_life_seconds: Seconds

    def kept(self, lag_seconds: float) -> float:
        """Return the part of its weight, 0 to 1, that a probe so long after delivery keeps."""
        late = max(0.0, lag_seconds - self.grace_seconds)
        return float(0.5 ** (late / self.half_life_seconds))


NEVER_LATE = Lag(grace_seconds=math.inf, half_life_seconds=1)
"""For those who know that addresses do not change hands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The whole table; each mapping has every key that the rules need, and no other."""

    version: str
    digest: str
    """First hexadecimal digits of the SHA-256 of the text."""
    prior: float
    """Log-odds of a bot before anything is known."""
    thresholds: Thresholds
    lag: Lag
    caps: Mapping[Family, float]
    rules: Mapping[str, float]
    zones: Zones
    """What the codes of each DNS block list mean."""

    @property
    def label(self) -> str:
        """Name the table as verdicts do: ``1 (sha256:0123abcd)``."""
        return f"{self.version} (sha256:{self.digest})"

    def holds_after(self, seconds: float) -> bool:
        """Whether what was seen so much earlier still says who has an address that changes hands.

        It is the same measure by which a late probe is too late to call anybody a bot.
        """
        return self.lag.kept(seconds) >= self.thresholds.fresh


class _Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    version: Annotated[str, Meta(min_length=1, max_length=40)]
    prior: Probability
    thresholds: Thresholds
    lag: Lag
    caps: dict[Family, Bound]
    rules: dict[Family, dict[str, LogOdds]]
    dnsbl: dict[str, dict[str, Listing]]


def load_weights(text: str) -> Weights:
    """Read a table of weights.

    Raises:
        ConfigError: it is not TOML, not such a table, or names other rules than there are.
    """
    try:
        table = msgspec.convert(tomllib.loads(text), _Table)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"table of weights: {error}") from error
    given = {family: frozenset(weights) for family, weights in table.rules.items()}
    wanted = {family: _rules_of(family) for family in sorted({rule.family for rule in RULES})}
    _compare("families of rules", frozenset(given), frozenset(wanted))
    for family, names in wanted.items():
        _compare(f"rules of {family}", given[family], names)
    _compare("caps", frozenset(table.caps), frozenset(wanted))
    return Weights(
        version=table.version,
        digest=hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH],
        prior=log_odds(table.prior),
        thresholds=table.thresholds,
        lag=table.lag,
        caps=table.caps,
        rules={name: weight for group in table.rules.values() for name, weight in group.items()},
        zones=read_zones(table.dnsbl),
    )


def log_odds(probability: float) -> float:
    """Turn a probability between 0 and 1 into log-odds."""
    return math.log(probability / (1 - probability))


def probability_of(odds: float) -> float:
    """Turn finite log-odds into a probability."""
    return 1 / (1 + math.exp(-odds))


def _rules_of(family: Family) -> frozenset[str]:
    return frozenset(rule.name for rule in RULES if rule.family is family)


def _compare(what: str, given: frozenset[str], wanted: frozenset[str]) -> None:
    if unknown := given - wanted:
        raise ConfigError(f"table of weights: {what}: unknown {', '.join(sorted(unknown))}")
    if missing := wanted - given:
        raise ConfigError(f"table of weights: {what}: missing {', '.join(sorted(missing))}")
