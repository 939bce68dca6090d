"""Who must never be probed."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import RefusedByScope
from botprobe.scope.addresses import SPECIAL_PURPOSE, Scope, special_purpose, unmapped


class TestSpecialPurpose:
    @pytest.mark.parametrize(
        "text",
        [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "192.88.99.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::10.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fe80::1%eth0",
            "ff02::1",
        ],
    )
    def test_names_what_is_no_ordinary_public_address(self, text: str) -> None:
        """Every form that the registries set apart is refused, also those Python calls global."""
        assert special_purpose(ip_address(text)) is not None

    @pytest.mark.parametrize("text", ["8.8.4.4", "61.48.71.52", "::ffff:8.8.4.4", "2a00:1450::1"])
    def test_leaves_public_addresses_alone(self, text: str) -> None:
        """An ordinary public address has no special purpose, mapped into IPv6 or not."""
        assert special_purpose(ip_address(text)) is None

    @pytest.mark.parametrize("network", [network for network, _ in SPECIAL_PURPOSE])
    def test_holds_for_both_ends_of_each_range(self, network: str) -> None:
        """The first and the last address of each listed range are refused."""
        block = ip_network(network)

        assert special_purpose(block[0]) is not None
        assert special_purpose(block[-1]) is not None or network == "::ffff:0:0/96"


class TestUnmapped:
    @given(st.ip_addresses(v=4))
    def test_takes_the_address_out_of_its_mapped_form(self, address: IPv4Address) -> None:
        """An IPv4-mapped address is the IPv4 address that it holds."""
        assert unmapped(IPv6Address(f"::ffff:{address}")) == address

    def test_drops_the_zone(self) -> None:
        """A zone says which of our own links is meant, not who the host is."""
        assert unmapped(IPv6Address("fe80::1%eth0")) == IPv6Address("fe80::1")


class TestScope:
    def test_opens_only_what_allow_names(self) -> None:
        """A laboratory opens its own range and no other special-purpose address."""
        scope = Scope(allow=(ip_network("198.18.0.0/15"),))

        assert scope.refusal(ip_address("198.19.255.255")) is None
        assert scope.refusal(ip_address("198.51.100.1")) is not None

    def test_puts_own_networks_and_opt_outs_over_allow(self) -> None:
        """Nothing opens a network of our own, or of somebody who asked to be left alone."""
        lab = ip_network("198.18.0.0/15")
        own, out = ip_network("198.18.1.0/24"), ip_network("198.18.2.0/24")
        scope = Scope(allow=(lab,), own_networks=(own,), opted_out=(out,))

        assert scope.refusal(own[1]) == "own network"
        assert scope.refusal(out[1]) == "opted out"

    def test_sees_through_a_mapped_address(self) -> None:
        """An opted-out IPv4 host is not reachable by writing its address as IPv6."""
        scope = Scope(opted_out=(ip_network("8.8.4.0/24"),))

        assert scope.refusal(ip_address("::ffff:8.8.4.4")) == "opted out"

    def test_require_stops_whoever_would_send(self) -> None:
        """At the socket a forbidden address is an error, and its text says why."""
        scope = Scope()

        scope.require(ip_address("8.8.4.4"))
        with pytest.raises(RefusedByScope, match="refused: private use, RFC 1918"):
            scope.require(ip_address("10.0.0.1"))
