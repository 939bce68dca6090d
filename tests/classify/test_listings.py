"""Tests of what the answers of block lists mean."""

from ipaddress import IPv4Address

import pytest

from botprobe.classify.listings import Listing, read_listings, read_zones
from botprobe.errors import ConfigError
from botprobe.model.results import DnsblAnswer, DnsblResult
from tests.classify.builders import shipped_weights

ZEN = "zen.spamhaus.org"
ZONES = shipped_weights().zones


def listed(*codes: str, zone: str = ZEN, failed: str | None = None) -> set[Listing]:
    """What one answer with these codes says."""
    addresses = tuple(IPv4Address(code) for code in codes)
    answer = DnsblAnswer(zone=zone, codes=addresses, failed=failed)
    return set(read_listings(DnsblResult(answers=(answer,)), ZONES))


class TestReadListings:
    @pytest.mark.parametrize(
        ("codes", "listings"),
        [
            ((), set()),
            (("127.0.0.2",), {Listing.SPAM_SOURCE}),
            (("127.0.0.4",), {Listing.EXPLOITED}),
            (("127.0.0.7",), {Listing.EXPLOITED}),
            (("127.0.0.11",), {Listing.POLICY}),
            (("127.0.0.4", "127.0.0.10"), {Listing.EXPLOITED, Listing.POLICY}),
        ],
    )
    def test_each_code_has_its_meaning(
        self, codes: tuple[str, ...], listings: set[Listing]
    ) -> None:
        """One answer may hold several records, and each says its own."""
        assert listed(*codes) == listings

    @pytest.mark.parametrize("code", ["127.255.255.252", "127.255.255.254", "127.255.255.255"])
    def test_refused_query_is_never_a_listing(self, code: str) -> None:
        """Nine projects got this wrong, and blocked the whole Internet."""
        assert listed(code) == set()
        assert listed(code, "127.0.0.4") == set()

    @pytest.mark.parametrize("code", ["127.0.0.1", "127.0.0.99", "127.1.0.4", "203.0.113.4"])
    def test_code_without_a_meaning_is_no_listing(self, code: str) -> None:
        """A provider that answers every name with its own web server lists nobody."""
        assert listed(code) == set()

    def test_unknown_zone_and_failed_look_up_list_nobody(self) -> None:
        """No meaning, no evidence."""
        assert listed("127.0.0.4", zone="unheard.of.example") == set()
        assert listed("127.0.0.4", failed="timed out") == set()

    def test_zone_is_compared_as_a_name(self) -> None:
        """DNS names have no case, and may end in a dot."""
        assert listed("127.0.0.4", zone="ZEN.Spamhaus.org.") == {Listing.EXPLOITED}


class TestReadZones:
    @pytest.mark.parametrize("code", ["127.255.255.254", "127.0.0.0/7", "8.8.8.8", "127.0.0", "4"])
    def test_refuses_codes_that_cannot_be_listings(self, code: str) -> None:
        """A refusal, another network or no address at all is a slip of the configuration."""
        with pytest.raises(ConfigError) as caught:
            read_zones({"dnsbl.example": {code: Listing.POLICY}})

        assert "dnsbl.example" in str(caught.value)

    def test_shipped_zones_never_list_the_test_point_that_must_not_be(self) -> None:
        """RFC 5782: 127.0.0.1 is not listed anywhere."""
        refused = IPv4Address("127.0.0.1")

        assert ZONES
        assert not [
            meaning
            for meanings in ZONES.values()
            for meaning in meanings
            if refused in meaning.codes
        ]
