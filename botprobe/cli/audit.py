"""``botprobe audit``: what was sent into a network, by which rule, and why no more."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from botprobe.cli.options import NETWORKS, AsJson, ConfigFile, StorePath, only_form, settings_from
from botprobe.cli.render import print_json, stdout_console
from botprobe.cli.stderr import complain
from botprobe.config import networks
from botprobe.contract.audit import abuse_reply, audit_document
from botprobe.errors import UsageError
from botprobe.model.audit import AuditRow, IpNetwork
from botprobe.model.text import counted, visible
from botprobe.settings import Settings
from botprobe.storing import known_store

# Shown on a screen; --json has all up to --most.
SHOWN = 30

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"([0-9]{1,6})([smhdw])")


def _moment(text: str, key: str) -> datetime:
    """Read a date, a time of RFC 3339, or an age such as ``7d``."""
    age = _AGE.fullmatch(text)
    try:
        if age is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageError(f"{key}: {text!r} is no date, time or age (7d)") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Target = Annotated[
    str, typer.Option(help="Network or address that was asked.", metavar="CIDR", callback=NETWORKS)
]
Since = Annotated[str | None, typer.Option(help="Date, time, or age: 7d.", metavar="WHEN")]
Until = Annotated[str | None, typer.Option(help="The same.", metavar="WHEN")]
Reply = Annotated[
    bool,
    typer.Option(
        "--reply", help="Write an answer to the abuse desk of the network.", callback=only_form
    ),
]
Most = Annotated[
    int, typer.Option(metavar="N", help="How many at most, the newest.", min=1, max=10_000_000)
]


def audit(
    target: Target,
    since: Since = None,
    until: Until = None,
    reply: Reply = False,
    most: Most = 10_000,
    as_json: AsJson = False,
    config: ConfigFile = None,
    store: StorePath = None,
) -> None:
    """Show what was sent into a network, why, and why no more."""
    settings, (network,) = settings_from(config, store=store), networks([target], "--target")
    start = None if since is None else _moment(since, "--since")
    end = None if until is None else _moment(until, "--until")
    if start is not None and end is not None and end < start:
        raise UsageError("--until is before --since")
    rows, refused = asyncio.run(_read(settings, network, start, end, most))
    if len(rows) == most:
        complain(f"only the newest {most} are shown; --most shows more")
    if as_json:
        print_json(audit_document(network, rows, refused))
    elif reply:
        publisher = settings.export
        print(abuse_reply(network, rows, publisher.organisation, publisher.contact), end="")
    else:
        stdout_console().print(audit_screen(network, rows, refused))


async def _read(
    settings: Settings,
    network: IpNetwork,
    since: datetime | None,
    until: datetime | None,
    most: int,
) -> tuple[Sequence[AuditRow], Mapping[str, int]]:
    async with known_store(settings) as store:
        rows = await store.audit(network, since, until, most)
        return rows, await store.refusals(network, since, until)


def audit_screen(
    network: IpNetwork, rows: Sequence[AuditRow], refused: Mapping[str, int]
) -> RenderableType:
    """Lay out what was granted and what was refused."""
    addresses = counted(len({row.address for row in rows}), "address")
    granted = f"{counted(len(rows), 'investigation')} of {addresses}"
    parts: list[RenderableType] = [Text(f"{network}: allowed were {granted}")]
    if rows:
        parts += [_granted(rows[:SHOWN]), Text("In each at most:")]
        parts += [Text(f"  - {visible(line)}") for line in rows[0].asked]
    if len(rows) > SHOWN:
        parts.insert(2, Text(f"... and {len(rows) - SHOWN} before; --json shows all"))
    if refused:
        parts.append(Text(f"{counted(sum(refused.values()), 'time')} a probe was refused:"))
        parts += [Text(f"  {count:>6} x {visible(why)}") for why, count in refused.items()]
    return Group(*parts)


def _granted(rows: Sequence[AuditRow]) -> Table:
    table = Table("when (UTC)", "from", "to", "allowed as", "mail", box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            f"{row.at:%Y-%m-%d %H:%M:%S}",
            row.source or "?",
            str(row.address),
            visible(row.rule),
            visible(row.mails[0]) if row.mails else "",
        )
    return table
