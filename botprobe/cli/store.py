"""``botprobe store``: make its tables, check it, copy it elsewhere, forget what is old."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.options import STORE_PLACE, AsJson, ConfigFile, StorePath, settings_from
from botprobe.cli.render import print_json
from botprobe.errors import ConfigError
from botprobe.model.text import counted
from botprobe.service.again import parse_again
from botprobe.settings import Settings
from botprobe.store.upkeep import Finding
from botprobe.storing import known_store, open_store

store = typer.Typer(
    name="store", help="Make, check, copy and trim the store.", no_args_is_help=True
)


@store.command()
def init(config: ConfigFile = None, place: StorePath = None) -> None:
    """Make the tables of a store that has none; one that has them stays as it is."""
    print(f"store {asyncio.run(_make(settings_from(config, store=place)))}: ready")


@store.command()
def upgrade(config: ConfigFile = None, place: StorePath = None) -> None:
    """Bring the tables of a store to this version; stop watches and workers before."""
    print(f"store {asyncio.run(_make(settings_from(config, store=place)))}: up to date")


@store.command()
def check(config: ConfigFile = None, place: StorePath = None, as_json: AsJson = False) -> None:
    """Count all tables, and what must not be; exit with 1 if there is any."""
    found = asyncio.run(_examine(settings_from(config, store=place)))
    faults = [one for one in found if one.is_fault and one.rows]
    if as_json:
        rows = {one.what: one.rows for one in found}
        print_json({"schema": "botprobe/store-check/1", "good": not faults, "rows": rows})
    else:
        for one in found:
            print(f"{one.rows:>14,}  {one.what}")
        print("the store is damaged" if faults else "the store is whole")
    if faults:
        raise typer.Exit(ExitCode.FAILURE)


@store.command()
def copy(
    source: Annotated[
        str,
        typer.Argument(metavar="FROM", help="The store that stays as it is.", callback=STORE_PLACE),
    ],
    target: Annotated[
        str,
        typer.Argument(metavar="TO", help="The store to fill, still empty.", callback=STORE_PLACE),
    ],
) -> None:
    """Copy a store into another database, and count on both sides: all or nothing."""
    print(f"copied: {counted(asyncio.run(_copy(source, target)), 'row')}, as many on both sides")


@store.command()
def prune(
    keep: Annotated[str, typer.Option(help="Delete what is older, say 52w.", metavar="TIME")],
    config: ConfigFile = None,
    place: StorePath = None,
) -> None:
    """Delete mails and looks that are older; weekly counts and plans stay."""
    gone = asyncio.run(_prune(settings_from(config, store=place), keep))
    print(", ".join(f"{rows:,} of {table}" for table, rows in gone.items()) + " deleted")


async def _make(settings: Settings) -> str:
    async with open_store(settings, make_tables=True) as opened:
        return opened.name


async def _examine(settings: Settings) -> Sequence[Finding]:
    async with known_store(settings) as opened:
        return await opened.examine()


async def _copy(source: str, target: str) -> int:
    copied: dict[str, int] = {}

    def told(table: str, rows: int) -> None:
        copied[table] = rows
        if sys.stderr.isatty():
            print(f"\r{table}: {counted(rows, 'row')}\x1b[K", end="", file=sys.stderr, flush=True)

    places = [settings_from(None, store=place) for place in (source, target)]
    async with (
        known_store(places[0]) as old,
        open_store(places[1], make_tables=True) as new,
    ):
        await new.copy_from(old, told)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    return sum(copied.values())


async def _prune(settings: Settings, keep: str) -> dict[str, int]:
    try:
        (longest,) = parse_again([keep])
    except (ConfigError, ValueError) as error:
        raise typer.BadParameter(f"not a time such as 52w: {keep!r}") from error
    async with known_store(settings) as opened:
        return dict(await opened.forget(longest))
