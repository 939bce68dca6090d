"""Where addresses are: countries from an MMDB file, origins of networks from Team Cymru's DNS.

An MMDB file tells nobody. The DNS zones (https://www.team-cymru.com/ip-asn-mapping) learn which
networks we ask for; hence only those that a report lists are asked for, and only if the operator
wants it.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.resolver import NoResolverConfiguration

from botprobe.errors import ConfigError
from botprobe.mmdb import open_mmdb
from botprobe.model.mail import IpAddress
from botprobe.model.text import visible
from botprobe.model.weekly import PlaceCount

Locate = Callable[[str], str | None]

# Origin lines are short; a longer one is no answer of that zone.
MAX_TEXT = 120

_ORIGIN = re.compile(r"([0-9]{1,10})(?: [0-9]+)* \| [0-9a-f.:/]+ \| ([A-Z]{2})?")


def country_lookup(path: Path) -> Locate:
    """Return a look-up of countries (ISO 3166 codes) in an MMDB file.

    Raises:
        ConfigError: the package that reads such files is not installed.
        InputError: the file cannot be read.
    """
    file = open_mmdb(path)
    return lambda ip: file.country(ip_address(ip))


def resolver_for(nameservers: Sequence[IpAddress], timeout: float, port: int = 53) -> Resolver:
    """Return a resolver; without name servers that of the system.

    Raises:
        ConfigError: the system has none.
    """
    try:
        resolver = Resolver(configure=not nameservers)
    except NoResolverConfiguration as error:
        raise ConfigError(
            "report.cymru: this system has no resolver; set dns.nameservers"
        ) from error
    if nameservers:
        resolver.nameservers = [str(address) for address in nameservers]
        resolver.port = port
    resolver.lifetime = timeout
    return resolver


async def with_origins(places: Sequence[PlaceCount], resolver: Resolver) -> tuple[PlaceCount, ...]:
    """Add number and country of the autonomous system to each network, where it is known."""
    origins = await asyncio.gather(*(_origin(place.name, resolver) for place in places))
    return tuple(
        replace(place, origin=origin) for place, origin in zip(places, origins, strict=True)
    )


def origin_name(address: IpAddress) -> str:
    """Write the name in Cymru's zones that tells the origin of an address."""
    if isinstance(address, IPv4Address):
        octets = ".".join(reversed(str(address).split(".")))
        return f"{octets}.origin.asn.cymru.com"
    nibbles = ".".join(reversed(address.exploded.replace(":", "")))
    return f"{nibbles}.origin6.asn.cymru.com"


def origin_text(answer: str) -> str:
    """Read an answer of the origin zone, an empty text if it is none."""
    match = _ORIGIN.match(answer[:MAX_TEXT])
    return visible(f"AS{match[1]} {match[2] or ''}".strip()) if match else ""


async def _origin(network: str, resolver: Resolver) -> str:
    name = origin_name(ip_network(network).network_address)
    try:
        answer = await resolver.resolve(name, "TXT")
    except DNSException:
        return ""
    return origin_text(b"".join(answer[0].strings).decode("ascii", "replace"))
