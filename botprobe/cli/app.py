"""The command line: which commands there are, and how each error ends."""

import logging
import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from botprobe import __version__
from botprobe.cli.exitcodes import ExitCode
from botprobe.errors import BotprobeError, ConfigError, RefusedByScope, UsageError
from botprobe.model.text import visible

# Each is what its module of the same name holds, in the order of the help.
COMMANDS = (
    *("scan", "watch", "worker", "queue", "headers", "probe", "host", "report", "export"),
    *("maillog", "router", "proxytrace", "rejudge", "evaluate", "audit", "optout", "identity"),
    *("doctor", "config", "store"),
)
_PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}


class Commands(TyperGroup):
    """Imports a command when it is asked for: all of them together cost most of a second."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # as click calls it
        """Name all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # as click calls it
        """Import a command, or return None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        made = getattr(import_module(f"botprobe.cli.{cmd_name}"), cmd_name)
        holder = typer.Typer(**_PLAIN)
        if isinstance(made, typer.Typer):
            holder.add_typer(made, name=cmd_name)
        else:
            holder.command(name=cmd_name)(made)
        return _without_types(typer.main.get_group(holder).commands[cmd_name])


def _without_types(command: Any) -> Any:
    """Take the types of Python out of the help: FILE tells more than ``list[str]``."""
    for param in command.params:
        if param.param_type_name == "argument":
            param.display_type_rich = lambda **_: None
    for each in getattr(command, "commands", {}).values():
        _without_types(each)
    return command


app = typer.Typer(
    name="botprobe",
    cls=Commands,
    help="Read the way of a spam mail, ask each host on it what it is, say which are bots.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    **_PLAIN,
)

OTHERS_NOTHING = 0o027


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"botprobe {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line and end the process with its exit code.

    Usage errors, Ctrl-C (130) and a reader of our output who left are typer's business.
    """
    # Logs name people's hosts: nobody but our user and group reads what is written, the folders
    # that are made on the way included. An operator's stricter mask stays.
    os.umask(os.umask(OTHERS_NOTHING) | OTHERS_NOTHING)
    logging.basicConfig(level=logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(VisibleFormatter("botprobe: %(message)s"))
    try:
        app()
    except BotprobeError as error:
        print(f"botprobe: {visible(str(error))}", file=sys.stderr)
        sys.exit(exit_code_of(error))
    except OSError as error:  # the disk behind standard output is full
        print(f"botprobe: cannot write: {error.strerror}", file=sys.stderr)
        sys.stdout = None  # what is left in its buffer cannot be written either
        sys.exit(ExitCode.FAILURE)


class VisibleFormatter(logging.Formatter):
    """Keeps what hosts said from steering the terminal, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, each of its lines made harmless."""
        return "\n".join(visible(line) for line in super().format(record).split("\n"))


def exit_code_of(error: BotprobeError) -> ExitCode:
    """Say with which code a command ends that failed so."""
    match error:
        case ConfigError():
            return ExitCode.CONFIG
        case UsageError():
            return ExitCode.USAGE
        case RefusedByScope():
            return ExitCode.REFUSED
        case _:
            return ExitCode.FAILURE
