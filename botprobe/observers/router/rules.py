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

# Elements of a set: more hosts than one router serves, and a bound for forgers.
MOST_HOSTS, _FLOWS = 131_072, 524_288
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What differs between IPv4 and IPv6.

    Parts of a packet are written as base, offset and length in bits ("raw payload expression",
    nft(8)): by their names, the packet filter asks anew in each rule which family it is, and that
    costs as much as a look into a set.
    """

    version: int
    word: str
    kind: str
    source: str
    target: str
    sender: str
    """The key of the host that sent: of IPv6 its /64, because a host changes the rest at will."""
    receiver: str
    masked: str
    """The same as ``sender`` in the sets of whole addresses."""
    is_tcp: str
    is_small: str
    """Of IPv4, it also tells the version."""
    hops: str
    """Where a packet has its hop limit."""

    @property
    def flow(self) -> str:
        """The connection of a packet to a server."""
        return f"{self.source} . @th,0,16 . {self.target}"

    @property
    def flow_back(self) -> str:
        """The same connection, of a packet from the server."""
        return f"{self.target} . @th,16,16 . {self.source}"

    @property
    def fetch(self) -> str:
        """The connection of a packet to a mailbox: turned round, so it never sends."""
        return f"{self.target} . @th,0,16 . {self.source}"

    @property
    def fetch_back(self) -> str:
        """The same connection, of a packet from the mailbox."""
        return f"{self.source} . @th,16,16 . {self.target}"


FAMILIES = (
    Family(
        version=4,
        word="ip",
        kind="ipv4_addr",
        source="@nh,96,32",
        target="@nh,128,32",
        sender="@nh,96,32",
        receiver="@nh,128,32",
        masked="ip saddr",
        is_tcp="@nh,72,8 6",
        # The version, 4, and the length in one look: what else is in these four bytes is masked.
        is_small=f"@nh,0,32 & 0xf000ffff < {4 << 28 | SMALL:#x}",
        hops="@nh,64,8",
    ),
    # A packet with extension headers is not taken for TCP, as in captures; 40 bytes are the header.
    Family(
        version=6,
        word="ip6",
        kind="ipv6_addr",
        source="@nh,64,128",
        target="@nh,192,128",
        sender="@nh,64,64",
        receiver="@nh,192,64",
        masked="ip6 saddr and ffff:ffff:ffff:ffff::",
        is_tcp="@nh,48,8 6",
        is_small=f"@nh,32,16 < {SMALL - 40}",
        hops="@nh,56,8",
    ),
)

_IPV6 = "@nh,0,4 6"
_HIGH = "& 0x8000 != 0"
"""A port from 32768 on: Linux calls from there, Windows and macOS from 49152 (RFC 6335)."""
_FROM_HIGH, _FROM_LOW = f"@th,0,16 {_HIGH}", "@th,0,16 & 0x8000 == 0"
# The flags of TCP: FIN 1, SYN 2, RST 4, PSH 8, ACK 16.
_OPENS = "@th,104,8 & 0x12 == 0x02"
_ACCEPTS = "@th,104,8 & 0x12 == 0x12"
_ACKNOWLEDGES = "@th,104,8 & 0x16 == 0x10"
_SAYS = "@th,104,8 & 0x1a == 0x18"

_BOTH_PORTS = 'goto low comment "perhaps an answer to somebody who asks from a port of mail"'


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
    dynamic = f"size {MOST_HOSTS}; flags dynamic,timeout; {timeout};"
    for name in ("sent", "fetched", "oneway", "servers"):
        yield f"  set {name}{version} {{ typeof {family.sender}; {dynamic} }}"
    # In a sample, connections are too few to tell systems apart by: there, ``hops`` notes packets.
    for name in ("opened", "collected", "hops"):
        yield f"  set {name}{version} {{ typeof {family.sender} . {family.hops}; {dynamic} }}"
    yield f"  set targets{version} {{ type {kind} . {kind}; {dynamic} }}"
    if version == 6:
        yield f"  set faces6 {{ type {kind}; {dynamic} }}"
    flows = f"size {_FLOWS}; flags dynamic,timeout; timeout {_FLOW_SECONDS}s;"
    for name in ("flows", "asked"):
        yield f"  set {name}{version} {{ typeof {family.flow}; {flows} }}"
    yield f"  set blocked{version} {{ type {kind}; size {MOST_HOSTS}; flags timeout; }}"
    for name, networks in (("inside", rules.inside), ("spared", rules.spared)):
        chosen = ", ".join(str(one) for one in networks if one.version == version)
        elements = f" elements = {{ {chosen} }};" if chosen else ""
        yield f"  set {name}{version} {{ type {kind}; flags interval; auto-merge;{elements} }}"


def _counting(rules: RouterRules) -> str:
    """What comes most often is decided first, by what costs least: most packets are none of ours.

    What goes to a high port can only be an answer; all ports of mail are low. Comparisons are
    cheaper than the smallest set: the kernel does them in place.
    """
    rules_of = _sampled if rules.sampling > 1 else _exact
    four, six = (rules_of(family, rules) for family in FAMILIES)
    chains = [_chain(f"{name}6", lines) for name, lines in six.items()]
    chains += [_chain(name, lines) for name, lines in four.items()]
    there, back = "@th,16,16", "@th,0,16"
    for name, smtp in (("answers", "sent_answers"), ("low", "low_answers")):
        answers = _by_port(back, smtp, "fetched_answers")
        chains.append(_chain(name, [f"{_FROM_HIGH} accept", *answers]))
    sampling = [f"numgen random mod {rules.sampling} != 0 accept"] if rules.sampling > 1 else []
    gates = [f"{there} {_HIGH} goto answers", *_by_port(there, "sending", "fetching")]
    hook = "type filter hook prerouting priority -290; policy accept;"
    return "\n".join((*chains, _chain("count", [hook, *sampling, *gates, "goto low"])))


def _by_port(side: str, smtp: str, mailbox: str) -> list[str]:
    return [
        *(f"{side} {port} goto {smtp}" for port in SMTP_PORTS),
        *(f"{side} {port} goto {mailbox}" for port in MAILBOX_PORTS),
    ]


def _exact(family: Family, rules: RouterRules) -> dict[str, list[str]]:
    """Every small packet counts, if an answer that carried something was seen in its connection.

    Whoever forges packets is answered with resets and acknowledgements, and those carry nothing.
    A low port may be that of a service, which anybody can call from his port 25; so a host that
    sends from there must be seen to ask.
    """
    version, mine = family.version, _whose(family, rules, "source")
    small = f"{family.is_small} {_ACKNOWLEDGES} {mine}"
    opens, system = f"{_OPENS} {mine}", f"{family.sender} . {family.hops}"
    sent, fetched, one_way = (
        _counts(name, version, family.sender) for name in ("sent", "fetched", "oneway")
    )
    opened, collected = (_counts(name, version, system) for name in ("opened", "collected"))
    asked = f"update @asked{version} {{ {family.flow} }}"
    theirs = _whose(family, rules, "target")
    said, back = f"{_SAYS} {theirs}", family.flow_back
    flow = f'update @flows{version} {{ {back} }} accept comment "an answer that carries something"'
    met = [
        f'{_ACCEPTS} {_serves(family, mine)} comment "takes mail"',
        f'{_ACCEPTS} {theirs} {_met(family)} comment "the server answers"',
    ]
    return {
        "sending": [
            f'{small} {family.flow} @flows{version} {sent} accept comment "small, answered"',
            f'{small} {one_way} accept comment "small, without an answer so far"',
            *_if_ipv6(family, "sending"),
            f'{opens} {opened}{_faces(family)} comment "opens a connection"',
            f'{opens} {_FROM_LOW} {asked} comment "asks"',
            _BOTH_PORTS,
        ],
        "fetching": [
            f'{small} {family.fetch} @flows{version} {fetched} accept comment "small, answered"',
            *_if_ipv6(family, "fetching"),
            f'{opens} {collected} comment "opens a connection"',
            _BOTH_PORTS,
        ],
        "sent_answers": [*_if_ipv6(family, "sent_answers"), f"{said} {flow}", *met],
        "low_answers": [
            *_if_ipv6(family, "low_answers"),
            f"{said} {back} @asked{version} {flow}",
            *met,
        ],
        "fetched_answers": [
            *_if_ipv6(family, "fetched_answers"),
            f'{said} update @flows{version} {{ {family.fetch_back} }} comment "says something"',
        ],
    }


def _sampled(family: Family, rules: RouterRules) -> dict[str, list[str]]:
    """One packet of many is looked at, before anything else: so no connection is known.

    Then the answers count in place of the packets: a server that says something has a connection,
    and it says something once for each command. Who asks and gets no answer is seen one way only.
    Hosts that use a low port are left out, because nobody knows who called whom.
    """
    version, mine = family.version, _whose(family, rules, "source")
    system, one_way = f"{family.sender} . {family.hops}", _counts("oneway", version, family.sender)
    opened, collected = (_counts(name, version, system) for name in ("opened", "collected"))
    hops = f"update @hops{version} {{ {system} }}"
    asked = f"{_FROM_HIGH} {family.is_small} {_ACKNOWLEDGES} {mine} {hops}"
    said = f"{_SAYS} {_whose(family, rules, 'target')}"
    sent, fetched = (_counts(name, version, family.receiver) for name in ("sent", "fetched"))
    answers = [
        f'{_SAYS} {_serves(family, mine)} comment "takes mail"',
        f'{said} {_met(family)} {sent} comment "an answer that carries something"',
    ]
    return {
        "sending": [
            f'{asked} {one_way}{_faces(family)} accept comment "small, answered or not"',
            *_if_ipv6(family, "sending"),
            f'{_OPENS} {mine} {opened} comment "opens a connection"',
            _BOTH_PORTS,
        ],
        "fetching": [
            *_if_ipv6(family, "fetching"),
            f'{_OPENS} {mine} {collected} comment "opens a connection"',
            _BOTH_PORTS,
        ],
        "sent_answers": [*_if_ipv6(family, "sent_answers"), *answers],
        "low_answers": [*_if_ipv6(family, "low_answers"), answers[0]],
        "fetched_answers": [
            *_if_ipv6(family, "fetched_answers"),
            f'{said} {fetched} comment "an answer that carries something"',
        ],
    }


def _if_ipv6(family: Family, name: str) -> Iterator[str]:
    """Leave a chain of IPv4, which all packets come into, for the same one of IPv6."""
    if family.version == 4:
        yield f"{_IPV6} goto {name}6"


def _whose(family: Family, rules: RouterRules, side: str) -> str:
    """Match whose packets count: TCP, of a host inside that is not spared."""
    version, name = family.version, {"source": "saddr", "target": "daddr"}[side]
    matches = [family.is_tcp]
    networks = [one for one in rules.inside if one.version == version]
    if len(networks) == 1:  # a comparison is cheaper than a set
        matches += _starts_with(networks[0], getattr(family, side))
    elif rules.inside:
        matches.append(f"{family.word} {name} @inside{version}")
    if any(one.version == version for one in rules.spared):
        matches.append(f"{family.word} {name} != @spared{version}")
    return " ".join(matches)


def _starts_with(network: IpNetwork, part: str) -> Iterator[str]:
    base, offset, bits = part.split(",")
    if length := network.prefixlen:
        yield f"{base},{offset},{length} {int(network.network_address) >> int(bits) - length}"


def _serves(family: Family, mine: str) -> str:
    """A server inside that answers on port 25: of those outside there are more than a set holds."""
    return f"@th,0,16 25 {mine} update @servers{family.version} {{ {family.sender} }}"


def _met(family: Family) -> str:
    """A server that answers."""
    return f"update @targets{family.version} {{ {family.word} daddr . {family.word} saddr }}"


def _counts(name: str, version: int, host: str) -> str:
    return f"update @{name}{version} {{ {host} counter }}"


def _faces(family: Family) -> str:
    """Note the address itself, where the host is a network; last, because there are so many."""
    return " update @faces6 { ip6 saddr }" if family.version == 6 else ""


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
        f"tcp dport {{ {ports} }} {family.masked} @blocked{version}"
        f" {word} saddr != @spared{version}{inside}"
    )


def _chain(name: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"  chain {name} {{\n{body}\n  }}"
