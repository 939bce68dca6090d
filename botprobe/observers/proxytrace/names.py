"""Which names an address has, learnt from the capture itself, and how else it can be written."""

import re
from collections.abc import Iterable
from ipaddress import ip_address

import dns.exception
import dns.message
import dns.rdatatype

from botprobe.model.mail import IpAddress
from botprobe.observers.packets.segments import Datagram

DNS_PORT = 53
MAX_NAMES = 50_000
MAX_NAMES_OF_ONE = 16


class Names:
    """The addresses of names, and the names of addresses."""

    def __init__(self) -> None:
        """Begin with none."""
        self._names: dict[IpAddress, set[str]] = {}
        self._addresses: dict[str, set[IpAddress]] = {}
        self.unread = 0

    def learn(self, datagram: Datagram) -> None:
        """Take a datagram; only answers of a name server teach anything."""
        if (
            datagram.sport != DNS_PORT
            or len(datagram.payload) < 12
            or not datagram.payload[2] & 0x80
        ):
            return
        try:
            message = dns.message.from_wire(datagram.payload, ignore_trailing=True)
            asked = [question.name.to_text(omit_final_dot=True) for question in message.question]
            for rrset in message.answer:
                if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                    found = {
                        rrset.name.to_text(omit_final_dot=True),
                        *asked,
                    }  # a CNAME between them
                    for item in rrset:
                        self.add(found, ip_address(item.address))
        except (dns.exception.DNSException, ValueError):
            self.unread += 1

    def add(self, names: Iterable[str], address: IpAddress) -> None:
        """Remember the names of an address."""
        for name in names:
            text = name.lower()
            if len(self._addresses) >= MAX_NAMES and text not in self._addresses:
                return
            of_address = self._names.setdefault(address, set())
            if len(of_address) < MAX_NAMES_OF_ONE:
                of_address.add(text)
                self._addresses.setdefault(text, set()).add(address)

    def of(self, address: IpAddress) -> frozenset[str]:
        """Return the names of an address."""
        return frozenset(self._names.get(address, ()))

    def addresses(self, name: str) -> frozenset[IpAddress]:
        """Return the addresses of a name."""
        return frozenset(self._addresses.get(name.lower(), ()))


def spellings(address: IpAddress, names: Iterable[str] = ()) -> dict[str, bytes]:
    """Write an address in every way that an unknown order may use, by the name of the way."""
    number = int(address)
    packed = address.packed
    ways = {
        "dotted" if address.version == 4 else "text": str(address).encode(),
        "binary": packed,
        "hex": packed.hex().encode(),
        "decimal": str(number).encode(),
    }
    return ways | {f"name {name}": name.encode("ascii", "replace") for name in names if name}


def find_destination(data: bytes, address: IpAddress, names: Iterable[str] = ()) -> str | None:
    """Say in which way an address stands in some bytes; None if in none.

    Digits must not go on where the spelling ends: 192.0.2.1 is not in 192.0.2.10.
    """
    for way, spelling in spellings(address, names).items():
        if way == "binary":
            if spelling in data:
                return way
        elif re.search(
            rb"(?<![0-9a-z.])" + re.escape(spelling) + rb"(?![0-9a-z-]|\.[0-9a-z])",
            data,
            re.IGNORECASE,
        ):
            return way
    return None
