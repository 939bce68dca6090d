"""``botprobe maillog``: a mail server's health, from its own log and its DNS queries."""

import os
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from botprobe.cli.dossier import Investigate, Keep, keep
from botprobe.cli.investigation import complain
from botprobe.cli.maillog_follow import Watch, follow_log
from botprobe.cli.maillog_outputs import Outputs, tell_incident
from botprobe.cli.options import AsJson, ConfigFile, StorePath, settings_from
from botprobe.config import addresses, networks
from botprobe.observers.maillog.analysis import Choices, analyse
from botprobe.observers.maillog.calendar import HolidayCalendar, read_holidays
from botprobe.observers.maillog.dnstally import DnsTally, read_dns_logs
from botprobe.observers.maillog.dossier import observations, suspects
from botprobe.observers.maillog.effect import Action
from botprobe.observers.maillog.reader import ReadOptions, read_logs
from botprobe.observers.maillog.rejects import RejectKind
from botprobe.observers.maillog.tally import LogTally

# Below this a second process costs more than it brings.
PARALLEL_BYTES = 64 << 20
MAX_JOBS = 2

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Mail logs, also .gz .xz .bz2 .zst; - is stdin."),
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
    typer.Option(help="The mail server's address in the DNS log; repeatable.", metavar="IP"),
]
Exclude = Annotated[
    list[str] | None, typer.Option(help="Clients that do not count; repeatable.", metavar="CIDR")
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
    typer.Option(help="Year of each file's first stamp, if it has none.", min=1970, max=9998),
]
Holidays = Annotated[
    Path | None, typer.Option(help="File of holidays, one ISO date per line.", metavar="FILE")
]
Country = Annotated[str | None, typer.Option(help="Country whose holidays count.", metavar="CC")]
Acted = Annotated[
    datetime | None,
    typer.Option(
        help="Since when a filter is in force: compare before and after.", formats=["%Y-%m-%d"]
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
    bool, typer.Option("--follow", "-f", help="Go on with the last file; tell alarms as they come.")
]
Jobs = Annotated[
    int | None,
    typer.Option(help="Processes that read; by default two for big logs.", min=1, max=64),
]


def maillog(
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
    options = ReadOptions(
        first_year=year,
        instance=None if instance is None else instance.encode(),
        own_kinds=tuple(_reject_kind(text) for text in reject_kind or ()),
        jobs=jobs or _jobs_for(files),
    )
    choices = Choices(
        exclude=networks(tuple(exclude or ()), "--exclude"),
        without_monitors=without_monitors,
        with_loopback=with_loopback,
        calendar=HolidayCalendar(read_holidays(holidays) if holidays else frozenset(), country),
        acted=None if acted is None else acted.date(),
    )
    tally, queries = LogTally(), _dns_tally(dns, mail_host, options)
    outputs = Outputs(as_json=as_json, html=html, textfile=textfile, map=access_map, action=action)
    if follow:
        judge = partial(analyse, tally, queries, choices)
        follow_log(
            [*(pop or ()), *files], options, tally, Watch(judge, outputs.refresh, tell_incident)
        )
    read_logs([*files, *(pop or ())], options, tally)
    found = analyse(tally, queries, choices)
    outputs.write(found)
    if keep_seen or investigate:
        seen = observations(tally, found, options.zone)
        keep(settings_from(config, store=store), seen, suspects(found) if investigate else {})


def _dns_tally(
    paths: list[Path] | None, mail_hosts: list[str] | None, options: ReadOptions
) -> DnsTally | None:
    if not paths:
        return None
    if not mail_hosts:
        complain(
            "without --mail-host every query counts as the mail server's, and nobody is suspected "
            "for asking for MX records"
        )
    tally = DnsTally(frozenset(addresses(tuple(mail_hosts or ()), "--mail-host")))
    read_dns_logs(paths, tally, options.first_year, options.zone)
    return tally


def _reject_kind(text: str) -> RejectKind:
    kind, equals, words = text.partition("=")
    if not (kind and equals and words):
        raise typer.BadParameter(f"--reject-kind: not KIND=WORDS: {text!r}")
    return RejectKind(kind, words.lower().encode())


def _jobs_for(files: list[Path]) -> int:
    sizes = sum(path.stat().st_size for path in files if path.is_file())
    return min(MAX_JOBS, os.cpu_count() or 1) if sizes > PARALLEL_BYTES else 1
