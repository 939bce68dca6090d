"""Whose an address is, asked before anything is sent to it: the opt-out file may name its owner.

Neither question reaches the host: MMDB files are read here, the names come from the resolver.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dns.rdatatype import RdataType
from dns.reversename import from_address

from botprobe.errors import ProbeUnavailable
from botprobe.mmdb import MmdbFile
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.probes.resolver import SYSTEM_RESOLVER, Nameservers, ask


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginLookup:
    """Finds out about addresses what the opt-out file asks for."""

    nameservers: Nameservers = SYSTEM_RESOLVER
    files: tuple[MmdbFile, ...] = ()
    """The first that knows the autonomous system counts."""

    async def look_up(self, address: IpAddress) -> Origin:
        """Return all PTR names of an address, and who announces it, as far as that is known."""
        asn = _first(file.look_up(address).asn for file in self.files)
        try:
            records = await ask(
                self.nameservers.resolver(), from_address(str(address)), RdataType.PTR
            )
        except ProbeUnavailable:
            return Origin(asn=asn)
        # All of them: whoever speaks for one of many hosts of an address speaks for the address.
        names = (record.target.to_text(omit_final_dot=True) for record in records)
        return Origin(names=tuple(names), asn=asn)


def _first(numbers: Iterable[int | None]) -> int | None:
    return next((number for number in numbers if number is not None), None)
