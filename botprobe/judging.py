"""Makes the judge from the settings: the shipped table of weights, and the operator's words."""

from dataclasses import dataclass, replace
from importlib.resources import files

from botprobe.classify.classifier import judge, not_probed
from botprobe.classify.listings import read_zones
from botprobe.classify.weights import NEVER_LATE, Weights, load_weights
from botprobe.errors import ConfigError
from botprobe.model.facts import Facts
from botprobe.model.target import Target
from botprobe.model.verdict import Verdict
from botprobe.pipeline import Judge
from botprobe.settings import Settings


def shipped_weights() -> Weights:
    """Read the table of weights that is part of the package."""
    return load_weights((files("botprobe.classify") / "weights.toml").read_text("utf-8"))


def weights_of(settings: Settings) -> Weights:
    """Return the shipped table, with what the operator says about block lists of his own.

    Raises:
        ConfigError: a list is to be asked, and nobody says what its codes mean.
    """
    table, shipped = settings.dnsbl, shipped_weights()
    zones = {**shipped.zones, **read_zones(table.meanings)}
    for zone in table.zones:
        if zone.rstrip(".").lower() not in zones:
            raise ConfigError(
                f"dnsbl.zones: what do the codes of {zone} mean? Say so in dnsbl.meanings"
            )
    return replace(shipped, zones=zones)


def judge_of(settings: Settings) -> Judge:
    """Return the judge that the settings ask for.

    Raises:
        ConfigError: as ``weights_of``.
    """
    weights, lag_weakens = weights_of(settings), settings.verdict.lag_weakens
    if not lag_weakens:
        weights = replace(weights, lag=NEVER_LATE)
    return _TableJudge(weights, lag_weakens)


@dataclass(frozen=True, slots=True)
class _TableJudge:
    """Judges by a table of weights."""

    weights: Weights
    lag_weakens: bool

    def __call__(self, facts: Facts, target: Target, lag_seconds: float | None) -> Verdict:
        # None would mean that the delay is unknown, and that nobody may be called a bot.
        return judge(facts, target, self.weights, lag_seconds if self.lag_weakens else 0.0)

    def not_probed(self, reason: str) -> Verdict:
        return not_probed(reason, self.weights)
