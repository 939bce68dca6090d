"""Building blocks of private networks: namespaces, links, addresses, routes, and the proof of it.

A laboratory lives in anonymous namespaces (network, mount, process; and user, where one is not
root) that ``unshare`` makes. They have no name and no file: when the first process in them dies,
for whatever reason, the kernel ends all others and takes the interfaces, routes and mounts away.
Named namespaces (``ip netns``) would survive a crash; a container would need an image, a daemon.
"""

import fcntl
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

from tests.lab.population import RANGES

MARKER = "BOTPROBE_LAB"
"""Environment variable that the laboratory sets; it is believed only together with the routes."""

LINK = "botprobe-lab"
"""The scanner's interface towards all hosts."""
FAR_LINK = "lab-far"
"""The other end of it, where it is no TUN device: the responder's."""
MAIL_LINK = "lab-mail"
"""The scanner's interface towards the machine with the real servers."""

_SIOCGIFFLAGS = 0x8913
_IFF_UP = 1


class LabError(Exception):
    """The laboratory cannot be built, or is not around us."""


def private(command: Sequence[str], *, as_root: bool) -> list[str]:
    """Return the command line that runs ``command`` as the first process of new namespaces.

    It ends with its parent, even if that is killed: ``setpriv`` ties ``unshare`` to the caller,
    ``--kill-child`` ties the namespaces to ``unshare``.
    """
    kinds = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    user = () if as_root else ("--user", "--map-root-user")
    tied = ("setpriv", "--pdeathsig", "KILL", "--")
    return [*tied, "unshare", *user, *kinds, "--", *command]


def run(*command: str, text: str | None = None) -> str:
    """Run a program, raising ``LabError`` with its own words where it fails."""
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=30
        )
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(command)}: no answer in 30 s") from error
    if done.returncode:
        complaint = (done.stderr or done.stdout).strip().replace("\n", "; ")
        raise LabError(f"{' '.join(command)}: {complaint or f'exit code {done.returncode}'}")
    return done.stdout


class Namespace:
    """A network namespace: this process's own, or that of another process."""

    def __init__(self, pid: int | None = None) -> None:
        self.pid = pid

    def enter(self, *command: str) -> list[str]:
        """Return the command line that runs a command in there."""
        if self.pid is None:
            return list(command)
        return ["nsenter", "--net", "--target", str(self.pid), "--", *command]

    def ip(self, *lines: str) -> None:
        """Give lines to the program ip, all to one process."""
        run(*self.enter("ip", "-batch", "-"), text="\n".join(lines) + "\n")

    def sysctl(self, name: str, value: str) -> None:
        """Set a kernel parameter of the namespace."""
        run(*self.enter("sysctl", "-qw", f"{name}={value}"))


def new_namespace() -> Namespace:
    """Make another network namespace, which lives as long as the process namespace around us."""
    keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], start_new_session=True)
    here = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{keeper.pid}/ns/net").readlink() == here:
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise LabError("no second network namespace can be made")
        time.sleep(0.002)
    return Namespace(keeper.pid)


def connect(near: str, far: str, there: Namespace) -> None:
    """Lay a cable: ``near`` here, ``far`` in the other namespace."""
    Namespace().ip(f"link add {near} type veth peer name {far}")
    if there.pid is not None:
        Namespace().ip(f"link set {far} netns {there.pid}")


def require_lab() -> None:
    """Make sure that nothing sent from here can reach anybody, or raise ``LabError``.

    Asks for the marker, for the laboratory's own interface, for the absence of any other that is
    up, and for routing tables without a way out.
    """
    if os.environ.get(MARKER) != "1":
        raise LabError(
            "not inside the laboratory: run this with python -m tests.lab run -- COMMAND"
        )
    up = {name for _, name in socket.if_nameindex() if _is_up(name)}
    if LINK not in up:
        raise LabError(f"not inside the laboratory: there is no interface {LINK}")
    if strangers := up - {"lo", LINK, FAR_LINK, MAIL_LINK}:
        raise LabError(f"not alone: {min(strangers)} is an interface of no laboratory")
    for network, device in routes():
        inside = any(network.version == own.version and network.subnet_of(own) for own in RANGES)  # type: ignore[arg-type]
        if device != "lo" and not inside and not network.is_link_local and not network.is_multicast:
            raise LabError(f"not closed: {network} is routed to {device}")


def routes() -> Iterator[tuple[IPv4Network | IPv6Network, str]]:
    """Yield the destinations of the main routing tables, each with its interface."""
    for line in Path("/proc/net/route").read_text("ascii").splitlines()[1:]:
        device, destination, _, _, _, _, _, mask, *_ = line.split()
        address = IPv4Address(struct.pack("=I", int(destination, 16)))
        yield IPv4Network((address, int(mask, 16).bit_count())), device
    ipv6 = Path("/proc/net/ipv6_route")
    for line in ipv6.read_text("ascii").splitlines() if ipv6.exists() else ():
        destination, prefix, *_, device = line.split()
        yield IPv6Network((bytes.fromhex(destination), int(prefix, 16))), device


def _is_up(interface: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", interface.encode(), 0)
        flags = struct.unpack_from("16xH", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[0]
    return bool(flags & _IFF_UP)
