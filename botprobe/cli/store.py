"""``botprobe store``: make the tables of a shared store."""

import asyncio

import typer

from botprobe.cli.options import ConfigFile, StorePath, settings_from
from botprobe.config import Settings
from botprobe.storing import open_store

store = typer.Typer(name="store", help="Look after the store.", no_args_is_help=True)


@store.command()
def init(config: ConfigFile = None, place: StorePath = None) -> None:
    """Make the tables of a store that has none; one that has them stays as it is."""
    print(f"store {asyncio.run(_init(settings_from(config, store=place)))}: ready")


async def _init(settings: Settings) -> str:
    async with open_store(settings, make_tables=True) as opened:
        return opened.name
