"""Tests of the network probe against a scripted name server on loopback."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import RefusedByScope
from botprobe.mmdb import open_mmdb
from botprobe.model.results import NetworkResult
from botprobe.model.target import Target
from botprobe.probes.network import NetworkProbe, read_origin
from tests.probes.conftest import FakePermission
from tests.probes.nameserver import NameServer
from tests.test_mmdb import mmdb

HOST = Target(ip_address("198.18.0.1"))
NAME = "1.0.18.198.origin.asn.cymru.com."


class TestReadOrigin:
    @pytest.mark.parametrize(
        ("answers", "result"),
        [
            (
                ["64500 | 198.18.0.0/15 | JP | apnic | 2009-01-01"],
                NetworkResult(asn=64500, prefix="198.18.0.0/15", country="JP"),
            ),
            (
                [
                    "64500 | 198.18.0.0/15 | JP | a | ",
                    "64501 64502 | 198.18.0.0/24 | US | a | ",
                ],
                NetworkResult(asn=64501, prefix="198.18.0.0/24", country="US"),
            ),
            (
                ["64500 | 198.18.0.0/15 |  | apnic | "],
                NetworkResult(asn=64500, prefix="198.18.0.0/15"),
            ),
            (["64500 | 192.0.2.0/24 | JP | apnic | "], NetworkResult()),
            (["64500 | 198.18.0.0/99 | JP | apnic | "], NetworkResult()),
            (["NA | NA | NA | NA"], NetworkResult()),
            ([], NetworkResult()),
        ],
    )
    def test_takes_the_narrowest_network_that_holds_the_address(
        self, answers: list[str], result: NetworkResult
    ) -> None:
        """As routers do; what is no answer of the zone tells nothing."""
        assert read_origin(HOST.address, answers) == result

    @given(st.lists(st.text(max_size=60), max_size=12))
    def test_never_fails(self, answers: list[str]) -> None:
        """Whoever answers for the zone may say anything."""
        assert isinstance(read_origin(HOST.address, answers), NetworkResult)


class TestNetworkProbe:
    async def test_asks_the_zone(self, server: NameServer, permission: FakePermission) -> None:
        """The address is reversed under the zone of its IP version."""
        text = '"64500 | 198.18.0.0/15 | JP | apnic | 2009-01-01"'
        server.zone = {(NAME, "TXT"): [f"{NAME} TXT {text}"]}
        probe = NetworkProbe(permission=permission, nameservers=server.nameservers)

        result = await probe.run(HOST)

        assert (result.asn, result.country) == (64500, "JP")
        assert server.asked == [(NAME, "TXT")]

    async def test_an_unannounced_address_is_nobodys(
        self, server: NameServer, permission: FakePermission
    ) -> None:
        """NXDOMAIN is an answer."""
        probe = NetworkProbe(permission=permission, nameservers=server.nameservers)

        assert await probe.run(HOST) == NetworkResult()

    async def test_asks_nothing_about_a_refused_host(self, server: NameServer) -> None:
        """Who opted out is not mentioned to third parties."""
        permission = FakePermission(refused=frozenset({HOST.address}))
        probe = NetworkProbe(permission=permission, nameservers=server.nameservers)

        with pytest.raises(RefusedByScope):
            await probe.run(HOST)
        assert server.asked == []

    async def test_a_file_spares_the_question(
        self, server: NameServer, permission: FakePermission, tmp_path: Path
    ) -> None:
        """What a file knows, nobody else is asked for."""
        file = open_mmdb(mmdb(tmp_path / "f", {"198.18.0.0/16": {"asn": 64500, "country": "JP"}}))
        probe = NetworkProbe(permission=permission, files=(file,), nameservers=server.nameservers)

        assert await probe.run(HOST) == NetworkResult(
            asn=64500, prefix="198.18.0.0/16", country="JP"
        )
        assert server.asked == []

    async def test_what_the_files_leave_open_is_asked(
        self, server: NameServer, permission: FakePermission, tmp_path: Path
    ) -> None:
        """A file of countries beside the zone's networks; the file's word comes first."""
        server.zone = {(NAME, "TXT"): [f'{NAME} TXT "64500 | 198.18.0.0/15 | JP | apnic | "']}
        file = open_mmdb(mmdb(tmp_path / "file", {"198.18.0.0/16": {"country_code": "US"}}))
        probe = NetworkProbe(permission=permission, files=(file,), nameservers=server.nameservers)

        assert await probe.run(HOST) == NetworkResult(
            asn=64500, prefix="198.18.0.0/15", country="US"
        )

    async def test_files_alone_ask_nobody(self, permission: FakePermission, tmp_path: Path) -> None:
        """Two files of one maker: one of networks, one of countries."""
        networks = open_mmdb(
            mmdb(tmp_path / "networks", {"198.18.0.0/15": {"autonomous_system_number": 64500}})
        )
        countries = open_mmdb(
            mmdb(tmp_path / "countries", {"198.18.0.0/16": {"country": {"iso_code": "JP"}}})
        )
        probe = NetworkProbe(permission=permission, files=(networks, countries))

        assert await probe.run(HOST) == NetworkResult(
            asn=64500, prefix="198.18.0.0/15", country="JP"
        )
