"""``botprobe router``: who sends mail and never fetches any, on a router or from captures."""

import asyncio
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from botprobe.cli.dossier import Investigate, Keep, keep
from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.investigation import complain
from botprobe.cli.options import AsJson, ConfigFile, StorePath, settings_from
from botprobe.cli.render import print_json, stdout_console
from botprobe.cli.router_document import router_document, router_metrics
from botprobe.cli.router_live import LiveChoices, run_live
from botprobe.cli.router_screen import SortBy, router_screen, sort_table
from botprobe.cli.router_sink import run_sink
from botprobe.config import networks
from botprobe.errors import UsageError
from botprobe.model.mail import IpAddress
from botprobe.observers.capture import CaptureNotes, capture_files
from botprobe.observers.router.counting import Counting
from botprobe.observers.router.credit import Action, CreditRule, SequentialTest
from botprobe.observers.router.kernel import Kernel
from botprobe.observers.router.packetlog import packet_log
from botprobe.observers.router.rules import RouterRules, ruleset
from botprobe.observers.router.table import Judgement, Standing, judge, observations, table_line
from botprobe.report.files import write_whole


class Act(StrEnum):
    """What is done with the mail of suspects."""

    DROP = "drop"
    REDIRECT = "redirect"


class ManyCaptures(TyperGroup):
    """Takes all names behind ``--pcap``, as a shell writes them for ``--pcap *.pcap``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give each name behind ``--pcap`` an option of its own."""
        return super().parse_args(ctx, spread(args))


def spread(args: list[str]) -> list[str]:
    """Write ``--pcap A B`` as ``--pcap A --pcap B``; the next option ends the list."""
    spread_out, inside = list[str](), False
    for before, arg in zip(["", *args], args, strict=False):
        if arg.startswith("-") and len(arg) > 1:
            inside = arg == "--pcap"
        elif inside and before != "--pcap":
            spread_out.append("--pcap")
        spread_out.append(arg)
    return spread_out


router = typer.Typer(
    name="router",
    cls=ManyCaptures,
    help="See who sends mail and never fetches any.",
    invoke_without_command=True,
)

# A store keeps these; the rest of a flood stays in the table.
MAX_KEPT = 10_000

Captures = Annotated[
    list[Path] | None,
    typer.Option(
        "--pcap", help="Capture (pcap, pcapng, gz) or folder of them; repeatable.", metavar="FILE"
    ),
]
Threshold = Annotated[int, typer.Option(help="Credit above which a host is suspected.", min=1)]
SmtpCredit = Annotated[int, typer.Option(help="Credit for a packet that sends.", min=1)]
MailboxCredit = Annotated[int, typer.Option(help="Credit for a packet that fetches.", max=0)]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", help="Never suspect these, e.g. own mail servers.", metavar="CIDR"),
]
Packets = Annotated[
    bool, typer.Option("--packets", help="First the suspects' packets, then the table as lines.")
]
Sort = Annotated[SortBy, typer.Option(help="What the table is sorted by.")]
Textfile = Annotated[
    Path | None, typer.Option(help="Write metrics for Prometheus' node exporter.", metavar="FILE")
]
Inside = Annotated[
    list[str] | None,
    typer.Option(help="Whose mail counts: the networks behind the router.", metavar="CIDR"),
]
Sampling = Annotated[int, typer.Option(help="Count one packet of so many.", min=1, max=10_000)]
Cleanup = Annotated[int, typer.Option(help="Seconds until a silent host is forgotten.", min=10)]
Enforce = Annotated[bool, typer.Option("--enforce", help="Act, instead of only reporting.")]
OnSuspects = Annotated[
    Act, typer.Option("--action", help="What --enforce does to the mail of suspects.")
]
SinkPlace = Annotated[
    str, typer.Option("--sink", help="Where mail is redirected to.", metavar="[ADDRESS:]PORT")
]

Seconds = Annotated[
    float | None, typer.Option("--for", help="Stop after so many seconds.", metavar="SECONDS")
]


