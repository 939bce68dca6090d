"""Scores a scan of a crowd: botprobe's verdicts, a naive rule on the same facts, and the targets.

``python -m tests.lab.verdicts FOLDER`` reads the store and the labels there. Bystanders, whom only
forged lines name, are scored apart: of the mission's rule they are client Windows without a mail
server, and nothing else can be seen of them.
"""

import asyncio
import csv
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from rich.console import Console

from botprobe.classify.evaluate import Judged, Share, evaluate, wilson
from botprobe.classify.oscatalog import OsRole, match_role, read_os
from botprobe.classify.windowsbuilds import read_windows
from botprobe.cli.evaluate import evaluation_screen
from botprobe.cli.rejudge import latest_cases
from botprobe.config import load_settings
from botprobe.model.mail import IpAddress
from botprobe.model.outcome import Measured
from botprobe.model.results import PortState, WindowsResult
from botprobe.model.verdict import Case, Label
from botprobe.pipeline import rejudged
from botprobe.wiring import judge_of

PRECISION, RECALL = 0.99, 0.95
BOT = frozenset({Label.BOT})


@dataclass(frozen=True, slots=True)
class Known:
    """What a host really is."""

    truth: str
    is_bot: bool
    detectable: bool


def read_known(path: Path) -> Mapping[IpAddress, Known]:
    """Read the labels that ``crowdfiles`` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            ip_address(row["ip"]): Known(
                row["truth"], row["bot"] == "yes", row["detectable"] == "yes"
            )
            for row in csv.DictReader(file)
        }


def naive_label(case: Case) -> Label:
    """Judge as the plain reading of the mission would: nmap's first match, and a connect on 25.

    An open port is a mail server, whatever it says; whoever does not answer in 10 s has none.
    """
    os, smtp = case.facts.os, case.facts.smtp
    if not isinstance(os, Measured) or not os.result.matches or not isinstance(smtp, Measured):
        return Label.UNKNOWN
    client = match_role(os.result.matches[0]) is OsRole.CLIENT
    return Label.BOT if client and smtp.result.port is not PortState.OPEN else Label.UNKNOWN


def judged(cases: Sequence[Case], known: Mapping[IpAddress, Known]) -> list[Judged]:
    """Put verdict and truth side by side."""
    return [
        Judged(
            label=case.verdict.label,
            truth=known[case.target.address].truth,
            is_bot=known[case.target.address].is_bot,
            probability=case.verdict.probability,
            evidence=case.verdict.evidence,
        )
        for case in cases
    ]


def called_bot(cases: Sequence[Case], labels: Sequence[Label]) -> Share:
    """Count hosts that got the label bot."""
    return wilson(labels.count(Label.BOT), len(cases))


def told_apart(cases: Sequence[Case]) -> Mapping[str, int]:
    """Count the hosts whose stack leaves the edition open, by who settled it."""
    counts: Counter[str] = Counter()
    for case in cases:
        os, windows = case.facts.os, case.facts.windows
        if not isinstance(os, Measured) or read_os(os.result).role is not OsRole.AMBIGUOUS:
            continue
        if not isinstance(windows, Measured):
            counts["nobody: no port to ask"] += 1
            continue
        counts[_settled_by(windows.result)] += 1
    return counts


def _settled_by(result: WindowsResult) -> str:
    told = read_windows(result)
    if told is None:
        return "nobody: no service told"
    if told.role is OsRole.AMBIGUOUS:
        return "nobody: the build is shared, too"
    answer = result.answers[0]
    return f"{answer.script}, by {'name' if answer.product else 'build'}: {told.role}"


def main(arguments: Sequence[str]) -> int:
    """Print all figures; 1 if a target is missed."""
    folder = Path(arguments[0])
    known = read_known(folder / "labels.csv")
    store = {"store": {"path": str(folder / "cases.sqlite")}}
    settings = load_settings(folder / "botprobe.toml", {}, store)
    everybody = [
        case for case in asyncio.run(latest_cases(settings)) if case.target.address in known
    ]
    judge = judge_of(settings)
    everybody = [rejudged(case, judge) for case in everybody]
    bystanders = [c for c in everybody if known[c.target.address].truth == "bystander"]
    cases = [case for case in everybody if case not in bystanders]
    console = Console(highlight=False, width=150)
    found = evaluate(judged(cases, known), BOT)
    console.print(evaluation_screen(found, len(known) - len(everybody)))
    return _targets(console, cases, bystanders, known)


def _targets(
    console: Console,
    cases: Sequence[Case],
    bystanders: Sequence[Case],
    known: Mapping[IpAddress, Known],
) -> int:
    detectable = [case for case in cases if known[case.target.address].detectable]
    servers = [case for case in cases if known[case.target.address].truth.startswith("mail-")]
    rows, missed = [], False
    for name, labels in (
        ("botprobe", {case.target.address: case.verdict.label for case in cases}),
        ("naive rule", {case.target.address: naive_label(case) for case in cases}),
    ):
        called = [case for case in cases if labels[case.target.address] is Label.BOT]
        precision = wilson(sum(known[case.target.address].is_bot for case in called), len(called))
        recall = called_bot(detectable, [labels[case.target.address] for case in detectable])
        wronged = called_bot(servers, [labels[case.target.address] for case in servers])
        rows.append((name, precision, recall, wronged))
        if name == "botprobe":
            missed = _misses(precision, recall, wronged)
    for name, precision, recall, wronged in rows:
        console.print(
            f"{name:<12}precision of bot {_share(precision)}, recall of detectable bots "
            f"{_share(recall)}, mail servers called bot {wronged.hits} of {wronged.total}"
        )
    accused = sum(case.verdict.label is Label.BOT for case in bystanders)
    console.print(f"bystanders whom a forged line names: {accused} of {len(bystanders)} called bot")
    resolved = told_apart(cases)
    console.print(f"stacks that leave client and server open: {sum(resolved.values())}, settled by")
    for who, count in sorted(resolved.items(), key=lambda item: -item[1]):
        console.print(f"{count:>6}  {who}")
    return int(missed)


def _misses(precision: Share, recall: Share, wronged: Share) -> bool:
    return (precision.value or 0) < PRECISION or (recall.value or 0) < RECALL or wronged.hits > 0


def _share(share: Share) -> str:
    value = "-" if share.value is None else f"{share.value:.4f}"
    return f"{value} ({share.hits}/{share.total}, {share.low:.3f}-{share.high:.3f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
