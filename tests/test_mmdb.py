"""Networks and countries from MMDB files of several makers."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from botprobe.doctor import State
from botprobe.doctor import _guarded as guarded
from botprobe.doctor import _networks as networks_check
from botprobe.errors import InputError
from botprobe.mmdb import country_of, open_mmdb
from botprobe.model.results import NetworkResult
from botprobe.settings import NetworkTable, Settings

V4, V6 = ip_address("198.18.1.1"), ip_address("2001:db8::1")


def mmdb(path: Path, records: Mapping[str, Any], version: int = 6) -> Path:
    """Write an MMDB file."""
    writer = MMDBWriter(ip_version=version, ipv4_compatible=version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


class TestLookUp:
    @pytest.mark.parametrize(
        ("record", "asn", "country"),
        [
            ({"country": {"iso_code": "JP"}}, None, "JP"),  # GeoLite2-Country, DB-IP
            ({"autonomous_system_number": 64500}, 64500, None),  # GeoLite2-ASN, DB-IP
            ({"asn": "AS64500", "country": "JP", "as_name": "X"}, 64500, "JP"),  # IPinfo
            ({"asn": "64500", "country_code": "JP"}, 64500, "JP"),
            ({"asn": "AS", "country": "Japan"}, None, None),
            ({"autonomous_system_number": 2**32}, None, None),
            ({"autonomous_system_number": True, "country": ["JP"]}, None, None),
        ],
    )
    def test_reads_the_layouts_of_all_makers(
        self, tmp_path: Path, record: Mapping[str, Any], asn: int | None, country: str | None
    ) -> None:
        """A field of another layout, or no such value, is unknown."""
        file = open_mmdb(mmdb(tmp_path / "file", {"198.18.0.0/16": record}))
        prefix = "198.18.0.0/16" if asn else None

        assert file.look_up(V4) == NetworkResult(asn=asn, prefix=prefix, country=country)
        assert file.look_up(V6) == NetworkResult()

    async def test_the_doctor_tells_its_age(self, tmp_path: Path) -> None:
        """Networks change hands; a missing file is found before a run needs it."""
        file = mmdb(tmp_path / "asn.mmdb", {"198.18.0.0/16": {"asn": 64500}})
        today = open_mmdb(file).built
        checks = [
            await guarded(networks_check, Settings(network=NetworkTable(mmdb=(str(path),))))
            for path in (file, tmp_path / "none")
        ]
        there, missing = checks

        assert (there.state, there.says) == (State.GOOD, f"asn.mmdb of {today}")
        assert missing.state is State.BAD
        assert missing.says.endswith("none: No such file or directory")

    def test_reads_ipv6(self, tmp_path: Path) -> None:
        """The network is the one that the record stands for."""
        file = open_mmdb(mmdb(tmp_path / "file", {"2001:db8::/36": {"asn": 64500}}))

        assert file.look_up(V6) == NetworkResult(asn=64500, prefix="2001:db8::/36")

    def test_a_file_of_ipv4_knows_no_ipv6(self, tmp_path: Path) -> None:
        """To ask it is no error."""
        file = open_mmdb(mmdb(tmp_path / "file", {"198.18.0.0/16": {"asn": 64500}}, version=4))

        assert file.look_up(V6) == NetworkResult()
        assert file.look_up(V4).prefix == "198.18.0.0/16"

    def test_a_damaged_record_is_unknown(self, tmp_path: Path) -> None:
        """A file that is broken in the middle ends no run."""
        path = mmdb(tmp_path / "file", {"198.18.0.0/16": {"country": {"iso_code": "JP"}}})
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"Gcountry", b"\xff\xffountry"))

        assert path.read_bytes() != whole
        assert open_mmdb(path).look_up(V4) == NetworkResult()

    @pytest.mark.parametrize("content", [None, b"", b"no database at all"])
    def test_anything_else_is_refused(self, tmp_path: Path, content: bytes | None) -> None:
        """A missing or foreign file is one line, which names it once."""
        path = tmp_path / "file"
        if content is not None:
            path.write_bytes(content)

        with pytest.raises(InputError, match="cannot read") as caught:
            open_mmdb(path)
        assert str(caught.value).count(str(path)) == 1

    @given(
        st.recursive(
            st.none() | st.text() | st.integers(),
            lambda x: st.dictionaries(
                st.sampled_from(["country", "country_code", "iso_code"]), x, max_size=3
            ),
        )
    )
    def test_a_country_is_two_letters(self, record: Any) -> None:
        """Whatever a record holds, only a country code comes out of it."""
        country = country_of(record)

        assert country is None or (len(country) == 2 and country.isupper())
