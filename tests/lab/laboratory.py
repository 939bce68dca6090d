"""Puts the laboratory together, inside namespaces that already exist, and runs a command in it."""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tests.lab import namespace, osdb, packets
from tests.lab.hosts import LiveHost, PersonaBook
from tests.lab.link import Link, TunLink, VethLink
from tests.lab.namespace import LINK, Namespace
from tests.lab.population import Host, Population
from tests.lab.responder import Responder, WireKey

SCANNER, GATEWAY = "198.18.0.1", "198.18.0.2"
SCANNER_6, GATEWAY_6 = "2001:db8::1", "2001:db8::2"

_FAR_LINK = "lab-far"
_GATEWAY_MAC = "02:00:00:00:00:02"
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
    with contextlib.ExitStack() as stack:
        os.environ[namespace.MARKER] = "1"
        namespace.run("ip", "link", "set", "lo", "up")
        open_link(population, options, stack)
        namespace.require_lab()
        Namespace().sysctl("net.ipv4.ping_group_range", "0 0" if options.ping else "1 0")
        return _run_command(command, options)


def open_link(population: Population, options: Options, stack: contextlib.ExitStack) -> None:
    """Put the population behind an interface of this namespace until ``stack`` is closed."""
    link = _make_link(tun=options.tun)
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
    book = PersonaBook(osdb.load())
    chance = random.Random(options.seed)
    hosts = [LiveHost(host, book, chance) for host in population.hosts if host.real is None]
    responder = Responder(link, hosts, seed=options.seed, block_25=options.block_25)
    stopped, stop = os.pipe()

    def serve() -> None:
        os.setsid()  # Ctrl-C is for the command, not for its surroundings
        os.close(stop)
        responder.serve(stopped)
        if options.wire:
            options.wire.write_text(json.dumps(_readable(responder.wire), indent=1) + "\n", "utf-8")

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    os.close(stopped)

    @stack.callback
    def end() -> None:
        os.close(stop)
        process.join()


def _make_link(*, tun: bool) -> Link:
    if tun:
        with contextlib.suppress(OSError):
            return TunLink(LINK)
    namespace.connect(LINK, _FAR_LINK, Namespace())
    Namespace().ip(
        f"link set {LINK} arp off",
        f"link set {_FAR_LINK} up",
    )
    mac = Path(f"/sys/class/net/{LINK}/address").read_text("ascii").strip()
    return VethLink(_FAR_LINK, bytes.fromhex(mac.replace(":", "")))


def _run_command(command: Sequence[str], options: Options) -> int:
    # A handler that does nothing: Ctrl-C ends the command, and this process waits for it.
    signal.signal(signal.SIGINT, lambda *_: None)
    unprivileged = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    line = [*(unprivileged if options.as_user else ()), *command]
    try:
        return subprocess.run(line, check=False).returncode
    except OSError as error:
        raise namespace.LabError(f"{command[0]}: {error.strerror}") from error


def _readable(wire: Counter[WireKey]) -> dict[str, dict[str, int]]:
    readable: dict[str, dict[str, int]] = {}
    for (address, protocol, port), count in sorted(wire.items()):
        key = f"{_PROTOCOLS[protocol]}/{port}"
        readable.setdefault(str(ip_address(address)), {})[key] = count
    return readable
