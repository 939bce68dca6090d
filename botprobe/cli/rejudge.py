"""``botprobe rejudge``: judge stored facts by today's rules, without probing anybody."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from botprobe.cli.options import AsJson, AsJsonLines, ConfigFile, Explain, StorePath, settings_from
from botprobe.cli.render import LABEL_STYLES, print_cases, stdout_console
from botprobe.judging import judge_of
from botprobe.model.text import counted
from botprobe.model.verdict import Case, Label
from botprobe.pipeline import rejudged
from botprobe.settings import Settings
from botprobe.storing import known_store

# Longer than any store has been kept.
EVER = timedelta(days=36_500)

Write = Annotated[
    bool, typer.Option("--write", help="Keep the new verdicts instead of the old ones.")
]


def rejudge(
    config: ConfigFile = None,
    as_json: AsJson = False,
    jsonl: AsJsonLines = False,
    explain: Explain = False,
    store: StorePath = None,
    write: Write = False,
) -> None:
    """Judge stored facts anew, and show whose label changes."""
    settings = settings_from(config, store=store)
    judge = judge_of(settings)
    old = asyncio.run(latest_cases(settings))
    new = [rejudged(case, judge) for case in old]
    if write:
        asyncio.run(_keep(settings))
    changed = [
        after
        for before, after in zip(old, new, strict=True)
        if before.verdict.label is not after.verdict.label
    ]
    if as_json or jsonl or explain:
        print_cases(changed, as_json=as_json, jsonl=jsonl, explain=explain)
    if not (as_json or jsonl):
        stdout_console().print(changes_screen(old, new))


def changes_screen(old: Sequence[Case], new: Sequence[Case]) -> RenderableType:
    """Count from which label to which hosts go."""
    moves = Counter(
        (before.verdict.label, after.verdict.label)
        for before, after in zip(old, new, strict=True)
        if before.verdict.label is not after.verdict.label
    )
    lines = [
        Text(f"{count:>6}  ").append(_label(before)).append(" -> ").append(_label(after))
        for (before, after), count in moves.most_common()
    ]
    rules = next((case.verdict.rules for case in new if case.verdict.rules), "none")
    summary = (
        f"{counted(len(new), 'host')} judged by rules {rules}, labels changed: {moves.total():,}"
    )
    return Group(*lines, Text(summary))


async def latest_cases(settings: Settings) -> list[Case]:
    """Read the newest look at each host."""
    async with known_store(settings) as store:
        found = store.findings(frozenset(Label), datetime.now(UTC), EVER)
        return [finding.case async for finding in found]


async def _keep(settings: Settings) -> None:
    judge = judge_of(settings)
    async with known_store(settings) as store:
        await store.rewrite_verdicts(lambda case: rejudged(case, judge))


def _label(label: Label) -> Text:
    return Text(label, style=LABEL_STYLES[label])
