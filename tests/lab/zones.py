"""The laboratory's DNS data, made from the population: all names, and a block list.

The root zone holds everything, so that any other name gets an authoritative "no such name" at once.
The block list has the test points of RFC 5782, section 5.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from tests.lab.population import Population

_SERVER_NAME = "ns.lab.example"

_START = """\
$TTL 300
{origin} SOA {server} hostmaster.{server} 1 3600 600 86400 60
{origin} NS {server}
"""


def root_zone(population: Population) -> str:
    """Return the root zone: PTR, A, AAAA and MX records."""
    lines = [_start("."), _address_record(_SERVER_NAME, population.settings.dns)]
    for host in population.hosts:
        if host.ptr is None:
            continue
        for address in host.addresses:
            lines.append(f"{address.reverse_pointer}. PTR {_name(host.ptr)}\n")
            if host.forward:
                lines.append(_address_record(host.ptr, address))
        lines += [f"{_name(domain)} MX 10 {_name(host.ptr)}\n" for domain in host.mx]
    return "".join(lines)


def block_list_zone(population: Population) -> str:
    """Return the zone of the laboratory's DNSBL."""
    return _start(_name(population.settings.dnsbl_zone)) + "".join(_listings(population))


def _listings(population: Population) -> Iterator[str]:
    zone = _name(population.settings.dnsbl_zone)
    yield f'2.0.0.127.{zone} A 127.0.0.2\n2.0.0.127.{zone} TXT "test point of RFC 5782"\n'
    for host in population.hosts:
        for address in host.addresses if host.dnsbl else ():
            # Without its last two labels (in-addr.arpa), the pointer is the reversed address.
            listed = f"{address.reverse_pointer.rsplit('.', 2)[0]}.{zone}"
            for answer in host.dnsbl:
                yield f"{listed} A {answer}\n"
            yield f'{listed} TXT "{address} is listed by the laboratory"\n'


def _start(origin: str) -> str:
    return _START.format(origin=origin, server=_name(_SERVER_NAME))


def _address_record(name: str, address: IPv4Address | IPv6Address) -> str:
    return f"{_name(name)} {'A' if address.version == 4 else 'AAAA'} {address}\n"


def _name(text: str) -> str:
    """Return a name as zone files want it: with a final dot, and odd characters as numbers."""
    escaped = re.sub(
        rb"[^A-Za-z0-9_.-]", lambda found: b"\\%03d" % found[0][0], text.rstrip(".").encode()
    )
    return escaped.decode("ascii") + "."
