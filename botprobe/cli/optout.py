"""``botprobe optout``: who asked to be left alone, and is."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.options import AsJson, ConfigFile, parse_address, settings_from
from botprobe.cli.render import print_json
from botprobe.errors import ConfigError
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.model.text import visible
from botprobe.probing import origin_of
from botprobe.scope.optout import Entry, add_entry, parse_party, read_entries
from botprobe.scope.parties import AutonomousSystem, Domain, Party
from botprobe.scoping import optout_file, require_heeded, scope_of
from botprobe.settings import Settings

optout = typer.Typer(name="optout", help="Leave alone whoever asks for it.", no_args_is_help=True)

# Of the names of an address, how many the answer shows.
SHOWN = 4

Contact = Annotated[str, typer.Option(help="Who asked: a mail address, or a page.", metavar="MAIL")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.", metavar="TEXT")]


@optout.command()
def add(
    who: Annotated[str, typer.Argument(metavar="WHO", help="192.0.2.0/24, example.net, AS64500.")],
    contact: Contact,
    reason: Reason = "",
    config: ConfigFile = None,
) -> None:
    """Leave a network, a domain or an AS alone; what runs heeds it within a second."""
    settings, party = settings_from(config), _party(who)
    require_heeded(party, settings)
    path, today = _file(settings), datetime.now(UTC).date()
    entry = add_entry(path, party, today, contact, reason)
    print(f"{entry.party} is left alone from now on ({path})")


@optout.command(name="list")
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show who opted out, when, and why."""
    entries = read_entries(_file(settings_from(config)))
    if as_json:
        print_json({"schema": "botprobe/optout/1", "entries": [_document(one) for one in entries]})
        return
    width = max((len(str(entry.party)) for entry in entries), default=0)
    for entry in entries:
        print(f"{entry.party!s:{width}}  {visible(entry.note)}".rstrip())


@optout.command()
def check(
    address: Annotated[str, typer.Argument(metavar="IP")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Say whether an address may be probed, and why not; then the exit code is 5."""
    settings, ip = settings_from(config), parse_address(address)
    scope, entries = scope_of(settings), _entries(settings)
    if scope.refusal(ip) is None and scope.unknown(ip):
        scope.learn(ip, asyncio.run(origin_of(settings)(ip)))
    origin, refused = scope.origins.get(ip), scope.refusal(ip)
    entry = next((one for one in entries if one.covers(ip, origin or Origin())), None)
    if as_json:
        print_json(_answer(ip, refused, entry, origin))
    else:
        print(answer_line(ip, refused, entry, origin))
    raise typer.Exit(ExitCode.DONE if refused is None else ExitCode.REFUSED)


def _party(text: str) -> Party:
    try:
        return parse_party(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _entries(settings: Settings) -> tuple[Entry, ...]:
    file = optout_file(settings)
    return () if file is None else read_entries(file)


def _file(settings: Settings) -> Path:
    file = optout_file(settings)
    if file is None:
        raise ConfigError('no opt-out file: set [scope] optout = "/etc/botprobe/optout"')
    return file


def _document(entry: Entry) -> dict[str, str | None]:
    party, (when, contact, reason) = entry.party, entry.parts
    named = isinstance(party, Domain | AutonomousSystem)
    return {
        "who": str(party),
        "network": None if named else str(party),
        "date": None if when is None else str(when),
        "contact": contact,
        "reason": reason,
        "note": entry.note,
    }


def _answer(
    ip: IpAddress, refused: str | None, entry: Entry | None, origin: Origin | None
) -> dict[str, object]:
    """Say in JSON what became of an address; names and AS are null where nobody asked for them."""
    return {
        "schema": "botprobe/optout/1",
        "ip": str(ip),
        "refused": refused,
        "entry": None if entry is None else _document(entry),
        "names": None if origin is None or origin.names is None else list(origin.names),
        "asn": None if origin is None else origin.asn,
    }


def answer_line(
    ip: IpAddress, refused: str | None, entry: Entry | None, origin: Origin | None
) -> str:
    """Say in one line what became of an address, and what was found out about it."""
    if entry is not None:
        return f"{ip}: {refused}: {entry.party} {visible(entry.note)}".rstrip()
    known = ""
    if origin is not None:
        names = "its name is not known" if origin.names is None else _names(origin.names)
        network = "its AS is not known" if origin.asn is None else f"AS{origin.asn}"
        known = f" ({names}, {network})"
    return f"{ip}: {refused or 'may be probed'}{known}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(visible, names[:SHOWN])) or "it has no name"
