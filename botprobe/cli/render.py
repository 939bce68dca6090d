"""From values to the screen: a panel per host, or JSON.

Text from outside becomes ``rich.text.Text`` after ``visible``, never console markup.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from botprobe.cli.hoptable import mail_chain
from botprobe.contract.case import case_document
from botprobe.contract.wording import (
    BEFORE,
    dns_line,
    further_lines,
    os_line,
    ping_line,
    ports_line,
    run_line,
    smtp_line,
)
from botprobe.model.facts import NOT_ASKED, NOTHING_OBSERVED
from botprobe.model.mail import Mail
from botprobe.model.outcome import NotMeasured
from botprobe.model.text import counted, visible
from botprobe.model.verdict import Case, Evidence, Label, Verdict

LABEL_STYLES = {
    "bot": "bold red",
    "suspected-bot": "red",
    "open-proxy": "magenta",
    "mail-server": "green",
    "other-server": "green",
    "nat-or-shared": "cyan",
    "unknown": "yellow",
    "unreachable": "bright_black",
    "not-probed": "bright_black",
}

# Without --explain only the reasons that carry the verdict are shown.
BRIEF_EVIDENCE = 3
# Reasons differ by host where they quote an error; a screen needs the frequent ones.
MOST_REASONS = 8


def print_json(document: Any) -> None:
    """Write one JSON document to standard output."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=True)
    print()


def print_json_lines(documents: Iterable[Any]) -> None:
    """Write one JSON object per line to standard output."""
    for document in documents:
        print(json.dumps(document, ensure_ascii=True))


def print_cases(cases: Sequence[Case], *, as_json: bool, jsonl: bool, explain: bool) -> None:
    """Show cases in the form that was asked for."""
    if jsonl:
        print_json_lines(map(case_document, cases))
    elif as_json:
        documents = [case_document(case) for case in cases]
        print_json({"schema": "botprobe/cases/1", "cases": documents})
    else:
        console = stdout_console()
        for case in cases:
            console.print(case_panel(case, explain=explain))
        console.print(summary(cases))


def print_scan(mails: Sequence[Mail], cases: Sequence[Case], *, explain: bool) -> None:
    """Show the way of each mail, then each host."""
    stdout_console().print(scan_view(mails, cases, explain=explain))


def scan_view(mails: Sequence[Mail], cases: Sequence[Case], *, explain: bool) -> RenderableType:
    """Draw the way of each mail, then each host."""
    labels = {
        case.target.address: Text(case.verdict.label, style=LABEL_STYLES[case.verdict.label])
        for case in cases
    }
    return Group(
        *(mail_chain(mail, labels) for mail in mails),
        *(case_panel(case, explain=explain) for case in cases),
        summary(cases),
    )


def stdout_console() -> Console:
    """Return a console for results; in a pipe it writes plain lines of 120 columns."""
    # No markup: what strangers wrote would be obeyed, and a tag without a fellow is an error.
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console


def case_panel(case: Case, *, explain: bool) -> RenderableType:
    """Draw one host: the verdict as the title, what was measured, and the reasons."""
    style = LABEL_STYLES[case.verdict.label]
    title = Text.assemble((f" {case.target} ", "bold"), (f" {case.verdict.label} ", style))
    parts: list[RenderableType] = []
    if case.refused is not None:
        parts.append(Text(visible(case.refused), style="dim"))
    if case.refused is None or case.verdict.evidence:
        parts += [_facts(case), _verdict(case.verdict, explain=explain)]
    return Panel(Group(*parts), title=title, title_align="left", border_style=style)


def summary(cases: Sequence[Case]) -> RenderableType:
    """Count the labels in one line, and below it what could not be measured and why."""
    counts = Counter(case.verdict.label for case in cases)
    parts = [
        Text(f"{counts[Label(label)]} {label}", style=style)
        for label, style in LABEL_STYLES.items()
        if counts[Label(label)]
    ]
    line = Text(": " if parts else "").join(
        [Text(counted(len(cases), "host")), Text(", ").join(parts)]
    )
    return Group(line, *(Text(text, style="yellow") for text in unmeasured(cases)))


def unmeasured(cases: Sequence[Case]) -> list[str]:
    """Say for each probe that could not measure: on how many of the probed hosts, and why."""
    probed = [case for case in cases if case.refused is None]
    reasons = Counter(
        (field.name, outcome.reason)
        for case in probed
        for field in fields(case.facts)
        if isinstance(outcome := getattr(case.facts, field.name), NotMeasured)
        and outcome not in {NOT_ASKED, NOTHING_OBSERVED}
    )
    return [
        f"not measured: {probe} of {count} of {counted(len(probed), 'host')}: {visible(reason)}"
        for (probe, reason), count in reasons.most_common(MOST_REASONS)
    ]


def _facts(case: Case) -> RenderableType:
    facts = case.facts
    rows = [
        ("run", run_line(case)),
        ("ping", ping_line(facts.ping)),
        ("nmap", os_line(facts.os)),
        ("ports", ports_line(facts.os)),
        ("smtp", smtp_line(facts.smtp)),
        ("dns", dns_line(facts.dns)),
        *further_lines(facts),
    ]
    grid = Table.grid(padding=(0, 2))
    for name, text in rows:
        grid.add_row(Text(name, style="dim"), Text(text, overflow="fold"))
    return grid


def _verdict(verdict: Verdict, *, explain: bool) -> RenderableType:
    shown = verdict.evidence if explain else verdict.evidence[:BRIEF_EVIDENCE]
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text("bot?", style="dim"), _rule(verdict))
    for evidence in shown:
        grid.add_row(_weight(evidence.weight), _reason(evidence))
    if explain:
        if verdict.prior:
            grid.add_row(_weight(verdict.prior), Text(f"{BEFORE}  (prior)", style="dim"))
        for change in verdict.would_change:
            grid.add_row(Text("else", style="dim"), Text(visible(change), overflow="fold"))
        grid.add_row(Text("rules", style="dim"), Text(visible(verdict.rules), style="dim"))
    elif hidden := len(verdict.evidence) - len(shown):
        grid.add_row(Text(), Text(f"and {hidden} more: --explain shows them", style="dim"))
    return grid


def _rule(verdict: Verdict) -> Text:
    answer = {True: "yes", False: "no", None: "cannot be told"}
    rule = answer[verdict.client_windows_without_mail_service]
    return Text(
        f"probability {verdict.probability:.2f}; client Windows without mail service: {rule}"
    )


def _reason(evidence: Evidence) -> Text:
    reason = Text(visible(evidence.because), overflow="fold")
    return reason.append(visible(f"  ({evidence.family}: {evidence.rule})"), style="dim")


def _weight(weight: float) -> Text:
    return Text(f"{weight:+.1f}", style="red" if weight > 0 else "green")
