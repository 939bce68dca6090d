"""``botprobe maillog``: a mail server's health, from its own log and its DNS queries."""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from botprobe.cli.dossier import Investigate, Keep
from botprobe.cli.given import refuse_idle
from botprobe.cli.maillog_outputs import Outputs
from botprobe.cli.maillog_run import Dossiers, Logs, Run
from botprobe.cli.options import ADDRESSES, NETWORKS, AsJson, ConfigFile, StorePath, settings_from
from botprobe.config import addresses, networks
from botprobe.observers.maillog.analysis import Choices
from botprobe.observers.maillog.calendar import HolidayCalendar, read_holidays
from botprobe.observers.maillog.effect import Action
from botprobe.observers.maillog.reader import ReadOptions
from botprobe.observers.maillog.rejects import RejectKind

# Below this a second process costs more than it brings.
PARALLEL_BYTES = 64 << 20
MAX_JOBS = 2

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE", help="Mail logs, also .gz .xz .bz2 .zst; - is stdin."),
]
DnsFiles = Annotated[
    list[Path] | None,
    typer.Option("--dns", help="Query log of the DNS server, or a capture.", metavar="FILE"),
]
PopFiles = Annotated[
    list[Path] | None, typer.Option("--pop", help="Log of a POP or IMAP server.", metavar="FILE")
]
MailHosts = Annotated[
    list[str] | None,
    typer.Option(
        help="The mail server's address in the DNS log; repeatable.",
        metavar="IP",
        callback=ADDRESSES,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Clients that do not count; repeatable.", metavar="CIDR", callback=NETWORKS),
]
WithoutMonitors = Annotated[
    bool,
    typer.Option("--without-monitors", help="Leave out clients that only look whether we live."),
]
WithLoopback = Annotated[
    bool, typer.Option("--with-loopback", help="Count what a content filter hands back, too.")
]
Instance = Annotated[
    str | None, typer.Option(help="Only lines of this syslog name.", metavar="NAME")
]
RejectKinds = Annotated[
    list[str] | None,
    typer.Option(
        "--reject-kind", help="A kind of reject of your own; repeatable.", metavar="KIND=WORDS"
    ),
]
Year = Annotated[
    int | None,
    typer.Option(
        metavar="YEAR", help="Year of each file's first stamp, if it has none.", min=1970, max=9998
    ),
]
Holidays = Annotated[
    Path | None, typer.Option(help="File of holidays, one ISO date per line.", metavar="FILE")
]
Country = Annotated[str | None, typer.Option(help="Country whose holidays count.", metavar="CC")]
Acted = Annotated[
    datetime | None,
    typer.Option(
        metavar="DATE",
        help="Since when a filter is in force: compare before and after.",
        formats=["%Y-%m-%d"],
    ),
]
AccessMap = Annotated[
    Path | None, typer.Option(help="Write a Postfix access map of the drivers.", metavar="FILE")
]
MapAction = Annotated[Action, typer.Option(help="What the access map does.")]
HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", help="Write a page that needs nothing else.", metavar="FILE"),
]
Textfile = Annotated[
    Path | None, typer.Option(help="Write metrics for Prometheus' node exporter.", metavar="FILE")
]
Follow = Annotated[
    bool,
    typer.Option("--follow", "-f", help="Go on with the newest logs; tell alarms as they come."),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Processes that read; by default two for big logs.", min=1, max=64
    ),
]


def maillog(
    ctx: typer.Context,
    files: Files,
    dns: DnsFiles = None,
    pop: PopFiles = None,
    mail_host: MailHosts = None,
    exclude: Exclude = None,
    without_monitors: WithoutMonitors = False,
    with_loopback: WithLoopback = False,
    instance: Instance = None,
    reject_kind: RejectKinds = None,
    year: Year = None,
    holidays: Holidays = None,
    country: Country = None,
    acted: Acted = None,
    access_map: AccessMap = None,
    action: MapAction = Action.REJECT,
    as_json: AsJson = False,
    html: HtmlFile = None,
    textfile: Textfile = None,
    follow: Follow = False,
    jobs: Jobs = None,
    keep_seen: Keep = False,
    investigate: Investigate = False,
    config: ConfigFile = None,
    store: StorePath = None,
) -> None:
    """Read a mail server's log: its load, alarms, and who drives it."""
    refuse_idle(ctx, {} if access_map else {"action": "--access-map"})
    refuse_idle(ctx, {} if dns else {"mail_host": "--dns"})
    settings = settings_from(config, store=store) if keep_seen or investigate else None
    counted = Choices(without_monitors=without_monitors, with_loopback=with_loopback)
    run = Run(
        logs=_logs(files, dns, pop, mail_host),
        options=_reading(files, year, instance, reject_kind, jobs),
        choices=_choices(counted, exclude, holidays, country, acted),
        outputs=Outputs(
            as_json=as_json, html=html, textfile=textfile, map=access_map, action=action
        ),
        dossiers=Dossiers(settings=settings, investigate=investigate),
    )
    raise typer.Exit(run.follow() if follow else run.once())


def _logs(
    files: list[Path],
    dns: list[Path] | None,
    pop: list[Path] | None,
    mail_hosts: list[str] | None,
) -> Logs:
    hosts = addresses(tuple(mail_hosts or ()), "--mail-host")
    return Logs(mail=files, pop=pop or (), dns=dns or (), mail_hosts=frozenset(hosts))


def _reading(
    files: list[Path],
    year: int | None,
    instance: str | None,
    reject_kinds: list[str] | None,
    jobs: int | None,
) -> ReadOptions:
    return ReadOptions(
        first_year=year,
        instance=None if instance is None else instance.encode(),
        own_kinds=tuple(_reject_kind(text) for text in reject_kinds or ()),
        jobs=jobs or _jobs_for(files),
    )


def _choices(
    counted: Choices,
    exclude: list[str] | None,
    holidays: Path | None,
    country: str | None,
    acted: datetime | None,
) -> Choices:
    return replace(
        counted,
        exclude=networks(tuple(exclude or ()), "--exclude"),
        calendar=HolidayCalendar(read_holidays(holidays) if holidays else frozenset(), country),
        acted=None if acted is None else acted.date(),
    )


def _reject_kind(text: str) -> RejectKind:
    kind, equals, words = text.partition("=")
    if not (kind and equals and words):
        raise typer.BadParameter(f"--reject-kind: not KIND=WORDS: {text!r}")
    return RejectKind(kind, words.lower().encode())


def _jobs_for(files: list[Path]) -> int:
    sizes = sum(path.stat().st_size for path in files if path.is_file())
    return min(MAX_JOBS, os.cpu_count() or 1) if sizes > PARALLEL_BYTES else 1
