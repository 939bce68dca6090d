"""The way of a mail on the screen: one line per hop, newest first."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.model.mail import Hop, IpAddress, Mail, Trust
from botprobe.model.text import visible

TRUST_STYLES = {
    Trust.OWN: "green",
    Trust.BOUNDARY: "bold cyan",
    Trust.CLAIMED: "yellow",
    Trust.FORGED: "red",
    Trust.SYNTHETIC: "magenta",
}


def mail_way(mail: Mail, labels: Mapping[IpAddress, Text]) -> RenderableType:
    """Draw the hops of a mail, each with the label of its host if it has one."""
    table = Table.grid(padding=(0, 2))
    for hop in mail.hops:
        table.add_row(*_hop_row(hop), labels.get(hop.ip, Text()) if hop.ip else Text())
    parts: list[RenderableType] = [Text(visible(mail.file), style="bold"), _letter(mail)]
    parts += [table, _source(mail)]
    parts += [Text(f"  {visible(error)}", style="red") for error in mail.errors]
    return Group(*parts, Text())


def _letter(mail: Mail) -> Text:
    letter = Text(f"  {visible(mail.subject or 'no subject')}", style="italic")
    return letter.append(f"  from {visible(mail.sender or 'nobody')}", style="dim")


def _hop_row(hop: Hop) -> tuple[Text, ...]:
    trust = Text(hop.trust or hop.status, style=TRUST_STYLES[hop.trust] if hop.trust else "dim")
    names = [f"HELO {visible(hop.helo)}"] if hop.helo else []
    if hop.rdns:
        names.insert(0, visible(hop.rdns))
    way = Text(" ".join(names) or "?", overflow="fold").append(" -> ", style="dim")
    way.append(visible(hop.by or "?"))
    return Text(f"  {hop.index}", style="dim"), trust, Text(str(hop.ip or "-")), way


def _source(mail: Mail) -> Text:
    boundary = mail.boundary
    says = f"{mail.source_ip} delivered it" if mail.source_ip else "boundary unknown"
    text = Text(f"  {says}", style="bold" if mail.source_ip else "bold yellow")
    return text.append(f" ({boundary.basis}) {visible(boundary.note)}", style="dim")
