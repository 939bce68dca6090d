"""A scripted name server on loopback."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from botprobe.probes.resolver import Nameservers

Zone = Mapping[tuple[str, str], list[str] | dns.rcode.Rcode | str | bytes]
"""Records, an error, silence, or the bytes of a reply without its number."""


@dataclass(slots=True)
class NameServer(asyncio.DatagramProtocol):
    """Answers from a table; what is not in it does not exist."""

    zone: Zone = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query."""
        query = dns.message.from_wire(data)
        question = query.question[0]
        key = (question.name.to_text(), dns.rdatatype.to_text(question.rdtype))
        self.asked.append(key)
        reply = dns.message.make_response(query, recursion_available=True)
        match self.zone.get(key, dns.rcode.NXDOMAIN):
            case dns.rcode.Rcode() as rcode:
                reply.set_rcode(rcode)
            case bytes(raw):
                self._send(data[:2] + raw, addr)
                return
            case list(texts):
                reply.answer.extend(_rrsets(key, texts))
            case _:
                return
        self._send(reply.to_wire(), addr)

    def _send(self, raw: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        self.transport.sendto(raw, addr)

    @property
    def nameservers(self) -> Nameservers:
        """Settings that lead here, with little patience."""
        assert self.transport is not None
        port: int = self.transport.get_extra_info("sockname")[1]
        return Nameservers(addresses=(ip_address("127.0.0.1"),), port=port, timeout=0.2)


def _rrsets(key: tuple[str, str], texts: list[str]) -> list[dns.rrset.RRset]:
    """Make records of ``RDATA`` (of the type asked for) or ``OWNER TYPE RDATA``, in order."""
    rrsets = []
    for text in texts:
        owner, kind, rdata = text.split(maxsplit=2) if text.count(" ") >= 2 else (*key, text)
        rrsets.append(dns.rrset.from_text(owner, 60, "IN", kind, rdata))
    return rrsets
