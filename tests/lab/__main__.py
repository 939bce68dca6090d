"""Command line of the laboratory."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.lab import laboratory, namespace, osdb, population
from tests.lab.laboratory import Options
from tests.lab.namespace import LabError
from tests.lab.outside import OutsideWatch
from tests.lab.population import PopulationError

_INSIDE = "BOTPROBE_LAB_INSIDE"


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args(arguments)
    if options.command[:1] == ["--"]:
        del options.command[0]
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    try:
        if os.environ.get(_INSIDE) and os.getpid() == 1:
            return _inside(options)
        return _outside(options, arguments)
    except (LabError, PopulationError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _outside(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "tests.lab", *arguments]
    line = namespace.private(command, as_root=os.geteuid() == 0)
    # A handler that does nothing: Ctrl-C is for the command, which this process outlives.
    signal.signal(signal.SIGINT, lambda *_: None)
    with ExitStack() as stack:
        watch = None
        if options.outside:
            try:
                watch = stack.enter_context(OutsideWatch())
            except PermissionError as error:
                print(f"lab: cannot watch the outer side: {error.strerror}", file=sys.stderr)
        code = subprocess.run(line, env={**os.environ, _INSIDE: "1"}, check=False).returncode
        if watch is None:
            return code
        escaped = watch.count()
    print(f"lab: {escaped} packets outside", file=sys.stderr)
    return 1 if escaped else code


def _inside(options: argparse.Namespace) -> int:
    people = population.load(options.population)
    if options.random:
        names = osdb.load().names
        people = people.with_hosts(population.draw(options.random, names, options.seed))
    return laboratory.run(
        options.command,
        people,
        Options(
            block_25=options.block_25,
            dns=not options.no_dns,
            ping=not options.no_ping,
            as_user=options.as_user,
            tun=not options.veth,
            wire=options.wire,
            seed=options.seed,
        ),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="Run a command in the laboratory."
    )
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="run a command inside, and return its exit code")
    run.add_argument("--population", type=Path, default=population.DEFAULT_FILE, metavar="FILE")
    run.add_argument(
        "--random", type=int, default=0, metavar="N", help="add N hosts with random systems"
    )
    run.add_argument("--seed", type=int, default=0, metavar="S", help="of all that is random")
    run.add_argument("--block-25", action="store_true", help="drop what goes out to port 25")
    run.add_argument("--no-dns", action="store_true", help="let the DNS server be silent")
    run.add_argument("--no-ping", action="store_true", help="allow ping to nobody but root")
    run.add_argument("--as-user", action="store_true", help="run the command without privileges")
    run.add_argument("--veth", action="store_true", help="do without a TUN device")
    run.add_argument(
        "--wire", type=Path, metavar="FILE", help="write which packets were seen, as JSON"
    )
    run.add_argument(
        "--outside", action="store_true", help="count the packets that got out; there must be none"
    )
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
