"""The command line: which commands there are, and how each error ends."""

import logging
import os
import sys

import typer

from botprobe import __version__
from botprobe.cli.audit import audit
from botprobe.cli.config import config
from botprobe.cli.doctor import doctor
from botprobe.cli.evaluate import evaluate
from botprobe.cli.exitcodes import ExitCode
from botprobe.cli.export import export
from botprobe.cli.headers import headers
from botprobe.cli.host import host
from botprobe.cli.identity import identity
from botprobe.cli.maillog import maillog
from botprobe.cli.probe import probe
from botprobe.cli.proxytrace import proxytrace
from botprobe.cli.queue import queue
from botprobe.cli.rejudge import rejudge
from botprobe.cli.report import report
from botprobe.cli.router import router
from botprobe.cli.scan import scan
from botprobe.cli.store import store
from botprobe.cli.watch import watch
from botprobe.cli.worker import worker
from botprobe.errors import BotprobeError, ConfigError, RefusedByScope, UsageError
from botprobe.model.text import visible

app = typer.Typer(
    name="botprobe",
    help="Read the way of a spam mail, ask each host on it what it is, say which are bots.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(scan, watch, worker, queue, headers, probe, host, report, export, maillog, proxytrace),
    *(rejudge, evaluate, audit, identity, doctor),
):
    app.command()(command)
app.add_typer(config)
app.add_typer(store)
app.add_typer(router)


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
        sys.exit(_exit_code(error))
    except OSError as error:  # the disk behind standard output is full
        print(f"botprobe: cannot write: {error.strerror}", file=sys.stderr)
        sys.stdout = None  # what is left in its buffer cannot be written either
        sys.exit(ExitCode.FAILURE)


class VisibleFormatter(logging.Formatter):
    """Keeps what hosts said from steering the terminal, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, each of its lines made harmless."""
        return "\n".join(visible(line) for line in super().format(record).split("\n"))


def _exit_code(error: BotprobeError) -> ExitCode:
    match error:
        case ConfigError():
            return ExitCode.CONFIG
        case UsageError():
            return ExitCode.USAGE
        case RefusedByScope():
            return ExitCode.REFUSED
        case _:
            return ExitCode.FAILURE
