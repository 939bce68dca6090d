"""``botprobe optout``: who asked to be left alone, and is."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.options import AsJson, ConfigFile, parse_address, settings_from
from botprobe.cli.render import print_json
from botprobe.cli.stderr import complain
from botprobe.errors import ConfigError, UsageError
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.model.text import visible
from botprobe.probing import origin_of
from botprobe.scope.optout import (
    Entry,
    add_entry,
    entries_so_far,
    is_too_wide,
    parse_party,
    read_entries,
)
from botprobe.scope.parties import AutonomousSystem, Domain, Party
from botprobe.scoping import optout_file, require_heeded, scope_of
from botprobe.settings import Settings

optout = typer.Typer(name="optout", help="Leave alone whoever asks for it.", no_args_is_help=True)

# Of the names of an address, how many the answer shows.
SHOWN = 4

Contact = Annotated[str, typer.Option(help="Who asked: a mail address, or a page.", metavar="MAIL")]
Reason = Annotated[str, typer.Option(help="Why, in a few words.", metavar="TEXT")]

Yes = Annotated[
    bool, typer.Option("--yes", help="Do not ask back, however many would be left alone.")
]


@optout.command()
def add(
    who: Annotated[str, typer.Argument(metavar="WHO", help="192.0.2.0/24, example.net, AS64500.")],
    contact: Contact,
    reason: Reason = "",
    yes: Yes = False,
    config: ConfigFile = None,
) -> None:
    """Leave a network, a domain or an AS alone; what runs heeds it within a second."""
    settings, party = settings_from(config), _party(who)
    require_heeded(party, settings)
    path, today = _file(settings), datetime.now(UTC).date()
    entries = entries_so_far(path)
    for known in entries or ():
        if known.party == party:
            print(f"{party} is left alone already: {visible(known.note)} ({path})")
            return
    _ask_back(party, yes=yes)
    entry = add_entry(path, party, today, contact, reason)
    if entries is None:
        complain(f"{path} was not there, and is made: add again whoever opted out before")
    print(f"{entry.party} is left alone from now on ({path})")


@optout.command(name="list")
def show(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show who opted out, when, and why."""
    file = _file(settings_from(config))
    entries = entries_so_far(file)
    if entries is None:
        complain(f"{file} is not there, and until it is, nobody is probed")
        entries = ()
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


def _ask_back(party: Party, *, yes: bool) -> None:
    """Let nobody stop all probing by a slip of the keyboard.

    Raises:
        UsageError: there is nobody to ask.
        Exit: the answer was no.
    """
    if yes or not is_too_wide(party):
        return
    said = f"{party} is wider than any one network, and nobody in it would be probed any more"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{said}; --yes if that is meant")
    if not typer.confirm(f"{said}. Go on?", err=True):
        complain("nothing was written")
        raise typer.Exit(ExitCode.FAILURE)


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
