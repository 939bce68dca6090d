"""``botprobe report``: what the trap saw in a week, and what changed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.given import refuse_idle
from botprobe.cli.options import AsJson, ConfigFile, HtmlFile, StorePath, only_form, settings_from
from botprobe.cli.render import print_json, stdout_console
from botprobe.cli.stderr import complain
from botprobe.config import addresses
from botprobe.model.weekly import Period
from botprobe.report.digest import MailServer, report_mail, send_mail
from botprobe.report.document import report_csv, report_document
from botprobe.report.files import write_whole
from botprobe.report.html import report_page
from botprobe.report.periods import chosen_periods
from botprobe.report.places import country_lookup, resolver_for, with_origins
from botprobe.report.terminal import report_screen
from botprobe.report.weekly import WeeklyReport, weekly_report
from botprobe.settings import MailTable, Settings
from botprobe.storing import known_store

# A quarter of a year shows a trend; a longer period shows all of its own weeks, up to a year.
TREND_WEEKS, MAX_TREND_WEEKS = 13, 53

# Name of the job that several machines may try, and one does.
REPORT = "report"

Week = Annotated[
    str | None, typer.Option(help="ISO week, FIRST..LAST, or this.", metavar="2026-W47")
]
Compare = Annotated[str | None, typer.Option(help="What to compare with.", metavar="2026-W46")]
Since = Annotated[str | None, typer.Option(help="First week, or a date in it.", metavar="WEEK")]
Until = Annotated[str | None, typer.Option(help="Last week, or a date in it.", metavar="WEEK")]
AsCsv = Annotated[
    bool, typer.Option("--csv", help="One CSV table on standard output.", callback=only_form)
]
MailTo = Annotated[
    list[str] | None, typer.Option("--mail", help="Send it to this address.", metavar="TO")
]
PrintMail = Annotated[
    bool, typer.Option("--print", help="With --mail: print the mail instead of sending it.")
]
Once = Annotated[
    bool,
    typer.Option("--once", help="With --mail: only if no machine has mailed it for this period."),
]


def report(
    ctx: typer.Context,
    week: Week = None,
    compare: Compare = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    html: HtmlFile = None,
    mail: MailTo = None,
    print_mail: PrintMail = False,
    once: Once = False,
    config: ConfigFile = None,
    store: StorePath = None,
) -> None:
    """Sum up a week: mails, systems, verdicts, and what changed."""
    refuse_idle(ctx, {} if mail else dict.fromkeys(("print_mail", "once"), "--mail"))
    settings = settings_from(config, store=store)
    made = datetime.now(UTC)
    periods = chosen_periods(made, week=week, compare=compare, since=since, until=until)
    found = asyncio.run(_report(settings, *periods, made))
    if html is not None:
        write_whole(html, report_page(found))
    if mail:
        with _once(settings, str(periods[0])) if once else nullcontext(True) as wanted:
            if wanted:
                _mail(found, mail, settings.mail, only_print=print_mail)
    if as_json:
        print_json(report_document(found))
    elif as_csv:
        print(report_csv(found), end="")
    elif html is None and not mail:
        stdout_console().print(report_screen(found))


@contextmanager
def _once(settings: Settings, period: str) -> Iterator[bool]:
    """Say whether nobody did it before; whoever fails leaves it to others."""
    first = asyncio.run(_note(settings, period, done=True))
    if not first:
        complain(f"the report of {period} was mailed before")
    try:
        yield first
    except typer.Exit:  # somebody got it
        raise
    except BaseException:
        asyncio.run(_note(settings, period, done=False))
        raise


async def _note(settings: Settings, period: str, *, done: bool) -> bool:
    async with known_store(settings) as store:
        if done:
            return await store.first_to(REPORT, period)
        await store.not_done(REPORT, period)
        return False


def _mail(
    found: WeeklyReport, recipients: list[str], table: MailTable, *, only_print: bool
) -> None:
    message = report_mail(found, table.sender, recipients)
    if only_print:
        print(message.as_string(), end="")
        return
    server = msgspec.structs.asdict(table)
    del server["sender"]
    refused = asyncio.run(send_mail(message, MailServer(**server)))
    for line in refused:
        complain(line)
    if refused:
        raise typer.Exit(ExitCode.PARTLY)


async def _report(
    settings: Settings, period: Period, compared: Period, made: datetime
) -> WeeklyReport:
    locate = country_lookup(Path(settings.report.mmdb)) if settings.report.mmdb else None
    weeks = min(max(period.weeks, TREND_WEEKS), MAX_TREND_WEEKS)
    async with known_store(settings) as store:
        tallies = await store.tallies(period, compared, trend_weeks=weeks, locate=locate)
    if settings.report.cymru:
        nameservers = addresses(settings.dns.nameservers, "dns.nameservers")
        resolver = resolver_for(nameservers, settings.dns.timeout)
        networks = await with_origins(tallies.networks, resolver)
        tallies = replace(tallies, networks=networks)
    return weekly_report(tallies, made)
