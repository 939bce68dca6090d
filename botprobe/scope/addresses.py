"""Who must never be probed: special-purpose addresses, own networks, and who opted out.

The table is our own because ``ipaddress.is_global`` calls several of these public: multicast,
6to4 and NAT64 forms of private addresses, 192.88.99.0/24, 3fff::/20 (Python 3.11).
Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates),
the IANA multicast registries, RFC 4291 for the forms that embed an IPv4 address.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from botprobe.errors import RefusedByScope
from botprobe.model.audit import IpNetwork
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.scope.parties import AutonomousSystem, Domain, Party

SPECIAL_PURPOSE: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this network, RFC 791"),
    ("10.0.0.0/8", "private use, RFC 1918"),
    ("100.64.0.0/10", "shared address space of carrier NAT, RFC 6598"),
    ("127.0.0.0/8", "loopback, RFC 1122"),
    # In no registry, and every machine in that cloud talks to it.
    ("168.63.129.16/32", "platform of the Azure cloud"),
    ("169.254.0.0/16", "link local and cloud metadata, RFC 3927"),
    ("172.16.0.0/12", "private use, RFC 1918"),
    ("192.0.0.0/24", "IETF protocol assignments, RFC 6890"),
    ("192.0.2.0/24", "documentation, RFC 5737"),
    ("192.31.196.0/24", "AS112, RFC 7535"),
    ("192.52.193.0/24", "AMT relays, RFC 7450"),
    ("192.88.99.0/24", "6to4 relay anycast, RFC 7526"),
    ("192.168.0.0/16", "private use, RFC 1918"),
    ("192.175.48.0/24", "AS112, RFC 7534"),
    ("198.18.0.0/15", "benchmarking, RFC 2544"),
    ("198.51.100.0/24", "documentation, RFC 5737"),
    ("203.0.113.0/24", "documentation, RFC 5737"),
    ("224.0.0.0/4", "multicast, RFC 5771"),
    ("240.0.0.0/4", "reserved and broadcast, RFC 1112 and RFC 919"),
    ("::/96", "unspecified, loopback and IPv4-compatible, RFC 4291"),
    ("::ffff:0:0/96", "IPv4-mapped, RFC 4291"),
    ("64:ff9b::/96", "NAT64, RFC 6052"),
    ("64:ff9b:1::/48", "local NAT64, RFC 8215"),
    ("100::/64", "discard only, RFC 6666"),
    ("100:0:0:1::/64", "dummy prefix, RFC 9780"),
    ("2001::/23", "IETF protocol assignments with Teredo and ORCHID, RFC 2928"),
    ("2001:db8::/32", "documentation, RFC 3849"),
    ("2002::/16", "6to4, RFC 3056"),
    ("2620:4f:8000::/48", "AS112, RFC 7534"),
    ("3fff::/20", "documentation, RFC 9637"),
    ("5f00::/16", "segment routing, RFC 9602"),
    ("fc00::/7", "unique local and cloud metadata, RFC 4193"),
    ("fe80::/10", "link local, RFC 4291"),
    ("fec0::/10", "site local, RFC 3879"),
    ("ff00::/8", "multicast, RFC 4291"),
)

# RFC 4291 section 2.4 and the IANA IPv6 address space registry: all that was ever allocated.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_MAPPED_BITS = 96
_COMPATIBLE, _NAT64 = IPv6Network("::/96"), IPv6Network("64:ff9b::/96")
# RFC 5214, 6.1, of an IPv4 address that is global and of one that is not.
_ISATAP = frozenset({0x0200_5EFE, 0x0000_5EFE})
_SPECIAL = tuple((ip_network(network), meaning) for network, meaning in SPECIAL_PURPOSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Decides whether any packet may be sent to an address."""

    allow: tuple[IpNetwork, ...] = ()
    """Special-purpose ranges that a laboratory or an intranet opens."""
    own_networks: tuple[IpNetwork, ...] = ()
    """Networks of the operator; never opened by ``allow``."""
    opted_out: tuple[Party, ...] = ()
    """Who asked not to be probed; never opened by ``allow``."""
    around: Mapping[IpAddress, str] = field(default_factory=dict)
    """Own addresses, gateways and resolvers, with what each is; never opened by ``allow``."""
    origins: dict[IpAddress, Origin] = field(default_factory=dict)
    """What was found out about whoever is being investigated; successors share it."""
    _networks: tuple[IpNetwork, ...] = field(init=False, repr=False, compare=False)
    _owners: tuple[Domain | AutonomousSystem, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort who opted out: networks are asked for each packet, and there may be many."""
        networks = tuple(p for p in self.opted_out if isinstance(p, IPv4Network | IPv6Network))
        owners = tuple(p for p in self.opted_out if isinstance(p, Domain | AutonomousSystem))
        object.__setattr__(self, "_networks", networks)
        object.__setattr__(self, "_owners", owners)

    def refusal(self, address: IpAddress) -> str | None:
        """Say why ``address`` must not be probed, or None if nothing that is known forbids it."""
        address = unmapped(address)
        for one in (address, *carried(address)):
            if (closed := self._closed(one)) is not None:
                return closed
        if _covering(address, self.allow) is not None:
            return None
        return special_purpose(address)

    def unknown(self, address: IpAddress) -> bool:
        """Say whether its origin has to be found out before ``address`` may be probed."""
        return bool(self._owners) and unmapped(address) not in self.origins

    def learn(self, address: IpAddress, origin: Origin) -> None:
        """Take note of whose an address is."""
        self.origins[unmapped(address)] = origin

    def forget(self, address: IpAddress) -> None:
        """Forget whose an address is: by the next time it may be somebody else's."""
        self.origins.pop(unmapped(address), None)

    def require(self, address: IpAddress) -> None:
        """Return if ``address`` may be probed.

        Raises:
            RefusedByScope: it must not be; the text says why.
        """
        reason = self.refusal(address)
        if reason is None and self.unknown(address):
            reason = "nobody looked up whose it is"
        if reason is not None:
            raise RefusedByScope(f"refused: {reason}")

    def _closed(self, address: IpAddress) -> str | None:
        """Say who keeps an address closed, whatever ``allow`` opens."""
        if _covering(address, self._networks) is not None:
            return "opted out"
        if _covering(address, self.own_networks) is not None:
            return "own network"
        if (what := self.around.get(address)) is not None:
            return what
        origin = self.origins.get(address)
        return None if origin is None else self._owner_s_word(origin)

    def _owner_s_word(self, origin: Origin) -> str | None:
        if any(party.owns(origin) for party in self._owners):
            return "opted out"
        if origin.names is None and any(isinstance(party, Domain) for party in self._owners):
            return "opt-out unknown: no resolver tells its name"
        return None


def special_purpose(address: IpAddress) -> str | None:
    """Name the special purpose of an address, None for an ordinary public one."""
    address = unmapped(address)
    for network, meaning in _SPECIAL:
        if address in network:
            return meaning
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_UNICAST:
            return "not allocated, RFC 4291"
        if _interface(address) in _ISATAP:
            return "tunnel into a site, RFC 5214"
    return None


def carried(address: IpAddress) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address holds: what a translator or tunnel asks."""
    if not isinstance(address, IPv6Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64 or address in _COMPATIBLE or _interface(address) in _ISATAP:
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _interface(address: IPv6Address) -> int:
    """Return the first half of the interface identifier."""
    return int(address) >> 32 & 0xFFFFFFFF


def unmapped(address: IpAddress) -> IpAddress:
    """Return the IPv4 address inside an IPv4-mapped one, any other as it is, without a zone."""
    if not isinstance(address, IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv6Address(int(address)) if address.scope_id else address


def unmapped_network(network: IpNetwork) -> IpNetwork:
    """Return the IPv4 network inside an IPv4-mapped one, any other as it is."""
    first = network.network_address
    if isinstance(first, IPv6Address) and first.ipv4_mapped and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((first.ipv4_mapped, network.prefixlen - _MAPPED_BITS))
    return network


def _covering(address: IpAddress, networks: Iterable[IpNetwork]) -> IpNetwork | None:
    return next((network for network in networks if address in network), None)
