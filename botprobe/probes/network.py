"""Network probe: who announces the address, and in which country it is registered.

MMDB files are read first; they tell nobody. What they leave open, Team Cymru's DNS zones
(https://www.team-cymru.com/ip-asn-mapping) are asked through the configured resolver, only if the
operator wants it: they learn which addresses interest us. The answer is no evidence; it tells whom
to write to.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network

from dns.name import from_text
from dns.rdatatype import RdataType
from dns.reversename import from_address

from botprobe.mmdb import MmdbFile
from botprobe.model.mail import IpAddress
from botprobe.model.results import NetworkResult
from botprobe.model.target import Target
from botprobe.probes.base import Permission
from botprobe.probes.resolver import Nameservers, ask

ZONES = {4: "origin.asn.cymru.com.", 6: "origin6.asn.cymru.com."}

# "3333 | 193.0.0.0/21 | NL | ripencc | 1993-09-01"; an address may have several origins.
_ANSWER = re.compile(
    r"([0-9]{1,10})(?: [0-9]{1,10})* \| ([0-9a-f.:]{2,45}/[0-9]{1,3}) \| ([A-Z]{2})?"
)
MAX_TEXT = 200
MAX_ANSWERS = 8


def read_origin(address: IpAddress, answers: list[str]) -> NetworkResult:
    """Read the texts of the zone: the longest prefix counts, as it does for routers."""
    found = []
    for text in answers[:MAX_ANSWERS]:
        match = _ANSWER.match(text[:MAX_TEXT])
        if match is None:
            continue
        try:
            network = ip_network(match[2])
        except ValueError:
            continue
        if address in network:
            result = NetworkResult(asn=int(match[1]), prefix=str(network), country=match[3])
            found.append((network.prefixlen, result))
    return max(found, key=lambda pair: pair[0])[1] if found else NetworkResult()


def joined(results: Iterable[NetworkResult]) -> NetworkResult:
    """Join what several sources say; the first that knows a thing counts."""
    asn = prefix = country = None
    for result in results:
        if asn is None and result.asn is not None:
            asn, prefix = result.asn, result.prefix
        country = country or result.country
    return NetworkResult(asn=asn, prefix=prefix, country=country)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkProbe:
    """Looks the target up in files, and in Team Cymru's zones."""

    permission: Permission
    files: tuple[MmdbFile, ...] = ()
    nameservers: Nameservers | None = None
    """Whom to ask for Team Cymru's zones; None does not ask."""

    async def run(self, target: Target) -> NetworkResult:
        """Look the address up.

        Raises:
            ProbeUnavailable: there is no resolver, or it cannot tell.
            RefusedByScope: nothing about the target may be asked.
        """
        address = target.address
        self.permission.require(address)
        known = joined(file.look_up(address) for file in self.files)
        if self.nameservers is None or (known.asn is not None and known.country is not None):
            return known
        return joined((known, await _ask_cymru(self.nameservers, address)))


async def _ask_cymru(nameservers: Nameservers, address: IpAddress) -> NetworkResult:
    zone = from_text(ZONES[address.version])
    name = from_address(str(address), v4_origin=zone, v6_origin=zone)
    records = await ask(nameservers.resolver(), name, RdataType.TXT)
    texts = [b"".join(record.strings).decode("ascii", "replace") for record in records]
    return read_origin(address, texts)
