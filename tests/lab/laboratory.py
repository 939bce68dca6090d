"""Puts the laboratory together, inside namespaces that already exist, and runs a command in it."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from tests.lab import namespace, osdb, packets, servers
from tests.lab.hosts import LiveHost, PersonaBook
from tests.lab.link import Link, Tap, TunLink, VethLink
from tests.lab.namespace import FAR_LINK, LINK, LabError, Namespace
from tests.lab.population import Host, Population
from tests.lab.responder import Responder, WireKey
from tests.lab.servers import MailMachine

SCANNER, GATEWAY = "198.18.0.1", "198.18.0.2"
SCANNER_6, GATEWAY_6 = "2001:db8::1", "2001:db8::2"

_SCANNER_MAC = bytes.fromhex("020000000001")
_STAND_IN = ("Linux 5.0", "Linux 4.4")
_PROTOCOLS = {
    packets.TCP: "tcp",
    packets.UDP: "udp",
    packets.ICMP: "icmp",
    packets.ICMPV6: "icmpv6",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the laboratory is to be."""

    block_25: bool = False
    """Drop what goes to port 25, as many access providers do."""
    dns: bool = True
    ping: bool = True
    """Whether ICMP sockets are open to everyone (net.ipv4.ping_group_range)."""
    as_user: bool = False
    """Run the command without privileges."""
    tun: bool = True
    """Use a TUN device if there is one."""
    wire: Path | None = None
    """Where to write which packets were seen."""
    seed: int = 0


def run(command: Sequence[str], population: Population, options: Options) -> int:
    """Run ``command`` in the laboratory and return its exit code."""
    os.environ[namespace.MARKER] = "1"
    with ExitStack() as stack:
        directory = _private_files(population)
        Namespace().ip("link set lo up")
        Namespace().sysctl("net.ipv4.ping_group_range", "0 0" if options.ping else "1 0")
        link = _make_link(tun=options.tun)
        _configure_link()
        population = _start_servers(population, options, directory)
        _start_responder(link, population, options, stack)
        namespace.require_lab()
        return _run_command(command, options)


def _private_files(population: Population) -> Path:
    """Cover /run with a file system of our own, and let resolv.conf name our DNS server.

    Behind /run stand the sockets of daemons that would ask the real network for us (nscd,
    systemd-resolved, container engines). What is written there is gone with the laboratory.
    """
    resolver = Path("/etc/resolv.conf").resolve()
    namespace.run("mount", "-t", "tmpfs", "-o", "mode=755", LINK, "/run")
    directory = Path("/run") / LINK
    directory.mkdir()
    own = directory / "resolv.conf"
    own.write_text(f"nameserver {population.settings.dns}\n", "ascii")
    if resolver.is_relative_to("/run"):
        resolver.parent.mkdir(parents=True, exist_ok=True)
        resolver.symlink_to(own)
    elif resolver.exists():
        namespace.run("mount", "--bind", str(own), str(resolver))
    else:
        raise LabError("there is no /etc/resolv.conf to cover")
    return directory


def _start_servers(population: Population, options: Options, directory: Path) -> Population:
    """Start the real servers; return the population as the responder has to play it."""
    machine = MailMachine.build(directory)
    if options.dns:
        machine.own([population.settings.dns])
        machine.serve_dns(population)
    if proxies := [host for host in population.hosts if host.real == "proxy"]:
        machine.own([address for host in proxies for address in host.addresses])
        machine.serve_proxies(proxies)
    real = [host for host in population.hosts if host.real == "postfix"]
    if not real:
        return population
    if not servers.postfix_is_possible():
        print(
            "lab: no Postfix without root and its own users: its hosts are played", file=sys.stderr
        )
        return Population(population.settings, tuple(_played(host) for host in population.hosts))
    machine.own([address for host in real for address in host.addresses])
    machine.serve_mail(real)
    if options.block_25:
        machine.block_25()
    return population


def _played(host: Host) -> Host:
    if host.real != "postfix":
        return host
    return replace(host, real=None, persona=_STAND_IN, ping=True, open=host.open | {25})


def _configure_link() -> None:
    Namespace().ip(
        f"link set {LINK} addrgenmode none",  # no link-local address, no solicitations
        f"link set {LINK} up",
        f"address add {SCANNER} peer {GATEWAY} dev {LINK}",
        f"address add {SCANNER_6}/126 dev {LINK} nodad",
        *(
            f"route add {network} via {gateway} dev {LINK}"
            for network, gateway in (("198.18.0.0/15", GATEWAY), ("2001:db8::/32", GATEWAY_6))
        ),
    )


def _start_responder(
    link: Link, population: Population, options: Options, stack: ExitStack
) -> None:
    """Let the population answer on ``link`` until ``stack`` is closed."""
    book = PersonaBook(osdb.load())
    chance = random.Random(options.seed)
    hosts = [LiveHost(host, book, chance) for host in population.hosts if host.real is None]
    responder = Responder(link, hosts, chance, block_25=options.block_25)
    tap = Tap(namespace.MAIL_LINK)
    if options.wire:
        options.wire.touch()  # better to fail now than in the end
    stopped, stop = os.pipe()

    def serve() -> None:
        os.setsid()  # Ctrl-C is for the command, not for its surroundings
        os.close(stop)
        responder.serve(stopped, tap)
        if options.wire:
            options.wire.write_text(json.dumps(_readable(responder.wire), indent=1) + "\n", "utf-8")

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    os.close(stopped)

    @stack.callback
    def end() -> None:
        os.close(stop)
        process.join()
        if process.exitcode:
            raise LabError("the responder failed: nothing of this run can be relied on")


def _make_link(*, tun: bool) -> Link:
    if tun:
        with suppress(OSError):  # closed to us: the other way works everywhere
            return TunLink(LINK)
    namespace.connect(LINK, FAR_LINK, Namespace())
    Namespace().ip(
        f"link set {LINK} address {_SCANNER_MAC.hex(':')} arp off",
        f"link set {FAR_LINK} addrgenmode none",
        f"link set {FAR_LINK} up",
    )
    return VethLink(FAR_LINK, _SCANNER_MAC)


def _run_command(command: Sequence[str], options: Options) -> int:
    # A handler that does nothing: Ctrl-C ends the command, and this process waits for it.
    signal.signal(signal.SIGINT, lambda *_: None)
    # In a user namespace of its own the command keeps its files but has no power over this network.
    unprivileged = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    line = [*(unprivileged if options.as_user else ()), *command]
    try:
        return exit_code(subprocess.run(line, check=False))
    except OSError as error:
        raise LabError(f"{command[0]}: {error.strerror}") from error


def exit_code(done: subprocess.CompletedProcess[bytes]) -> int:
    """Return the exit code as shells give it: 128 and the signal that ended the command."""
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _readable(wire: Counter[WireKey]) -> dict[str, dict[str, int]]:
    readable: dict[str, dict[str, int]] = {}
    for (address, protocol, port), count in sorted(wire.items()):
        key = f"{_PROTOCOLS[protocol]}/{port}"
        readable.setdefault(str(ip_address(address)), {})[key] = count
    return readable
