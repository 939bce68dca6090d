"""The ruleset of the router, in nftables' own language (nft(8)): the kernel counts, we decide.

One table, ``inet botprobe``, holds everything, so that deleting it leaves no trace. Every element
of its sets expires. A packet counts only inside of a connection in which an answer was seen: a
forger gets none. What is written here are addresses and numbers, never text from a packet.
"""

from collections.abc import Iterable, Iterator
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
    hops: str
    """Where a packet has its hop limit."""


FAMILIES = (
    Family(4, "ip", "ipv4_addr", "ip saddr", "ip ttl"),
    Family(6, "ip6", "ipv6_addr", "ip6 saddr and ffff:ffff:ffff:ffff::", "ip6 hoplimit"),
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
    yield f"  set hops{version} {{ typeof {family.word} saddr . {family.hops}; {dynamic} }}"
    flows = f"size {_FLOWS}; flags dynamic,timeout; timeout {_FLOW_SECONDS}s;"
    yield f"  set flows{version} {{ type {kind} . inet_service . {kind}; {flows} }}"
    yield f"  set blocked{version} {{ type {kind}; size {_HOSTS}; flags timeout; }}"
    for name, networks in (("inside", rules.inside), ("spared", rules.spared)):
        chosen = ", ".join(str(one) for one in networks if one.version == version)
        elements = f" elements = {{ {chosen} }};" if chosen else ""
        yield f"  set {name}{version} {{ type {kind}; flags interval; auto-merge;{elements} }}"


def _counting(rules: RouterRules) -> str:
    """What comes most often is decided first, by what costs least: most packets are none of ours.

    The ports are read where they stand (the first four bytes of TCP), because the packet filter
    would ask before each look at them whether it is TCP; whether it is, is asked once, later.
    """
    chains = (_sampled if rules.sampling > 1 else _exact)(rules)
    sampling = (f"numgen random mod {rules.sampling} != 0 accept",) if rules.sampling > 1 else ()
    sending = [f"{port} : goto sending" for port in SMTP_PORTS]
    fetching = [f"{port} : goto fetching" for port in MAILBOX_PORTS]
    answers = [f"{port} : goto sent" for port in SMTP_PORTS]
    answers += [f"{port} : goto fetched" for port in MAILBOX_PORTS]
    gates = (
        f"@th,16,16 vmap {{ {', '.join(sending + fetching)} }}",
        f"@th,0,16 vmap {{ {', '.join(answers)} }}",
    )
    hook = "type filter hook prerouting priority -290; policy accept;"
    return "\n".join((*chains, _chain("count", [hook, *sampling, *gates])))


def _exact(rules: RouterRules) -> Iterator[str]:
    """Every small packet counts, if an answer that carried something was seen in its connection.

    Whoever forges packets is answered with resets and acknowledgements, and those carry nothing.
    """
    for family in FAMILIES:
        version, word, source = family.version, family.word, family.source
        exists = f"{word} saddr . tcp sport . {word} daddr @flows{version}"
        yield _chain(f"noticed{version}", _noticed(family, rules, source))
        for name, connections in (("sending", "opened"), ("fetching", "collected")):
            opened = f"{_counts(connections, version, source)} {_hops(family)}"
            yield _chain(f"opening_{name}{version}", [*_whose(family, rules, "saddr"), opened])
        one_way = _counts("oneway", version, source)
        small = [*_whose(family, rules, "saddr"), f"{exists} goto noticed{version}", one_way]
        yield _chain(f"sending{version}", small)
        small = [*_whose(family, rules, "saddr"), f"{exists} {_counts('fetches', version, source)}"]
        yield _chain(f"fetching{version}", small)
        flow = f"{word} daddr . tcp dport . {word} saddr"
        yield _chain(f"answered{version}", [f"update @flows{version} {{ {flow} }}"])
        serving = f"tcp sport 25 update @servers{version} {{ {source} }}"
        yield _chain(f"greeted{version}", [serving, *_whose(family, rules, "daddr"), _met(family)])
    for name in ("sending", "fetching"):
        lines = (
            f"meta length >= {SMALL} return",
            f"tcp flags & (syn | ack) == syn {_by_family(f'opening_{name}')}",
            f"tcp flags & (syn | rst | ack) == ack {_by_family(name)}",
        )
        yield _chain(name, lines)
    answered = f"tcp flags & (syn | psh | ack) == psh | ack {_by_family('answered')}"
    greeted = f"tcp flags & (syn | ack) == syn | ack {_by_family('greeted')}"
    yield _chain("sent", [answered, greeted])
    yield _chain("fetched", [answered])


def _sampled(rules: RouterRules) -> Iterator[str]:
    """One packet of many is looked at, before anything else: so no connection is known.

    Then the answers count in place of the packets: a server that says something has a connection,
    and it says something once for each command. Who asks and gets no answer is seen one way only.
    """
    for family in FAMILIES:
        version, source = family.version, family.source
        asked = f"{_counts('oneway', version, source)} {_hops(family)}"
        yield _chain(f"asking{version}", [*_whose(family, rules, "saddr"), asked])
        to_whom = source.replace("saddr", "daddr")
        yield _chain(f"noticed{version}", _noticed(family, rules, to_whom))
        serving = f"tcp sport 25 update @servers{version} {{ {source} }}"
        whose = [*_whose(family, rules, "daddr")]
        counted = [_met(family), f"goto noticed{version}"]
        yield _chain(f"sent{version}", [serving, *whose, *counted])
        yield _chain(f"fetched{version}", [*whose, _counts("fetches", version, to_whom)])
    asking = f"tcp flags & (syn | rst | ack) == ack {_by_family('asking')}"
    yield _chain("sending", [f"meta length >= {SMALL} return", asking])
    yield _chain("fetching", [])
    for name in ("sent", "fetched"):
        yield _chain(name, [f"tcp flags & (syn | psh | ack) == psh | ack {_by_family(name)}"])


def _whose(family: Family, rules: RouterRules, side: str) -> Iterator[str]:
    """Leave out whose packets do not count."""
    networks = [one for one in rules.inside if one.version == family.version]
    if len(networks) == 1:  # a comparison is cheaper than a set
        yield f"{family.word} {side} != {networks[0]} return"
    elif rules.inside:
        yield f"{family.word} {side} != @inside{family.version} return"
    if any(one.version == family.version for one in rules.spared):
        yield f"{family.word} {side} @spared{family.version} return"


def _noticed(family: Family, rules: RouterRules, host: str) -> Iterator[str]:
    """Count beyond the first few; asking first whether it is in the list would count it twice."""
    version, burst = family.version, f"burst {rules.unnoticed} packets"
    meter = f"update @meter{version} {{ {host} limit rate over 1/day {burst} }}"
    yield f"{meter} {_counts('heavy', version, host)}"


def _met(family: Family) -> str:
    """A server that answers, once for a connection."""
    return f"update @targets{family.version} {{ {family.word} daddr . {family.word} saddr }}"


def _counts(name: str, version: int, host: str) -> str:
    return f"update @{name}{version} {{ {host} counter }}"


def _hops(family: Family) -> str:
    return f"update @hops{family.version} {{ {family.word} saddr . {family.hops} }}"


def _by_family(name: str) -> str:
    return f"meta nfproto vmap {{ ipv4 : goto {name}4, ipv6 : goto {name}6 }}"


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
