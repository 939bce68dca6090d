"""``botprobe proxytrace``: who is behind the mail that leaves through a proxy."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from botprobe.cli.dossier import Investigate, Keep, keep
from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.given import refuse_idle
from botprobe.cli.options import (
    ADDRESSES,
    NETWORKS,
    AsJson,
    ConfigFile,
    HtmlFile,
    StorePath,
    settings_from,
)
from botprobe.cli.proxytrace_outputs import Outputs
from botprobe.cli.reading import tell_unread
from botprobe.config import addresses, networks
from botprobe.model.mail import IpAddress
from botprobe.model.observation import Observation
from botprobe.observers.proxytrace.captures import Capture, open_captures, recorded
from botprobe.observers.proxytrace.dossier import logged_suspects, observations, suspects
from botprobe.observers.proxytrace.logfiles import read_proxy_logs
from botprobe.observers.proxytrace.trace import trace

Captures = Annotated[
    list[Path] | None,
    typer.Argument(metavar="CAPTURE", help="pcap or pcapng, also .gz; or a folder of them."),
]
Logs = Annotated[
    list[Path] | None,
    typer.Option(
        "--log", help="Log of squid, tinyproxy, nginx or HAProxy; repeatable.", metavar="FILE"
    ),
]
Interface = Annotated[
    str | None, typer.Option(help="Record this interface until Ctrl-C.", metavar="NAME")
]
Seconds = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Record so long, not until Ctrl-C.", min=0.1, max=86_400),
]
Proxies = Annotated[
    list[str] | None,
    typer.Option(
        "--proxy",
        help="The suspected proxy; found by itself if not said.",
        metavar="IP",
        callback=ADDRESSES,
    ),
]
OwnDomains = Annotated[
    list[str] | None,
    typer.Option("--own-domain", help="Domain whose mail is ours; repeatable.", metavar="NAME"),
]
Inside = Annotated[
    list[str] | None,
    typer.Option(
        "--inside",
        help="Network of rightful users, for the advice.",
        metavar="CIDR",
        callback=NETWORKS,
    ),
]
Year = Annotated[
    int | None,
    typer.Option(
        metavar="YEAR", help="Year of a log's stamps, if they have none.", min=1970, max=9998
    ),
]


def proxytrace(
    ctx: typer.Context,
    captures: Captures = None,
    log: Logs = None,
    interface: Interface = None,
    seconds: Seconds = None,
    proxy: Proxies = None,
    own_domain: OwnDomains = None,
    inside: Inside = None,
    year: Year = None,
    as_json: AsJson = False,
    html: HtmlFile = None,
    keep_seen: Keep = False,
    investigate: Investigate = False,
    config: ConfigFile = None,
    store: StorePath = None,
) -> None:
    """Say who ordered the spam that leaves through a proxy."""
    if sum(map(bool, (captures, log, interface))) != 1:
        raise typer.BadParameter("give captures, or --log, or --interface")
    _refuse_idle(ctx, log=bool(log), live=bool(interface))
    users = [str(one) for one in networks(tuple(inside or ()), "--inside")]
    settings = settings_from(config, store=store)
    outputs = Outputs(as_json=as_json, html=html, inside=users)
    if log:
        found = _of_logs(log, year or datetime.now(UTC).year, outputs)
    else:
        question = _Question(addresses(tuple(proxy or ()), "--proxy"), tuple(own_domain or ()))
        if interface:
            with recorded(interface, seconds) as capture:
                found = _of_captures(capture, question, outputs)
        else:
            found = _of_captures(open_captures(captures or ()), question, outputs)
    if keep_seen or investigate:
        keep(settings, found.seen, found.suspects if investigate else {})
    raise typer.Exit(found.code)


def _refuse_idle(ctx: typer.Context, *, log: bool, live: bool) -> None:
    """Refuse what is for the other kinds of input."""
    refuse_idle(ctx, dict.fromkeys(("proxy", "own_domain"), "a capture") if log else {})
    refuse_idle(ctx, {} if log else {"year": "--log"})
    refuse_idle(ctx, {} if live else {"seconds": "--interface"})


@dataclass(frozen=True, slots=True)
class _Question:
    proxies: tuple[IpAddress, ...]
    own_domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What goes on to dossiers, and how the command ends."""

    seen: list[Observation]
    suspects: dict[IpAddress, str]
    code: ExitCode


def _of_captures(capture: Capture, question: _Question, outputs: Outputs) -> _Found:
    tracing = trace(capture.read, proxies=question.proxies, own_domains=question.own_domains)
    code = tell_unread(capture.notes, "capture")
    outputs.write_captures(tracing, capture.notes)
    return _Found(observations(tracing), suspects(tracing), code)


def _of_logs(paths: list[Path], year: int, outputs: Outputs) -> _Found:
    tracing, notes = read_proxy_logs(paths, year)
    code = tell_unread(notes, "log")
    outputs.write_logs(tracing, notes)
    return _Found([], logged_suspects(tracing.origins), code)
