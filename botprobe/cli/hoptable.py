"""The way of a mail on the screen: its hops, newest first, and who delivered it."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.contract.case import rfc3339
from botprobe.intake.header import NO_FIELD
from botprobe.model.mail import Hop, IpAddress, Mail, Trust
from botprobe.model.text import visible

ADVICE = "Name your mail servers with --own-host, or your relays with --trusted-network."

TRUST_STYLES = {
    Trust.OWN: "green",
    Trust.BOUNDARY: "bold cyan",
    Trust.CLAIMED: "yellow",
    Trust.FORGED: "red",
    Trust.SYNTHETIC: "magenta",
}


def mail_chain(mail: Mail, labels: Mapping[IpAddress, Text] | None = None) -> RenderableType:
    """Draw the hops of a mail, and say in one sentence who delivered it.

    Args:
        mail: the mail.
        labels: the label of each host that was investigated; None if nobody was.
    """
    title = Text(visible(mail.file), style="bold")
    if NO_FIELD in mail.errors:
        return Group(title, Text(f"  no mail: {NO_FIELD}", style="red"), Text())
    table = Table.grid(padding=(0, 2))
    for hop in mail.hops:
        label = labels.get(hop.ip, Text()) if labels and hop.ip else Text()
        table.add_row(*_hop_cells(hop), *([label] if labels else []))
        for reason in hop.reasons:
            table.add_row("", "", "", Text(visible(reason), style="dim", overflow="fold"))
    letter = Text(f"  {visible(mail.subject or 'no subject')}", style="italic")
    letter.append(f"  from {visible(mail.sender or 'nobody')}", style="dim")
    errors = [Text(f"  {visible(error)}", style="red") for error in mail.errors]
    source = Text(f"  {source_sentence(mail)}", style="bold")
    return Group(title, letter, table, source, *errors, Text())


def source_sentence(mail: Mail) -> str:
    """Say who delivered the mail to us, or why that is not known and what would help."""
    if not mail.hops:
        return "Boundary unknown: there is no Received field."
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
