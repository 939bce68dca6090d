"""Whose an address is, asked of the resolver and of files before a packet goes to the host."""

from ipaddress import ip_address
from pathlib import Path

from botprobe.mmdb import open_mmdb
from botprobe.model.origin import Origin
from botprobe.probes.origin import OriginLookup
from tests.probes.nameserver import NameServer
from tests.test_mmdb import mmdb

HOST = ip_address("198.18.0.1")
REVERSE = "1.0.18.198.in-addr.arpa."


class TestOriginLookup:
    async def test_tells_all_names_and_the_system(self, server: NameServer, tmp_path: Path) -> None:
        """Every PTR counts, confirmed or not: whoever asks to be left alone is believed."""
        names = [f"host{number}.example.net." for number in range(9)]
        server.zone = {(REVERSE, "PTR"): names}
        opened = tuple(
            open_mmdb(mmdb(tmp_path / next(iter(record)), {"198.18.0.0/16": record}))
            for record in ({"country": "DE"}, {"asn": 64500})
        )

        found = await OriginLookup(nameservers=server.nameservers, files=opened).look_up(HOST)

        assert found.asn == 64500
        assert sorted(found.names or ()) == [name.rstrip(".") for name in names]
        assert server.asked == [(REVERSE, "PTR")]

    async def test_no_name_is_an_answer(self, server: NameServer) -> None:
        """An address without a PTR belongs to no domain; its system is not known."""
        found = await OriginLookup(nameservers=server.nameservers).look_up(HOST)

        assert found == Origin(names=(), asn=None)

    async def test_a_silent_resolver_tells_nothing(self, server: NameServer) -> None:
        """Not to know the name is not the same as that there is none."""
        server.zone = {(REVERSE, "PTR"): "silence"}

        found = await OriginLookup(nameservers=server.nameservers).look_up(HOST)

        assert found == Origin(names=None, asn=None)

    async def test_follows_a_delegated_reverse_zone(self, server: NameServer) -> None:
        """Owners of less than a /24 have their names behind a CNAME (RFC 2317)."""
        alias = "1.0-25.0.18.198.in-addr.arpa."
        server.zone = {
            (REVERSE, "PTR"): [f"{REVERSE} CNAME {alias}", f"{alias} PTR mx.example.net."]
        }

        found = await OriginLookup(nameservers=server.nameservers).look_up(HOST)

        assert found.names == ("mx.example.net",)
