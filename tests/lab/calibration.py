"""Fits the prior odds: ``python -m tests.lab.calibration FOLDER [PIXELPARK.csv]``.

FOLDER is what ``scripts/bench-verdict`` left. Evidence adds up in log-odds, so that another prior
moves all of them by the same step: the one number that makes crowd and log most likely (logistic
regression with the slope fixed at one, each source with the same weight). Weights are not fitted.
docs/decisions/0042-calibration.md says why.
"""

import asyncio
import csv
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from botprobe.classify.evaluate import brier
from botprobe.classify.weights import Weights, load_weights, log_odds, probability_of
from botprobe.cli.rejudge import latest_cases
from botprobe.config import load_settings
from botprobe.judging import judge_of
from botprobe.pipeline import rejudged
from tests.classify.receiptlog import judged
from tests.lab.verdicts import BYSTANDER, read_known

Forecast = tuple[float, bool]
"""Log-odds that evidence alone gives, and whether it is a bot."""

STEPS = 50


def from_crowd(folder: Path, weights: Weights) -> list[Forecast]:
    """Judge the crowd anew; bystanders, whom nothing tells from bots, are left out."""
    known = read_known(folder / "labels.csv")
    store = {"store": {"path": str(folder / "cases.sqlite")}}
    settings = load_settings(folder / "botprobe.toml", {}, store)
    judge = judge_of(settings)
    return [
        (log_odds(rejudged(case, judge).verdict.probability) - weights.prior, truth.is_bot)
        for case in asyncio.run(latest_cases(settings))
        if (truth := known.get(case.target.address)) and truth.truth != BYSTANDER
    ]


def from_log(path: Path, weights: Weights) -> list[Forecast]:
    """Judge the clients of the labelled log, with and without the block lists."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (log_odds(host.probability) - weights.prior, host.is_bot)
        for listed in (True, False)
        for host in judged(rows, weights, listed=listed)
    ]


def fitted(sources: Sequence[Sequence[Forecast]]) -> float:
    """Return the prior log-odds under which the sources are most likely (Newton's method)."""
    prior = 0.0
    for _ in range(STEPS):
        slope = curve = 0.0
        for source in sources:
            for odds, is_bot in source:
                said = probability_of(odds + prior)
                slope += (said - is_bot) / len(source)
                curve += said * (1 - said) / len(source)
        prior -= slope / curve
    return prior


def main(arguments: Sequence[str]) -> int:
    """Print the fitted prior, and the Brier score of each source under it and two others."""
    weights = load_weights((files("botprobe.classify") / "weights.toml").read_text("utf-8"))
    sources = {"crowd": from_crowd(Path(arguments[0]), weights)}
    if len(arguments) > 1:
        sources["log"] = from_log(Path(arguments[1]), weights)
    best = fitted(list(sources.values()))
    priors = {"even odds": 0.0, "shipped": weights.prior, "fitted": best}
    for name, prior in priors.items():
        scores = ", ".join(
            f"{source} {brier((probability_of(odds + prior), bot) for odds, bot in forecasts):.4f}"
            for source, forecasts in sources.items()
        )
        print(f"prior {probability_of(prior):.3f} ({name}): Brier {scores}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
