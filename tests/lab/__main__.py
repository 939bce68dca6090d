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
from tests.lab.population import Population, PopulationError

_INSIDE = "BOTPROBE_LAB_INSIDE"
"""Set for the copy of this program that runs inside of the namespaces."""


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code: that of the command, or 1."""
    options = _parser().parse_args(arguments)
    # Users have no /usr/sbin in their path, but the programs there work for them in here.
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    try:
        # The first process of a process namespace has number 1.
        if _INSIDE in os.environ and os.getpid() == 1:
            del os.environ[_INSIDE]
            return _inside(options)
        return _outside(options, arguments)
    except (LabError, PopulationError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _outside(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Make the namespaces, and run the same command line in there."""
    command = [sys.executable, "-m", "tests.lab", *arguments]
    line = namespace.private(command, as_root=os.geteuid() == 0)
    # A handler that does nothing: Ctrl-C is for the command, which this process outlives.
    signal.signal(signal.SIGINT, lambda *_: None)
    with ExitStack() as stack:
        watch = _watch(stack) if options.outside else None
        done = subprocess.run(line, env={**os.environ, _INSIDE: "1"}, check=False)
        if watch is None:
            return laboratory.exit_code(done)
        escaped = watch.count()
    print(f"lab: {escaped} packets outside", file=sys.stderr)
    return 1 if escaped else laboratory.exit_code(done)


def _watch(stack: ExitStack) -> OutsideWatch | None:
    try:
        return stack.enter_context(OutsideWatch())
    except PermissionError as error:
        print(f"lab: cannot watch the outer side: {error.strerror}", file=sys.stderr)
        return None


def _inside(options: argparse.Namespace) -> int:
    people = population.load(options.population)
    if options.random:
        names = osdb.load().names
        people = people.with_hosts(
            population.draw(options.random, names, options.seed, rough=options.rough)
        )
    command = options.command
    if command is None:
        command = [os.environ.get("SHELL", "/bin/sh")]
        print(_banner(people), file=sys.stderr)
    return laboratory.run(
        command,
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


def _banner(people: Population) -> str:
    examples = (f"  {host.addresses[0]!s:<16}{host.name}" for host in people.hosts[:8])
    return "\n".join(
        (
            f"The laboratory: {len(people.hosts)} hosts, DNS at {people.settings.dns}, no way out.",
            *examples,
            "  ...",
            "Try nmap, ping and nc; leave with exit.",
        )
    )


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--population", type=Path, default=population.DEFAULT_FILE, metavar="FILE")
    add("--random", type=int, default=0, metavar="N", help="add N hosts with random systems")
    add("--seed", type=int, default=0, metavar="S", help="of all that is random")
    add("--rough", action="store_true", help="delay and lose packets of the random hosts")
    add("--block-25", action="store_true", help="drop what goes out to port 25")
    add("--no-dns", action="store_true", help="let the DNS server be silent")
    add("--no-ping", action="store_true", help="close ping sockets to everyone")
    add("--as-user", action="store_true", help="run the command without privileges")
    add("--veth", action="store_true", help="do without a TUN device")
    add("--wire", type=Path, metavar="FILE", help="write which packets were seen, as JSON")
    add("--outside", action="store_true", help="count packets that got out: there must be none")
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="A private network of hosts that answer nmap."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run", parents=[common], help="run a command inside, and return its exit code"
    )
    run.add_argument("command", nargs="+", metavar="COMMAND", help="after --")
    shell = commands.add_parser("shell", parents=[common], help="open a shell inside")
    shell.set_defaults(command=None)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
