"""``botprobe/evaluation/1``: how good the verdicts are, as other programs read it."""

from typing import Any

from botprobe.classify.evaluate import Evaluation, Share

SCHEMA = "botprobe/evaluation/1"


def evaluation_document(evaluation: Evaluation, *, missing: int) -> dict[str, Any]:
    """Write an evaluation as a JSON-ready mapping.

    Args:
        evaluation: the figures.
        missing: labelled hosts that were never investigated.
    """
    return {
        "schema": SCHEMA,
        "hosts": evaluation.hosts,
        "missing": missing,
        "confusion": [
            {"truth": truth, "label": str(label), "hosts": count}
            for (truth, label), count in sorted(evaluation.confusion.items())
        ],
        "precision": share_document(evaluation.precision),
        "recall": share_document(evaluation.recall),
        "brier": evaluation.brier,
        "reliability": [
            {
                "low": one.low,
                "high": one.high,
                "hosts": one.hosts,
                "mean_probability": one.mean_probability,
                "bots": share_document(one.bots),
            }
            for one in evaluation.reliability
        ],
        "brier_without_family": {
            str(family): score for family, score in sorted(evaluation.without_family.items())
        },
    }


def share_document(share: Share) -> dict[str, Any]:
    """Write a share with its 95 % interval."""
    return {
        "value": share.value,
        "hits": share.hits,
        "total": share.total,
        "low": share.low,
        "high": share.high,
    }
