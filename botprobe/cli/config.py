"""``botprobe config``: is the configuration right, and who says which setting?"""

import json
import os
from typing import Annotated, Any

import msgspec
import typer

from botprobe.cli.options import AsJson, ConfigFile
from botprobe.cli.render import print_json
from botprobe.config import Loaded, load
from botprobe.intake.mailfile import after_action
from botprobe.judging import shipped_weights
from botprobe.model.text import visible
from botprobe.scoping import scope_of, trust_settings
from botprobe.service.again import parse_again
from botprobe.service.metrics import read_place
from botprobe.settings import without_password

config = typer.Typer(name="config", help="Check and show the configuration.", no_args_is_help=True)


@config.command()
def check(file: ConfigFile = None) -> None:
    """Read the configuration and all files that it names, and say what is wrong."""
    loaded = load(file, os.environ, {})
    settings = loaded.settings
    trust_settings(settings)
    scope = scope_of(settings)
    shipped_weights()
    after_action(settings.watch.after)
    parse_again(settings.watch.again)
    if settings.watch.metrics is not None:
        read_place(settings.watch.metrics)
    place = loaded.file or "no file: defaults and environment"
    print(f"{place}: good, {len(scope.opted_out)} opted out")


@config.command()
def show(
    file: ConfigFile = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say who set each setting.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting, as it holds."""
    loaded = load(file, os.environ, {})
    if as_json:
        print_json(_document(loaded))
        return
    for table, settings in _shown(loaded).items():
        print(f"[{table}]")
        for key, value in settings.items():
            line = f"{key} = {_toml(value)}" if value is not None else f"# {key} is not set"
            print(visible(line + (f"  # {_origin(loaded, table, key)}" if origin else "")))
        print()


def _document(loaded: Loaded) -> dict[str, Any]:
    return {
        "schema": "botprobe/config/1",
        "file": str(loaded.file) if loaded.file else None,
        "settings": {
            table: {
                key: {"value": value, "origin": _origin(loaded, table, key)}
                for key, value in settings.items()
            }
            for table, settings in _shown(loaded).items()
        },
    }


def _shown(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """Return all settings, with no password among them."""
    tables: dict[str, dict[str, Any]] = msgspec.to_builtins(loaded.settings)
    path = tables["store"]["path"]
    tables["store"]["path"] = path and without_password(path)
    return tables


def _origin(loaded: Loaded, table: str, key: str) -> str:
    return loaded.origins.get((table, key), "default")


def _toml(value: Any) -> str:
    """Write a setting; strings, numbers, lists and truth are the same in JSON and TOML."""
    if isinstance(value, dict):
        fields = (f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)
