"""``botprobe report``: what the trap saw in a week, and what changed."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from botprobe.cli.options import AsJson, ConfigFile, StorePath, settings_from
from botprobe.cli.render import print_json, stdout_console
from botprobe.config import Settings
from botprobe.model.weekly import Period
from botprobe.report.document import report_csv, report_document
from botprobe.report.periods import chosen_periods
from botprobe.report.terminal import report_screen
from botprobe.report.weekly import WeeklyReport, weekly_report
from botprobe.wiring import open_store

# A quarter of a year shows a trend; a longer period shows all of its own weeks, up to a year.
TREND_WEEKS, MAX_TREND_WEEKS = 13, 53

Week = Annotated[str | None, typer.Option(help="ISO week, or FIRST..LAST.", metavar="2026-W47")]
Compare = Annotated[str | None, typer.Option(help="What to compare with.", metavar="2026-W46")]
Since = Annotated[str | None, typer.Option(help="First week, or a date in it.", metavar="WEEK")]
Until = Annotated[str | None, typer.Option(help="Last week, or a date in it.", metavar="WEEK")]
AsCsv = Annotated[bool, typer.Option("--csv", help="One CSV table on standard output.")]


def report(
    week: Week = None,
    compare: Compare = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    config: ConfigFile = None,
    store: StorePath = None,
) -> None:
    """Sum up a week: mails, systems, verdicts, and what changed since the week before."""
    settings = settings_from(config, store=store)
    made = datetime.now(UTC)
    periods = chosen_periods(made, week=week, compare=compare, since=since, until=until)
    found = asyncio.run(_report(settings, *periods, made))
    if as_json:
        print_json(report_document(found))
    elif as_csv:
        print(report_csv(found), end="")
    else:
        stdout_console().print(report_screen(found))


async def _report(
    settings: Settings, period: Period, compared: Period, made: datetime
) -> WeeklyReport:
    trend = min(max(period.weeks, TREND_WEEKS), MAX_TREND_WEEKS)
    async with open_store(settings) as store:
        return weekly_report(await store.tallies(period, compared, trend_weeks=trend), made)
