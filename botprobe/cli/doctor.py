"""``botprobe doctor``: what can be measured here, and what mends the rest."""

import asyncio

import typer
from rich.table import Table
from rich.text import Text

from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.options import AsJson, Canaries, ConfigFile, HeloName, StorePath, settings_from
from botprobe.cli.render import print_json, stdout_console
from botprobe.contract.case import builtins
from botprobe.doctor import Check, State, examine
from botprobe.model.text import visible

_SIGNS = {State.GOOD: ("ok", "green"), State.WARNING: ("!", "yellow"), State.BAD: ("no", "red")}


def doctor(
    config: ConfigFile = None,
    as_json: AsJson = False,
    store: StorePath = None,
    helo_name: HeloName = None,
    canary: Canaries = None,
) -> None:
    """Check what can be measured here, and how to mend the rest."""
    settings = settings_from(config, store=store, helo_name=helo_name, canary=canary)
    checks = asyncio.run(examine(settings))
    if as_json:
        print_json({"schema": "botprobe/doctor/1", "checks": [builtins(check) for check in checks]})
    else:
        stdout_console().print(_table(checks))
    bad = any(check.state is State.BAD for check in checks)
    raise typer.Exit(ExitCode.FAILURE if bad else ExitCode.DONE)


def _table(checks: list[Check]) -> Table:
    table = Table.grid(padding=(0, 2))
    for check in checks:
        sign, style = _SIGNS[check.state]
        says = Text(visible(check.says), overflow="fold")
        if check.mend:
            says.append(f"\n-> {check.mend}", style="bold")
        table.add_row(Text(sign, style=style), Text(check.name), says)
    return table
