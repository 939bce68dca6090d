"""The ruleset of the router, in nftables' own language (nft(8)): the kernel counts, we decide.

One table, ``inet botprobe``, holds everything, so that deleting it leaves no trace. Every element
of its sets expires. A packet counts only inside of a connection in which an answer was seen: a
forger gets none. What is written here are addresses and numbers, never text from a packet.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from botprobe.model.mail import IpAddress
from botprobe.observers.router.counting import MAILBOX_PORTS, SMALL, SMTP_PORTS
from botprobe.observers.router.credit import Action

IpNetwork = IPv4Network | IPv6Network

TABLE = "inet botprobe"

# Packets to mail servers until an address enters the short list that is looked at every second.
# It stays below the least threshold, and what was passed over is added again: nothing is lost.
UNNOTICED = 50

# Elements of a set: more hosts than one router serves, and a bound for forgers.
_HOSTS, _FLOWS = 131_072, 524_288
_FLOW_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterRules:
    """What the ruleset depends on."""

    inside: tuple[IpNetwork, ...] = ()
    """Whose packets are counted; empty means everybody's."""
    spared: tuple[IpNetwork, ...] = ()
    """The own mail servers and whoever is allowed: never counted, never blocked."""
    sampling: int = 1
    """One packet of so many is counted."""
    cleanup: int = 86_400
    """Seconds after which an address that sends nothing is forgotten: it may have a new owner."""
    enforce: Action = Action.ACCEPT
    sink: tuple[IpAddress | None, int] | None = None
    """Where mail of blocked hosts is redirected to; without an address, a port of the router."""

    @property
    def unnoticed(self) -> int:
        """Counted packets of a host before its counter begins."""
        return max(1, UNNOTICED // self.sampling)


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between IPv4 and IPv6."""

    version: int
    word: str
    kind: str
    source: str
    """The key of a host: of IPv6 its /64, because a host changes the rest at will."""
    target: str


FAMILIES = (
    Family(4, "ip", "ipv4_addr", "ip saddr", "ip daddr"),
    Family(
        6,
        "ip6",
        "ipv6_addr",
        "ip6 saddr and ffff:ffff:ffff:ffff::",
        "ip6 daddr and ffff:ffff:ffff:ffff::",
    ),
)


def ruleset(rules: RouterRules) -> str:
    """Write the table; loaded by ``nft -f`` it takes the place of an older one in one step."""
    chains = [_counting(rules), *_enforcing(rules)]
    sets = [line for family in FAMILIES for line in _sets(family, rules)]
    body = "\n".join((*sets, *chains))
    return f"{removal()}table {TABLE} {{\n{body}\n}}\n"


def removal() -> str:
    """Write what takes the table away, whether it is there or not."""
    return f"add table {TABLE}\ndelete table {TABLE}\n"


def blocking(addresses: Iterable[IpAddress], seconds: int) -> str:
    """Write the elements that block hosts for so many seconds."""
    return "".join(
        f"add element {TABLE} blocked{one.version} {{ {key_of(one)} timeout {seconds}s }}\n"
        for one in addresses
    )


def key_of(address: IpAddress) -> IpAddress:
    """Return what the sets know a host by: of IPv6 the first address of its /64."""
    if address.version == 4:
        return address
    return ip_network(f"{address}/64", strict=False).network_address


def _sets(family: Family, rules: RouterRules) -> Iterator[str]:
    version, kind, timeout = family.version, family.kind, f"timeout {rules.cleanup}s"
    dynamic = f"size {_HOSTS}; flags dynamic,timeout; {timeout};"
    for name in ("meter", "heavy", "fetches", "oneway", "servers", "opened", "collected"):
        yield f"  set {name}{version} {{ type {kind}; {dynamic} }}"
    yield f"  set targets{version} {{ type {kind} . {kind}; {dynamic} }}"
    hops = "ip ttl" if version == 4 else "ip6 hoplimit"
    yield f"  set hops{version} {{ typeof {family.word} saddr . {hops}; {dynamic} }}"
    flows = f"size {_FLOWS}; flags dynamic,timeout; timeout {_FLOW_SECONDS}s;"
    yield f"  set flows{version} {{ type {kind} . inet_service . {kind}; {flows} }}"
    yield f"  set blocked{version} {{ type {kind}; size {_HOSTS}; flags timeout; }}"
    for name, networks in (("inside", rules.inside), ("spared", rules.spared)):
        chosen = ", ".join(str(one) for one in networks if one.version == version)
        elements = f" elements = {{ {chosen} }};" if chosen else ""
        yield f"  set {name}{version} {{ type {kind}; flags interval; auto-merge;{elements} }}"


def _counting(rules: RouterRules) -> str:
    sending = ", ".join(f"{port} : goto sending" for port in SMTP_PORTS)
    fetching = ", ".join(f"{port} : goto fetching" for port in MAILBOX_PORTS)
    answering = ", ".join(f"{port} : goto answering" for port in SMTP_PORTS + MAILBOX_PORTS)
    lines = [
        *(_notice(family, rules) for family in FAMILIES),
        _chain("sending", [*_preface(rules, "opened"), *_each(_send)]),
        _chain("fetching", [*_preface(rules, "collected"), *_each(_fetch)]),
        _chain("answering", [line for family in FAMILIES for line in _answer(family)]),
        _chain(
            "count",
            [
                "type filter hook prerouting priority -290; policy accept;",
                f"tcp dport vmap {{ {sending}, {fetching} }}",
                f"tcp sport vmap {{ {answering} }}",
            ],
        ),
    ]
    return "\n".join(lines)


def _preface(rules: RouterRules, connections: str) -> Iterator[str]:
    """What sending and fetching begin with: whose packets count, and which."""
    for family in FAMILIES:
        word, version = family.word, family.version
        if rules.inside:
            yield f"meta nfproto ipv{version} {word} saddr != @inside{version} return"
        if rules.spared:
            yield f"{word} saddr @spared{version} return"
        hops = "ip ttl" if version == 4 else "ip6 hoplimit"
        yield (
            f"meta nfproto ipv{version} tcp flags & (syn | ack) == syn"
            f" update @{connections}{version} {{ {family.source} counter }}"
            f" update @hops{version} {{ {word} saddr . {hops} }}"
        )
    yield "tcp flags & (syn | rst | ack) != ack return"
    yield f"meta length >= {SMALL} return"
    if rules.sampling > 1:
        yield f"numgen inc mod {rules.sampling} != 0 return"


def _each(write: Callable[[Family], Iterator[str]]) -> Iterator[str]:
    for family in FAMILIES:
        yield from write(family)


def _exists(family: Family) -> str:
    word, version = family.word, family.version
    return f"{word} saddr . tcp sport . {word} daddr @flows{version}"


def _send(family: Family) -> Iterator[str]:
    version = family.version
    yield f"{_exists(family)} goto noticed{version}"
    yield f"meta nfproto ipv{version} update @oneway{version} {{ {family.source} counter }} return"


def _notice(family: Family, rules: RouterRules) -> str:
    version, word, source = family.version, family.word, family.source
    burst = f"burst {rules.unnoticed} packets"
    line = (
        f"update @meter{version} {{ {source} limit rate over 1/day {burst} }}"
        f" update @heavy{version} {{ {source} counter }}"
        f" update @targets{version} {{ {word} saddr . {word} daddr }}"
    )
    return _chain(f"noticed{version}", [line])


def _fetch(family: Family) -> Iterator[str]:
    version = family.version
    yield f"{_exists(family)} update @fetches{version} {{ {family.source} counter }} return"


def _answer(family: Family) -> Iterator[str]:
    word, version = family.word, family.version
    yield (
        f"meta nfproto ipv{version} tcp sport 25 tcp flags & (syn | ack) == syn | ack"
        f" update @servers{version} {{ {family.source} }} return"
    )
    yield (
        f"tcp flags & (syn | rst | ack) == ack"
        f" update @flows{version} {{ {word} daddr . tcp dport . {word} saddr }}"
    )


def _enforcing(rules: RouterRules) -> Iterator[str]:
    if rules.enforce is Action.DROP:
        hook = "type filter hook prerouting priority -280; policy accept;"
        drops = (f"{_mail_of_blocked(family, rules)} counter drop" for family in FAMILIES)
        yield _chain("enforce", [hook, *drops])
    elif rules.enforce is Action.REDIRECT and rules.sink is not None:
        yield from _diverting(rules, *rules.sink)


def _diverting(rules: RouterRules, address: IpAddress | None, port: int) -> Iterator[str]:
    """New connections go to the sink; what still comes through is older, or has no sink."""
    places, drops = [], []
    for family in FAMILIES:
        chosen, passes = _mail_of_blocked(family, rules), ""
        if address is None:
            places.append(f"{chosen} counter redirect to :{port}")
        elif address.version == family.version:
            place = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
            places.append(f"{chosen} counter dnat {family.word} to {place}")
            # Redirected by now; any other port is none of those that are dropped.
            passes = f" {family.word} daddr != {address}" if port in SMTP_PORTS else ""
        drops.append(f"{chosen}{passes} counter drop")
    yield _chain("divert", ["type nat hook prerouting priority dstnat; policy accept;", *places])
    yield _chain("enforce", ["type filter hook forward priority 0; policy accept;", *drops])


def _mail_of_blocked(family: Family, rules: RouterRules) -> str:
    """Match what is acted on; a spared host stays so although a bot shares its /64."""
    ports, version, word = ", ".join(map(str, SMTP_PORTS)), family.version, family.word
    inside = f" {word} saddr @inside{version}" if rules.inside else ""
    return (
        f"tcp dport {{ {ports} }} {family.source} @blocked{version}"
        f" {word} saddr != @spared{version}{inside}"
    )


def _chain(name: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"  chain {name} {{\n{body}\n  }}"
