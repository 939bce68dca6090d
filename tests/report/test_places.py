"""Countries from an MMDB file, origins from DNS."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from botprobe.errors import InputError
from botprobe.model.weekly import PlaceCount
from botprobe.report.places import (
    country_lookup,
    origin_name,
    origin_text,
    resolver_for,
    with_origins,
)


class TestCountries:
    def test_reads_an_mmdb_file(self, tmp_path: Path) -> None:
        """Listed addresses have their country, others none, in both families."""
        writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
        writer.insert_network(IPSet(["198.18.0.0/16"]), {"country": {"iso_code": "JP"}})
        writer.insert_network(IPSet(["2001:db8::/32"]), {"country_code": "BR"})
        writer.to_db_file(str(tmp_path / "places.mmdb"))

        locate = country_lookup(tmp_path / "places.mmdb")

        assert locate("198.18.1.1") == "JP"
        assert locate("2001:db8::1") == "BR"
        assert locate("198.19.1.1") is None

    @pytest.mark.parametrize("content", [None, b"", b"no database at all"])
    def test_anything_else_is_refused(self, tmp_path: Path, content: bytes | None) -> None:
        """A missing or foreign file is one line."""
        path = tmp_path / "places.mmdb"
        if content is not None:
            path.write_bytes(content)

        with pytest.raises(InputError, match="cannot read"):
            country_lookup(path)


class _Zone(asyncio.DatagramProtocol):
    """Answers as Cymru's zones do, for one network."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a question."""
        query = dns.message.from_wire(data)
        name = query.question[0].name
        answer = dns.message.make_response(query)
        if str(name) == "0.0.18.198.origin.asn.cymru.com.":
            text = '"64500 64501 | 198.18.0.0/15 | JP | apnic | 2001-01-01"'
            answer.answer = [dns.rrset.from_text(name, 60, "IN", "TXT", text)]
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


@pytest.fixture
async def zone() -> AsyncIterator[int]:
    """The port of such a zone on loopback."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Zone, local_addr=("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


class TestOrigins:
    async def test_adds_what_the_zone_knows(self, zone: int) -> None:
        """A known network gets number and country, an unknown one stays as it is."""
        resolver = resolver_for([ip_address("127.0.0.1")], timeout=5, port=zone)
        places = [
            PlaceCount(name=name, hosts=1, bots=1, delivered=1)
            for name in ("198.18.0.0/24", "2001:db8::/48")
        ]

        found = await with_origins(places, resolver)

        assert [place.origin for place in found] == ["AS64500 JP", ""]

    def test_names(self) -> None:
        """Octets or nibbles backwards, each family in its zone."""
        assert origin_name(ip_address("198.18.2.3")) == "3.2.18.198.origin.asn.cymru.com"
        name = origin_name(ip_address("2001:db8::1"))
        assert name.startswith("1.0.0.0.")
        assert name.endswith("8.b.d.0.1.0.0.2.origin6.asn.cymru.com")

    @given(st.text(max_size=200))
    def test_any_answer_is_harmless(self, answer: str) -> None:
        """Whoever answers writes a short text of known letters, or nothing."""
        assert all(letter.isalnum() or letter == " " for letter in origin_text(answer))
        assert len(origin_text(answer)) <= 15
