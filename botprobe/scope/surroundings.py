"""Who stands around us: our own addresses, gateways and resolvers, which a header may name, too.

Read from the kernel's tables (proc(5), ``/proc/net``) and resolv.conf(5); nothing is sent. What
cannot be read is left out: it is for ``own_networks`` to name.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from botprobe.model.mail import IpAddress

OWN, GATEWAY, RESOLVER = "our own address", "our gateway", "our resolver"

_LOCAL = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL")
_NAMESERVER = re.compile(r"^nameserver\s+([0-9A-Fa-f:.]+)", re.MULTILINE)

# The tables of a router with many routes are long, and of no more use.
_MOST = 1 << 20


def surroundings(
    resolvers: Iterable[IpAddress] = (),
    tables: Path = Path("/proc/net"),
    resolv_conf: Path = Path("/etc/resolv.conf"),
) -> dict[IpAddress, str]:
    """Say of each address around us what it is; loopback is left to the special purposes.

    Args:
        resolvers: those that the operator named.
        tables: where the kernel shows its tables.
        resolv_conf: names the resolvers of the machine.
    """
    found: dict[IpAddress, str] = {}
    for what, addresses in (
        (RESOLVER, [*resolvers, *_resolvers(_text(resolv_conf))]),
        (GATEWAY, _gateways_4(_text(tables / "route"))),
        (GATEWAY, _gateways_6(_text(tables / "ipv6_route"))),
        (OWN, map(IPv4Address, _LOCAL.findall(_text(tables / "fib_trie")))),
        (OWN, _own_6(_text(tables / "if_inet6"))),
    ):
        found.update({one: what for one in addresses if not one.is_loopback})
    return found


def _text(path: Path) -> str:
    try:
        with path.open(encoding="ascii", errors="replace") as stream:
            return stream.read(_MOST)
    except OSError:
        return ""


def _resolvers(text: str) -> Iterator[IpAddress]:
    for name in _NAMESERVER.findall(text):
        with suppress(ValueError):
            yield ip_address(name)


def _gateways_4(text: str) -> Iterator[IpAddress]:
    """The third column, in the byte order of the machine: little-endian wherever we run."""
    for line in text.splitlines()[1:]:
        words = line.split()
        with suppress(ValueError, IndexError):
            if gateway := bytes.fromhex(words[2])[::-1].lstrip(b"\0"):
                yield IPv4Address(gateway.rjust(4, b"\0"))


def _gateways_6(text: str) -> Iterator[IpAddress]:
    for line in text.splitlines():
        words = line.split()
        with suppress(ValueError, IndexError):
            gateway = IPv6Address(bytes.fromhex(words[4]))
            if not gateway.is_unspecified:
                yield gateway


def _own_6(text: str) -> Iterator[IpAddress]:
    for line in text.splitlines():
        with suppress(ValueError, IndexError):
            yield IPv6Address(bytes.fromhex(line.split()[0]))
