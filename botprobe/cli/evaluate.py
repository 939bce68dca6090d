"""``botprobe evaluate``: how good the verdicts in the store are, where somebody knows the truth."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.classify.evaluate import Evaluation, Judged, Share
from botprobe.classify.evaluate import evaluate as compare
from botprobe.classify.truth import Truth, read_labels
from botprobe.cli.options import AsJson, ConfigFile, Rejudge, StorePath, settings_from
from botprobe.cli.rejudge import latest_cases
from botprobe.cli.render import LABEL_STYLES, print_json, stdout_console
from botprobe.contract.evaluation import evaluation_document
from botprobe.errors import InputError
from botprobe.judging import judge_of
from botprobe.model.mail import IpAddress
from botprobe.model.text import counted, visible
from botprobe.model.verdict import Case, Label
from botprobe.pipeline import rejudged

# A million labels; more would be a wrong file.
MAX_LABELS = 64 * 2**20

Labels = Annotated[
    Path, typer.Option("--labels", help="CSV table: ip,truth[,bot].", metavar="FILE")
]
Positive = Annotated[
    list[Label] | None,
    typer.Option("--positive", help="Label that counts as 'bot'; default bot.", metavar="LABEL"),
]


def evaluate(
    labels: Labels,
    config: ConfigFile = None,
    as_json: AsJson = False,
    store: StorePath = None,
    positive: Positive = None,
    rejudge: Rejudge = False,
) -> None:
    """Compare the newest verdicts with the truth, in figures."""
    settings = settings_from(config, store=store)
    truths = read_labels(_read(labels))
    cases = asyncio.run(latest_cases(settings))
    if rejudge:
        judge = judge_of(settings)
        cases = [rejudged(case, judge) for case in cases]
    hosts = _judged(cases, truths)
    found = compare(hosts, frozenset(positive or (Label.BOT,)))
    missing = len(truths) - len(hosts)
    if as_json:
        print_json(evaluation_document(found, missing=missing))
    else:
        stdout_console().print(evaluation_screen(found, missing))


def evaluation_screen(found: Evaluation, missing: int) -> RenderableType:
    """Draw the figures: the confusion matrix first, because everything else follows from it."""
    return Group(
        _confusion(found),
        Text(f"\nprecision {_share(found.precision)}\nrecall    {_share(found.recall)}"),
        Text(f"Brier     {_number(found.brier)} (0 is best), without a family of evidence:"),
        *(
            Text(f"  {family:<12}{score:.4f}")
            for family, score in sorted(found.without_family.items())
        ),
        Text("\nprobability: hosts, mean, and bots among them"),
        *(
            Text(
                f"  {one.low:.1f}-{one.high:.1f}{one.hosts:>8}   {one.mean_probability:.3f}   "
                f"{_share(one.bots)}"
            )
            for one in found.reliability
        ),
        Text(
            f"\n{counted(found.hosts, 'host')}; {missing:,} of the table were never investigated",
            "dim",
        ),
    )


def _judged(cases: Sequence[Case], truths: Mapping[IpAddress, Truth]) -> list[Judged]:
    return [
        Judged(
            label=case.verdict.label,
            truth=truth.kind,
            is_bot=truth.is_bot,
            probability=case.verdict.probability,
            evidence=case.verdict.evidence,
        )
        for case in cases
        if (truth := truths.get(case.target.address)) is not None
    ]


def _confusion(found: Evaluation) -> RenderableType:
    labels = [label for label in Label if any(seen is label for _, seen in found.confusion)]
    table = Table("truth", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for label in labels:
        table.add_column(Text(label, style=LABEL_STYLES[label]), justify="right")
    for truth in sorted({truth for truth, _ in found.confusion}):
        counts = [found.confusion.get((truth, label), 0) for label in labels]
        table.add_row(Text(visible(truth)), *(str(count or "") for count in counts))
    return table


def _share(share: Share) -> str:
    if share.value is None:
        return "of nothing"
    interval = f"{share.low:.4f}-{share.high:.4f}"
    return f"{share.value:.4f}  ({share.hits} of {share.total}; 95 %: {interval})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_LABELS + 1)
        text = "" if len(raw) > MAX_LABELS else raw.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8") from error
    if len(raw) > MAX_LABELS:
        raise InputError(f"{path} is larger than {MAX_LABELS // 2**20} MiB")
    return text
