"""``botprobe router``: who sends mail and never fetches any, from captures."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from botprobe.cli.dossier import Investigate, Keep, keep
from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.options import AsJson, ConfigFile, StorePath, settings_from
from botprobe.cli.render import print_json, stdout_console
from botprobe.cli.router_document import router_document, router_metrics
from botprobe.cli.router_screen import SortBy, router_screen, sort_table
from botprobe.config import networks
from botprobe.errors import UsageError
from botprobe.model.mail import IpAddress
from botprobe.observers.capture import CaptureNotes, capture_files
from botprobe.observers.router.counting import Counting
from botprobe.observers.router.credit import Action, CreditRule, SequentialTest
from botprobe.observers.router.packetlog import packet_log
from botprobe.observers.router.table import Judgement, Standing, judge, observations, table_line
from botprobe.report.files import write_whole


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


@router.callback()
def report(
    ctx: typer.Context,
    pcap: Captures = None,
    threshold: Threshold = 150,
    smtp_credit: SmtpCredit = 1,
    mailbox_credit: MailboxCredit = -3,
    allow: Allow = None,
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
    if not pcap:
        raise UsageError("router: name captures with --pcap, or one of its commands")
    if packets and as_json:
        raise UsageError("router: --packets and --json exclude each other")
    rule = CreditRule(
        smtp=smtp_credit, mailbox=mailbox_credit, threshold=threshold, floor=-threshold
    )
    files, notes = capture_files(pcap), CaptureNotes()
    judged = sort_table(_judged(files, rule, notes, allow or []), sort)
    if as_json:
        print_json(router_document(judged, rule, notes))
    elif packets:
        _print_lines(files, judged)
    else:
        stdout_console().print(router_screen(judged, rule, notes))
    if textfile is not None:
        write_whole(textfile, router_metrics(judged))
    if keep_seen or investigate:
        seen = observations(judged[:MAX_KEPT])
        keep(settings_from(config, store=store), seen, _suspects(judged) if investigate else {})
    raise typer.Exit(ExitCode.PARTLY if notes.damaged else ExitCode.DONE)


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
