"""Scores a scan of a crowd: botprobe's verdicts, a naive rule on the same facts, and the targets.

``python -m tests.lab.verdicts FOLDER`` reads the store and the labels there. Bystanders, whom only
forged lines name, are scored apart: nothing that can be asked of them tells them from bots, and so
none may be called one (docs/decisions/0040-named-by-others.md).
"""

import asyncio
import csv
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from rich.console import Console

from botprobe.classify.editions import greeted_by_microsoft, is_domain_controller
from botprobe.classify.evaluate import Judged, Share, evaluate, wilson
from botprobe.classify.oscatalog import OsRole, match_role, read_os
from botprobe.classify.system import read_system
from botprobe.classify.weights import log_odds, probability_of
from botprobe.classify.windowsbuilds import read_windows
from botprobe.cli.evaluate import evaluation_screen
from botprobe.cli.rejudge import latest_cases
from botprobe.config import load_settings
from botprobe.judging import judge_of, weights_of
from botprobe.model.facts import NOT_ASKED, Facts
from botprobe.model.mail import IpAddress
from botprobe.model.outcome import Measured
from botprobe.model.results import PortState, WindowsResult
from botprobe.model.verdict import Case, Label
from botprobe.pipeline import Judge, rejudged

PRECISION, RECALL = 0.99, 0.95
BYSTANDER = "bystander"
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


def print_uncalibrated(console: Console, hosts: Sequence[Judged], prior: float) -> None:
    """Print what even odds before all evidence would have said, as tables did before version 3."""
    even = [
        replace(host, probability=probability_of(log_odds(host.probability) - prior))
        for host in hosts
    ]
    found = evaluate(even, BOT)
    console.print(f"from even odds: Brier {found.brier:.4f}; probability: hosts, mean, bots")
    for one in found.reliability:
        means = f"{one.mean_probability:.3f}   {one.bots.value or 0:.3f}"
        console.print(f"  {one.low:.1f}-{one.high:.1f}{one.hosts:>8}   {means}")


def judging_time(cases: Sequence[Case], judge: Judge) -> str:
    """Say what a verdict costs in processor time, the naive rule beside it: the best of three."""

    def cost(way: Callable[[Case], object]) -> float:
        start = time.process_time()
        for case in cases:
            way(case)
        return (time.process_time() - start) / max(1, len(cases)) * 1e6

    ours = min(cost(lambda case: rejudged(case, judge)) for _ in range(3))
    naive = min(cost(naive_label) for _ in range(3))
    return f"judging a host takes {ours:.0f} µs of processor time, by the naive rule {naive:.0f} µs"


def told_apart(cases: Sequence[Case]) -> Mapping[str, int]:
    """Count the hosts whose stack leaves the edition open, by who settled it."""
    counts: Counter[str] = Counter()
    for case in cases:
        os = case.facts.os
        if isinstance(os, Measured) and read_os(os.result).role is OsRole.AMBIGUOUS:
            counts[_settled_by(case.facts)] += 1
    return counts


def _settled_by(facts: Facts) -> str:
    reading = read_system(facts).os
    if reading is None:
        return "nobody: it answers everywhere"
    windows = facts.windows
    if reading.role is OsRole.AMBIGUOUS:
        silent = not isinstance(windows, Measured) or read_windows(windows.result) is None
        return f"nobody: {'no service told' if silent else 'the build is shared, too'}"
    return f"{_teller(facts)}: {reading.role}"


def _teller(facts: Facts) -> str:
    windows, smtp = facts.windows, facts.smtp
    for answer in windows.result.answers if isinstance(windows, Measured) else ():
        told = read_windows(WindowsResult(answers=(answer,)))
        if told is not None and told.role is not OsRole.AMBIGUOUS:
            return f"{answer.script}, by {'name' if answer.product else 'build'}"
    if isinstance(windows, Measured) and is_domain_controller(windows.result):
        return "ports of a domain controller"
    if isinstance(smtp, Measured) and greeted_by_microsoft(smtp.result) is not None:
        return "Microsoft's greeting on port 25"
    return "smb-protocols, by dialect"


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
    bystanders = [case for case in everybody if known[case.target.address].truth == BYSTANDER]
    cases = [case for case in everybody if known[case.target.address].truth != BYSTANDER]
    console = Console(highlight=False, width=150, soft_wrap=True)
    found = evaluate(judged(cases, known), BOT)
    console.print(evaluation_screen(found, len(known) - len(everybody)))
    print_uncalibrated(console, judged(cases, known), weights_of(settings).prior)
    reached = _print_targets(console, cases, known, judge)
    called = Counter(case.verdict.label for case in bystanders)
    naive = sum(naive_label(case) is Label.BOT for case in bystanders)
    console.print(
        f"bystanders of forged lines: {called[Label.BOT]} of {len(bystanders)} called bot,"
        f" {called[Label.SUSPECTED_BOT]} suspected; by the naive rule {naive}"
    )
    console.print(judging_time(cases, judge))
    resolved = told_apart(cases)
    settled = sum(count for who, count in resolved.items() if not who.startswith("nobody"))
    console.print(
        f"stacks that leave client and server open: {sum(resolved.values())}, {settled} settled by"
    )
    for who, count in sorted(resolved.items(), key=lambda item: -item[1]):
        console.print(f"{count:>6}  {who}")
    return 0 if reached and not called[Label.BOT] else 1


def _print_targets(
    console: Console,
    cases: Sequence[Case],
    known: Mapping[IpAddress, Known],
    judge: Judge,
) -> bool:
    """Print a line for each way to judge; False if botprobe's own misses a target."""
    unlisted = [replace(case, facts=replace(case.facts, dnsbl=NOT_ASKED)) for case in cases]
    ways = {
        "botprobe": [case.verdict.label for case in cases],
        "without block lists": [rejudged(case, judge).verdict.label for case in unlisted],
        "naive rule": [naive_label(case) for case in cases],
    }
    truths = [known[case.target.address] for case in cases]
    scores = {way: score(labels, truths) for way, labels in ways.items()}
    for way, (precision, recall, wronged) in scores.items():
        console.print(
            f"{way:<20}precision of bot {_share(precision)}, recall of detectable bots "
            f"{_share(recall)}, mail servers called bot {wronged.hits} of {wronged.total}"
        )
    precision, recall, wronged = scores["botprobe"]
    reached = (precision.value or 0) >= PRECISION and (recall.value or 0) >= RECALL
    return reached and not wronged.hits


def score(labels: Sequence[Label], truths: Sequence[Known]) -> tuple[Share, Share, Share]:
    """Return precision, recall of detectable bots, and the share of mail servers called bot."""
    called = [truth for truth, label in zip(truths, labels, strict=True) if label is Label.BOT]
    detectable = [truth for truth in truths if truth.detectable]
    servers = [truth for truth in truths if truth.truth.startswith("mail-")]
    return (
        wilson(sum(truth.is_bot for truth in called), len(called)),
        wilson(sum(truth.detectable for truth in called), len(detectable)),
        wilson(sum(truth.truth.startswith("mail-") for truth in called), len(servers)),
    )


def _share(share: Share) -> str:
    value = "-" if share.value is None else f"{share.value:.4f}"
    return f"{value} ({share.hits}/{share.total}, {share.low:.3f}-{share.high:.3f})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
