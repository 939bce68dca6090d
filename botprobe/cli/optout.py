"""``botprobe optout``: who asked to be left alone, and is."""

from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

import typer

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.options import AsJson, ConfigFile, parse_address, settings_from
from botprobe.cli.render import print_json
from botprobe.errors import ConfigError
from botprobe.model.text import visible
from botprobe.scope.addresses import IpNetwork
from botprobe.scope.optout import Entry, add_entry, entry_of, read_entries
from botprobe.scoping import scope_of
from botprobe.settings import Settings

optout = typer.Typer(name="optout", help="Leave alone whoever asks for it.", no_args_is_help=True)

Contact = Annotated[str, typer.Option(help="Who asked: a mail address.", metavar="MAIL")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.", metavar="TEXT")]


def _network(text: str) -> IpNetwork:
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError as error:
        raise typer.BadParameter(f"not a network: {text!r}") from error


@optout.command()
def add(
    network: Annotated[str, typer.Argument(metavar="CIDR")],
    contact: Contact,
    reason: Reason = "",
    config: ConfigFile = None,
) -> None:
    """Write a network into the opt-out file; a running watch heeds it within a second."""
    path, today = _file(settings_from(config)), datetime.now(UTC).date()
    entry = add_entry(path, _network(network), today, contact, reason)
    print(f"{entry.network} is left alone from now on ({path})")


@optout.command(name="list")
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show who opted out, when, and why."""
    entries = read_entries(_file(settings_from(config)))
    if as_json:
        print_json({"schema": "botprobe/optout/1", "entries": [_document(one) for one in entries]})
        return
    for entry in entries:
        print(f"{entry.network}  {visible(entry.note)}".rstrip())


@optout.command()
def check(
    address: Annotated[str, typer.Argument(metavar="IP")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say whether an address may be probed, and why not; then the exit code is 5."""
    settings, ip = settings_from(config), parse_address(address)
    entries = read_entries(_file(settings)) if settings.scope.optout else ()
    entry, refused = entry_of(ip, entries), scope_of(settings).refusal(ip)
    if as_json:
        found = None if entry is None else _document(entry)
        print_json(
            {"schema": "botprobe/optout/1", "ip": str(ip), "refused": refused, "entry": found}
        )
    elif entry is not None:
        print(f"{ip}: {refused}: {entry.network} {visible(entry.note)}".rstrip())
    else:
        print(f"{ip}: {refused or 'may be probed'}")
    raise typer.Exit(ExitCode.DONE if refused is None else ExitCode.REFUSED)


def _file(settings: Settings) -> Path:
    if settings.scope.optout is None:
        raise ConfigError('no opt-out file: set [scope] optout = "/etc/botprobe/optout"')
    return Path(settings.scope.optout)


def _document(entry: Entry) -> dict[str, str]:
    return {"network": str(entry.network), "note": entry.note}
