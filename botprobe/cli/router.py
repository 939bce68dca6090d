"""``botprobe router``: who sends mail and never fetches any, on a router or from captures."""

import typer

from botprobe.cli.dossier import Investigate, Keep
from botprobe.cli.options import AsJson, ConfigFile, StorePath
from botprobe.cli.router_captures import show_captures
from botprobe.cli.router_options import (
    Act,
    Allow,
    BlockFor,
    Captures,
    Cleanup,
    Enforce,
    Every,
    Inside,
    MailboxCredit,
    ManyCaptures,
    NoConfirm,
    OnSuspects,
    Pace,
    Packets,
    Sampling,
    Seconds,
    SinkFolder,
    SinkListen,
    SinkMegabytes,
    SinkPlace,
    SmtpCredit,
    Sort,
    Textfile,
    Threshold,
    Whose,
    place_of,
    refuse_inaction,
    refuse_lost,
    rule_of,
    rules_of,
)
from botprobe.cli.router_screen import SortBy
from botprobe.cli.router_view import Books, View
from botprobe.cli.stderr import complain
from botprobe.errors import UsageError
from botprobe.observers.router.rules import RouterRules, ruleset

router = typer.Typer(
    name="router",
    cls=ManyCaptures,
    help="See who sends mail and never fetches any.",
    invoke_without_command=True,
)


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
    block_for: BlockFor = 3600,
    no_confirm: NoConfirm = False,
    every: Every = 0.5,
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
    refuse_lost(ctx, captures=bool(pcap))
    if ctx.invoked_subcommand is not None:
        return
    if packets and (as_json or not pcap):
        raise UsageError("router: --packets is for captures, and no JSON")
    rule = rule_of(threshold, smtp_credit, mailbox_credit, 1 if pcap else sampling)
    view = View(rule=rule, sort=sort, as_json=as_json, textfile=textfile)
    books = Books(config=config, store=store, keep=keep_seen, investigate=investigate)
    if pcap:
        whose = Whose.of(inside, allow)
        raise typer.Exit(show_captures(pcap, whose, view, books, packets=packets))
    refuse_inaction(ctx, action, enforce=enforce)
    pace = Pace(every=every, seconds=seconds, block_seconds=block_for, confirm=not no_confirm)
    choice = action if enforce else None
    _watch(rules_of(inside, allow, sampling, cleanup, choice, sink_place), pace, view, books)


def _watch(rules: RouterRules, pace: Pace, view: View, books: Books) -> None:
    from botprobe.cli.router_live import run_live  # noqa: PLC0415  # captures do without

    run_live(rules, pace, view, books)


@router.command("off")
def off() -> None:
    """Take the ruleset away; nothing of it stays."""
    import asyncio  # noqa: PLC0415  # captures do without, and it takes 3 MB

    from botprobe.observers.router.kernel import Kernel  # noqa: PLC0415  # imports it, too

    asyncio.run(Kernel().remove())
    complain("nothing of botprobe is in the ruleset")


@router.command("rules")
def rules(
    ctx: typer.Context,
    inside: Inside = None,
    allow: Allow = None,
    sampling: Sampling = 1,
    cleanup: Cleanup = 86_400,
    enforce: Enforce = False,
    action: OnSuspects = Act.DROP,
    sink_place: SinkPlace = "2525",
) -> None:
    """Print the ruleset that would be loaded, for nft -f."""
    refuse_inaction(ctx, action, enforce=enforce)
    choice = action if enforce else None
    print(ruleset(rules_of(inside, allow, sampling, cleanup, choice, sink_place)), end="")


@router.command("sink")
def sink(
    maildir: SinkFolder,
    place: SinkListen = "2525",
    most_mb: SinkMegabytes = 1000,
    seconds: Seconds = None,
) -> None:
    """Keep the mail that the router redirects; deliver nothing."""
    from botprobe.cli.router_sink import run_sink  # noqa: PLC0415  # only this command needs it

    address, port = place_of(place)
    run_sink(maildir, None if address is None else str(address), port, most_mb << 20, seconds)
