"""The options of ``botprobe router``, and what they come to."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from typer.core import TyperGroup

from botprobe.cli.given import given, refuse_idle
from botprobe.cli.options import NETWORKS
from botprobe.cli.router_screen import SortBy
from botprobe.config import networks
from botprobe.errors import UsageError
from botprobe.model.audit import IpNetwork
from botprobe.model.mail import IpAddress
from botprobe.observers.router.credit import Action, CreditRule
from botprobe.observers.router.rules import RouterRules


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


# Beyond these, sums would leave what a database and the kernel can count. Seconds: ten years.
_MOST, _LONGEST = 1_000_000_000, 315_360_000

Captures = Annotated[
    list[Path] | None,
    typer.Option(
        "--pcap", help="Capture (pcap, pcapng, gz) or folder of them; repeatable.", metavar="FILE"
    ),
]
Threshold = Annotated[
    int, typer.Option(metavar="N", help="Credit above which a host is suspected.", min=1, max=_MOST)
]
SmtpCredit = Annotated[
    int, typer.Option(metavar="N", help="Credit for a packet that sends.", min=1, max=_MOST)
]
MailboxCredit = Annotated[
    int, typer.Option(metavar="N", help="Credit for a packet that fetches.", min=-_MOST, max=0)
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        help="Never suspect these, e.g. own mail servers.",
        metavar="CIDR",
        callback=NETWORKS,
    ),
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
    typer.Option(
        help="Whose mail counts: the networks behind the router.", metavar="CIDR", callback=NETWORKS
    ),
]
Sampling = Annotated[
    int, typer.Option(metavar="N", help="Count one packet of so many.", min=1, max=10_000)
]
Cleanup = Annotated[
    int,
    typer.Option(
        metavar="SECONDS", help="Seconds until a silent host is forgotten.", min=10, max=_LONGEST
    ),
]
Enforce = Annotated[bool, typer.Option("--enforce", help="Act, instead of only reporting.")]
OnSuspects = Annotated[
    Act, typer.Option("--action", help="What --enforce does to the mail of suspects.")
]
SinkPlace = Annotated[
    str, typer.Option("--sink", help="Where mail is redirected to.", metavar="[ADDRESS:]PORT")
]
BlockFor = Annotated[
    int, typer.Option(metavar="SECONDS", help="Seconds that a block holds.", min=1, max=_LONGEST)
]
NoConfirm = Annotated[
    bool, typer.Option("--no-confirm", help="Act on credit alone; ask nobody on port 25.")
]
Every = Annotated[
    float, typer.Option(metavar="SECONDS", help="Seconds between two looks.", min=0.05)
]
Seconds = Annotated[
    float | None,
    typer.Option("--for", help="Stop after so many seconds.", metavar="SECONDS", min=0),
]
SinkListen = Annotated[
    str, typer.Option("--listen", help="Where to listen.", metavar="[ADDRESS:]PORT")
]
SinkFolder = Annotated[Path, typer.Option(help="Where mails are kept.", metavar="DIR")]
SinkMegabytes = Annotated[
    int, typer.Option("--max-mb", metavar="N", help="Megabytes kept.", min=1, max=_MOST)
]


_ACTING = ("action", "sink_place", "block_for")
_LIVE_ONLY = ("sampling", "cleanup", "enforce", *_ACTING, "no_confirm", "every", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a running router goes on."""

    every: float
    seconds: float | None
    block_seconds: int
    confirm: bool


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose packets count."""

    inside: tuple[IpNetwork, ...]
    """Empty means everybody's, as in the ruleset; of a family without a network nobody's count."""
    spared: tuple[IpNetwork, ...]

    @classmethod
    def of(cls, inside: list[str] | None, allow: list[str] | None) -> Self:
        """Read both options.

        Raises:
            ConfigError: one of the networks is none.
        """
        return cls(
            networks(tuple(inside or ()), "--inside"), networks(tuple(allow or ()), "--allow")
        )

    def __contains__(self, address: IpAddress) -> bool:
        if self.inside and not any(address in network for network in self.inside):
            return False
        return not any(address in network for network in self.spared)


def refuse_lost(ctx: typer.Context, *, captures: bool) -> None:
    """Refuse options that would do nothing in the way that the command was called.

    Raises:
        UsageError: one of them was given.
    """
    command = ctx.invoked_subcommand
    if command is not None and (lost := given(ctx)):
        raise UsageError(f"{lost[0]} stands before {command!r}, not behind it")
    if captures and (lost := given(ctx, _LIVE_ONLY)):
        raise UsageError(f"{lost[0]} is for a router that runs, not --pcap")


def refuse_inaction(ctx: typer.Context, action: Act, *, enforce: bool) -> None:
    """Refuse to be told how to act by whoever does not say that anything is to be done.

    Raises:
        UsageError: an option was given that does nothing.
    """
    if not enforce:
        refuse_idle(ctx, dict.fromkeys(_ACTING, "--enforce"))
    if action is not Act.REDIRECT:
        refuse_idle(ctx, {"sink_place": "--action redirect"})


def rule_of(threshold: int, smtp: int, mailbox: int, sampling: int) -> CreditRule:
    """Return the credit rule; nobody falls lower than he would have to climb."""
    return CreditRule(
        smtp=smtp, mailbox=mailbox, threshold=threshold, floor=-threshold, sampling=sampling
    )


def rules_of(
    inside: list[str] | None,
    allow: list[str] | None,
    sampling: int,
    cleanup: int,
    action: Act | None,
    sink_place: str,
) -> RouterRules:
    """Return what the ruleset depends on; without an action it only counts.

    Raises:
        UsageError: somebody is to be blocked, and it is not said behind which networks.
        ConfigError: one of the networks is none.
    """
    if action is not None and not inside:
        raise UsageError("router: --enforce needs --inside, so that no mail from outside is hit")
    whose = Whose.of(inside, allow)
    return RouterRules(
        inside=whose.inside,
        spared=whose.spared,
        sampling=sampling,
        cleanup=cleanup,
        enforce=Action.ACCEPT if action is None else Action[action.name],
        sink=place_of(sink_place) if action is Act.REDIRECT else None,
    )


def place_of(text: str) -> tuple[IpAddress | None, int]:
    """Read ``[ADDRESS:]PORT``.

    Raises:
        UsageError: it is none.
    """
    address, _, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdecimal() else 0
    if not 0 < number < 65_536 or "%" in address:
        raise UsageError(f"not [ADDRESS:]PORT: {text}")
    try:
        return (ip_address(address.strip("[]")) if address else None), number
    except ValueError as error:
        raise UsageError(f"not [ADDRESS:]PORT: {text}") from error