@router.callback()
def report(
    ctx: typer.Context,
    pcap: Captures = None,
    threshold: Threshold = 150,
    smtp_credit: SmtpCredit = 1,
    mailbox_credit: MailboxCredit = -3,
    allow: Allow = None,
    inside: Inside = None,
    sampling: Sampling = 1,
    cleanup: Cleanup = 86_400,
    enforce: Enforce = False,
    action: OnSuspects = Act.DROP,
    sink_place: SinkPlace = "2525",
    block_for: Annotated[int, typer.Option(help="Seconds that a block holds.", min=1)] = 3600,
    no_confirm: Annotated[
        bool, typer.Option("--no-confirm", help="Act on credit alone; ask nobody on port 25.")
    ] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.05)] = 0.5,
    seconds: Seconds = None,
    packets: Packets = False,
    sort: Sort = SortBy.CREDIT,
    as_json: AsJson = False,
    textfile: Textfile = None,
    keep_seen: Keep = False,
    investigate: Investigate = False,
    config: ConfigFile = None,
    store: StorePath = None,
) -> None:
    """See who sends mail and never fetches any."""
    if ctx.invoked_subcommand is not None:
        return
    if packets and (as_json or not pcap):
        raise UsageError("router: --packets is for captures, and no JSON")
    rule = CreditRule(
        smtp=smtp_credit,
        mailbox=mailbox_credit,
        threshold=threshold,
        floor=-threshold,
        sampling=1 if pcap else sampling,
    )
    notes = CaptureNotes() if pcap else None
    if pcap and notes is not None:
        files = capture_files(pcap)
        judged = sort_table(_judged(files, rule, notes, allow or []), sort)
    else:
        files, choice = [], (action if enforce else None)
        choices = LiveChoices(
            rules=_rules(inside, allow, sampling, cleanup, choice, sink_place),
            rule=rule,
            confirm=not no_confirm,
            every=every,
            block_seconds=block_for,
            seconds=seconds,
            sort=sort,
            textfile=textfile,
        )
        judged = run_live(settings_from(config, store=store), choices)
    if as_json:
        acts = enforce and not pcap
        taken = Action[action.name] if acts else Action.ACCEPT
        print_json(router_document(judged, rule, notes, taken))
    elif packets:
        _print_lines(files, judged)
    else:
        stdout_console().print(router_screen(judged, rule, notes))
    if textfile is not None:
        write_whole(textfile, router_metrics(judged))
    if keep_seen or investigate:
        seen = observations(judged[:MAX_KEPT])
        keep(settings_from(config, store=store), seen, _suspects(judged) if investigate else {})
    raise typer.Exit(ExitCode.PARTLY if notes and notes.damaged else ExitCode.DONE)


@router.command("off")
def off() -> None:
    """Take the ruleset away; nothing of it stays."""
    asyncio.run(Kernel().remove())
    complain("nothing of botprobe is in the ruleset")


@router.command("rules")
def rules(
    inside: Inside = None,
    allow: Allow = None,
    sampling: Sampling = 1,
    cleanup: Cleanup = 86_400,
    enforce: Enforce = False,
    action: OnSuspects = Act.DROP,
    sink_place: SinkPlace = "2525",
) -> None:
    """Print the ruleset that would be loaded, for nft -f."""
    choice = action if enforce else None
    print(ruleset(_rules(inside, allow, sampling, cleanup, choice, sink_place)), end="")


@router.command("sink")
def sink(
    maildir: Annotated[Path, typer.Option(help="Where mails are kept.", metavar="DIR")],
    place: Annotated[
        str, typer.Option("--listen", help="Where to listen.", metavar="[ADDRESS:]PORT")
    ] = "2525",
    most_mb: Annotated[int, typer.Option("--max-mb", help="Megabytes kept.", min=1)] = 1000,
    seconds: Seconds = None,
) -> None:
    """Keep the mail that the router redirects; deliver nothing."""
    address, port = _place(place)
    run_sink(maildir, None if address is None else str(address), port, most_mb << 20, seconds)


def _rules(
    inside: list[str] | None,
    allow: list[str] | None,
    sampling: int,
    cleanup: int,
    action: Act | None,
    sink_place: str,
) -> RouterRules:
    if action is not None and not inside:
        raise UsageError("router: --enforce needs --inside, so that no mail from outside is hit")
    return RouterRules(
        inside=networks(tuple(inside or ()), "--inside"),
        spared=networks(tuple(allow or ()), "--allow"),
        sampling=sampling,
        cleanup=cleanup,
        enforce=Action.ACCEPT if action is None else Action[action.name],
        sink=_place(sink_place) if action is Act.REDIRECT else None,
    )


def _place(text: str) -> tuple[IpAddress | None, int]:
    address, _, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if not 0 < number < 65_536:
        raise UsageError(f"not [ADDRESS:]PORT: {text}")
    try:
        return (ip_address(address.strip("[]")) if address else None), number
    except ValueError as error:
        raise UsageError(f"not [ADDRESS:]PORT: {text}") from error


def _judged(
    files: list[Path], rule: CreditRule, notes: CaptureNotes, allow: list[str]
) -> list[Judgement]:
    spared, counting = networks(tuple(allow), "--allow"), Counting(rule)
    counting.read(files, notes)
    return [
        judge(entry, rule, SequentialTest())
        for entry in counting.entries()
        if not any(entry.address in network for network in spared)
    ]


def _suspects(judged: list[Judgement]) -> dict[IpAddress, str]:
    return {
        one.entry.address: f"only sends mail (credit {one.entry.credit:,})"
        for one in judged
        if one.standing is Standing.SUSPECT
    }


def _print_lines(files: list[Path], judged: list[Judgement]) -> None:
    """Write the original's log: the packets of the suspects, then a line per address."""
    for line in packet_log(files, _suspects(judged), CaptureNotes()):
        print(line)
    for number, one in enumerate(judged, 1):
        print(table_line(number, one, Action.ACCEPT))
