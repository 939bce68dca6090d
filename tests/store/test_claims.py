"""Room for the hosts of a network, as a claim counts it."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.scope.budget import surrounding
from botprobe.store.claims import AHEAD, NetworkRoom, network_of
from tests.store.conftest import NewStore
from tests.store.test_hosts import DAY, EVERYBODY, LEASE, arrival

# Runs of zeros are where the text of an IPv6 address is shortened.
groups = st.lists(st.sampled_from([0, 0, 0, 1, 0xDB8, 0x2001, 0xFFFF]), min_size=8, max_size=8)
short = groups.map(lambda words: IPv6Address(b"".join(word.to_bytes(2) for word in words)))


class TestNetworkOf:
    @given(st.ip_addresses(v=4))
    def test_is_the_24_of_an_ipv4_address(self, ip: IPv4Address) -> None:
        """By its text, which is how the table has it."""
        assert ip_network(f"{network_of(str(ip))}.0/24") == surrounding(ip)

    @given(st.ip_addresses(v=6) | short)
    def test_is_the_48_of_an_ipv6_address(self, ip: IPv6Address) -> None:
        """However the text is shortened, one network has one name."""
        if ip.ipv4_mapped is None:  # which the table holds as IPv4
            assert ip_network(f"{network_of(str(ip))}::/48") == surrounding(ip)
            assert network_of(str(ip)) == network_of(str(IPv6Address(int(ip) | 1)))


class TestNetworkRoom:
    @given(st.lists(st.integers(0, 1023), max_size=60), st.integers(1, 5), st.integers(0, 20))
    def test_no_network_gets_more_than_its_places(
        self, hosts: list[int], most: int, wanted: int
    ) -> None:
        """Whoever is claimed already counts, and whoever fits keeps his place in the row."""
        ips = [str(ip_address(int(ip_address("198.18.0.0")) + host)) for host in hosts]
        room = NetworkRoom(ips[:10], most)
        found = room.fitting(ips[10:], wanted)

        rest = iter(ips[10:])
        assert all(ip in rest for ip in found)  # in the same order
        assert len(found) <= wanted
        for network in map(network_of, ips):
            already, added = (
                sum(network_of(ip) == network for ip in some) for some in (ips[:10], found)
            )
            assert already + added <= max(most, already)


@pytest.mark.timeout(60)
async def test_a_campaign_of_one_network_does_not_hide_the_others(new_store: NewStore) -> None:
    """Who is due behind a crowd is claimed with the crowd's few, as far as a claim looks."""
    crowd = [ip_address(f"2001:db8:1::{number:x}") for number in range(AHEAD // 2)]
    others = [ip_address(f"198.18.{number}.1") for number in range(5)]
    async with new_store(2) as store:
        await store.take([arrival(str(ip), ip) for ip in crowd], DAY)
        await store.take([arrival(str(ip), ip) for ip in others], DAY)

        claims = await store.claim("one", LEASE, 10, EVERYBODY)

    assert [str(claim.target) for claim in claims[2:]] == list(map(str, others))
    assert len(claims) == 7
