"""``botprobe headers``: the way of a mail as its header tells it. It never sends a packet."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.hoptable import TRUST_STYLES
from botprobe.cli.mailinput import MailReader
from botprobe.cli.options import AsJson, AsJsonLines, ConfigFile, settings_from
from botprobe.cli.render import print_json, print_json_lines, stdout_console
from botprobe.contract.case import rfc3339
from botprobe.contract.mail import mail_document
from botprobe.errors import ConfigError
from botprobe.intake.networks import NetworkList, parse_networks
from botprobe.intake.trust import TrustSettings
from botprobe.model.mail import Hop, Mail
from botprobe.model.text import visible
from botprobe.wiring import trust_settings

ADVICE = "Name your mail servers with --own-host, or your relays with --trusted-network."

Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-network",
        metavar="CIDR",
        help="Relays that write no forgeries; ! excludes, the first that holds an address decides.",
    ),
]
InternalNetworks = Annotated[
    list[str] | None,
    typer.Option("--internal-network", metavar="CIDR", help="Our own mail exchangers."),
]
SubmissionNetworks = Annotated[
    list[str] | None,
    typer.Option(
        "--msa-network", metavar="CIDR", help="Trusted relays that take authenticated mail only."
    ),
]
OwnHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--own-host",
        metavar="NAME",
        help="Name of a mail server of ours; .example.org is a domain.",
    ),
]


def headers(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Mails, mboxes, Maildirs; - is standard input."),
    ],
    config: ConfigFile = None,
    as_json: AsJson = False,
    jsonl: AsJsonLines = False,
    trusted_network: Networks = None,
    internal_network: InternalNetworks = None,
    msa_network: SubmissionNetworks = None,
    own_host: OwnHosts = None,
) -> None:
    """Read the Received fields of mails: each hop, how far to believe it, who delivered the mail."""
    settings = _override(
        trust_settings(settings_from(config)),
        {
            "trusted_networks": _networks(trusted_network, "--trusted-network"),
            "internal_networks": _networks(internal_network, "--internal-network"),
            "msa_networks": _networks(msa_network, "--msa-network"),
            "own_hosts": frozenset(name.lower().rstrip(".") for name in own_host or ()),
        },
    )
    reader = MailReader(files, settings)
    if jsonl:
        print_json_lines(map(mail_document, reader))
    elif as_json:
        mails = [mail_document(mail) for mail in reader]
        print_json({"schema": "botprobe/mails/1", "mails": mails, "skipped": reader.skipped})
    else:
        console = stdout_console()
        for mail in reader:
            console.print(mail_chain(mail))
    raise typer.Exit(ExitCode.PARTLY if reader.skipped else ExitCode.DONE)


def mail_chain(mail: Mail) -> RenderableType:
    """Draw the hops of a mail, newest first, and say in one sentence who delivered it."""
    table = Table.grid(padding=(0, 2))
    for hop in mail.hops:
        table.add_row(*_hop_cells(hop))
        for reason in hop.reasons:
            table.add_row("", "", "", Text(visible(reason), style="dim", overflow="fold"))
    title = Text(visible(mail.file), style="bold")
    title.append(f"  {visible(mail.subject or 'no subject')}", style="italic")
    errors = [Text(f"  {visible(error)}", style="red") for error in mail.errors]
    return Group(title, table, Text(f"  {source_sentence(mail)}", style="bold"), *errors, Text())


def source_sentence(mail: Mail) -> str:
    """Say who delivered the mail to us, or why that is not known and what would help."""
    boundary = mail.boundary
    hop = next((hop for hop in mail.hops if hop.index == boundary.hop), None)
    if hop is None or hop.ip is None:
        return f"Boundary unknown: {visible(boundary.note)}. {ADVICE}"
    told = [f"{hop.ip} delivered the mail to {visible(hop.by or 'us')}"]
    told += [visible(reason) for reason in hop.reasons if reason.endswith(f"that {hop.ip} gave")]
    return f"{'; '.join(told)} ({boundary.basis}: {visible(boundary.note)})."


def _hop_cells(hop: Hop) -> Sequence[Text]:
    trust = Text(hop.trust or hop.status, style=TRUST_STYLES[hop.trust] if hop.trust else "dim")
    names = [f"{visible(hop.rdns)}{'' if hop.rdns_verified else '?'}"] if hop.rdns else []
    names += [f"HELO {visible(hop.helo)}"] if hop.helo else []
    way = Text(" ".join(names) or "-", overflow="fold").append(" -> ", style="dim")
    way.append(visible(hop.by or "-"))
    way.append(f"  {rfc3339(hop.at)}" if hop.at else "", style="dim")
    return Text(f"  {hop.index}", style="dim"), trust, Text(str(hop.ip or "-")), way


def _networks(texts: list[str] | None, option: str) -> NetworkList:
    try:
        return parse_networks(tuple(texts or ()))
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _override(settings: TrustSettings, said: dict[str, Any]) -> TrustSettings:
    return replace(settings, **{key: value for key, value in said.items() if value})
