"""Which host of a capture is the proxy: it opens mail connections without being a mail server."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from botprobe.model.mail import IpAddress
from botprobe.model.text import counted
from botprobe.observers.packets.segments import ACK, SYN, Segment, address, read_packet
from botprobe.observers.proxytrace.orders import MAIL_PORTS, find_order

MAX_PROXIES = 32
MAX_HOSTS = 100_000

_PAYLOAD_4 = "tcp[((tcp[12] & 0xf0) >> 2):4]"
# libpcap looks into IPv6 only at places that do not move: no extension headers, TCP at byte 40.
_PAYLOAD_6 = "ip6[40 + ((ip6[52] & 0xf0) >> 2):4]"
# "CONN" and "conn", SOCKS 4 for port 25, a SOCKS 5 request.
_ORDERS = ("= 0x434f4e4e", "= 0x636f6e6e", "= 0x04010019", "& 0xffffff00 = 0x05010000")
# Bodies of mails come in large packets; who opened a connection shows in the small ones.
_MAIL = "less 400 and (tcp dst port 25 or tcp dst port 465 or tcp dst port 587)"

PROXIES_FILTER = " or ".join(
    (
        f"({_MAIL})",
        "(tcp[13] & 0x12 = 0x12)",
        "(ip6[6] = 6 and ip6[53] & 0x12 = 0x12)",
        *(f"({_PAYLOAD_4} {order})" for order in _ORDERS),
        *(f"(ip6[6] = 6 and {_PAYLOAD_6} {order})" for order in _ORDERS),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleProxy:
    """A host that may be the proxy."""

    address: IpAddress
    ports: tuple[int, ...]
    """Where it was seen to accept connections, other than for mail."""
    mail_sessions: int
    """Connections it opened to mail servers."""
    orders: int
    """Packets that ordered a mail connection from it."""
    because: str


class ProxySearch:
    """Counts who opens, who accepts and who is ordered about."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._opened: dict[bytes, set[tuple[int, bytes, int]]] = defaultdict(set)
        self._accepts: dict[bytes, set[int]] = defaultdict(set)
        self._orders: Counter[bytes] = Counter()

    def take(self, at: float, data: bytes) -> None:
        """Take a packet that ``PROXIES_FILTER`` let through."""
        segment = read_packet(at, data)
        if not isinstance(segment, Segment) or len(self._opened) + len(self._accepts) > MAX_HOSTS:
            return
        if segment.dport in MAIL_PORTS and segment.sport not in MAIL_PORTS:
            self._opened[segment.src].add((segment.sport, segment.dst, segment.dport))
        if segment.flags & (SYN | ACK) == SYN | ACK:
            self._accepts[segment.src].add(segment.sport)
        elif segment.payload:
            found = find_order(segment.payload)
            if found is not None and found.order.port in MAIL_PORTS:
                self._orders[segment.dst] += 1
                self._accepts[segment.dst].add(segment.dport)

    def ports(self, hosts: Iterable[bytes]) -> set[tuple[bytes, int]]:
        """Return the places where hosts accept connections."""
        return {(host, port) for host in hosts for port in self._accepts.get(host, ())}

    def describe(self, host: bytes) -> PossibleProxy:
        """Say what was seen of a host."""
        sessions, orders = len(self._opened.get(host, ())), self._orders[host]
        ports = tuple(sorted(self._accepts.get(host, set()) - MAIL_PORTS))
        because = "named by the operator"
        if self._suspicious(host):
            because = f"opened {counted(sessions, 'mail connection')}, is no mail server"
        if orders:
            because = f"got {counted(orders, 'packet')} with an order for a mail connection"
        return PossibleProxy(
            address=address(host),
            ports=ports,
            mail_sessions=sessions,
            orders=orders,
            because=because,
        )

    def found(self) -> list[bytes]:
        """Return the suspected hosts, the busiest first."""
        chosen = {host for host in self._opened if self._suspicious(host)} | set(self._orders)
        # A proxy with two addresses: one is ordered about, the other one opens.
        if any(host not in self._opened for host in self._orders):
            chosen |= {host for host in self._opened if not self._serves_mail(host)}
        ranked = sorted(chosen, key=lambda host: (-self._weight(host), host))
        return ranked[:MAX_PROXIES]

    def _suspicious(self, host: bytes) -> bool:
        others = self._accepts.get(host, set()) - MAIL_PORTS
        return bool(self._opened.get(host)) and bool(others) and not self._serves_mail(host)

    def _serves_mail(self, host: bytes) -> bool:
        return not MAIL_PORTS.isdisjoint(self._accepts.get(host, ()))

    def _weight(self, host: bytes) -> int:
        return self._orders[host] + len(self._opened.get(host, ()))


def legs_filter(hosts: Iterable[bytes]) -> str:
    """Return the filter for all that tracing needs of some hosts.

    What a proxy fetches from the web for its honest users is most of its traffic, and no leg.
    """
    terms = []
    for host in hosts:
        name = address(host)
        web = (
            f"(dst host {name} and (tcp src port 80 or tcp src port 443)) or "
            f"(src host {name} and (tcp dst port 80 or tcp dst port 443))"
        )
        terms.append(f"(host {name} and not udp and not ({web}))")
    return " or ".join((*terms, "(udp src port 53)"))
