"""Lists of networks, and the networks of one's own inside."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from botprobe.errors import ConfigError
from botprobe.intake.networks import is_private, is_unroutable, parse_networks


class TestParseNetworks:
    @pytest.mark.parametrize(
        ("texts", "address", "belongs"),
        [
            (("10/8",), "10.1.2.3", True),
            (("1.2/16",), "1.2.255.1", True),
            (("1.2/16",), "1.3.0.1", False),
            (("192.168.",), "192.168.7.7", True),
            (("192.0.2.7",), "192.0.2.7", True),
            (("192.0.2.7/24",), "192.0.2.9", True),
            (("2001:db8::/32",), "2001:db8::1", True),
            (("2001:db8::/32",), "192.0.2.1", False),
            (("!10.0.0.1", "10/8"), "10.0.0.1", False),
            (("10/8", "!10.0.0.1"), "10.0.0.1", True),
            ((), "10.0.0.1", False),
        ],
    )
    def test_the_first_network_that_holds_an_address_decides(
        self, texts: tuple[str, ...], address: str, belongs: bool
    ) -> None:
        """A leading ! excludes, and short forms are SpamAssassin's."""
        assert (ip_address(address) in parse_networks(texts)) is belongs

    @pytest.mark.parametrize("text", ["", "!", "10.0.0.0/33", "mx.example.org", "1.2", "1.2.3.4.5"])
    def test_what_is_no_network_is_refused(self, text: str) -> None:
        """A typing error must not open or close anything in silence."""
        with pytest.raises(ConfigError, match="is not a network"):
            parse_networks((text,))


class TestIsPrivate:
    @pytest.mark.parametrize(
        "address",
        [
            "10.0.0.1",
            "127.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
        ],
    )
    def test_addresses_of_the_inside(self, address: str) -> None:
        """RFC 1918, shared, loopback, link-local and unique local addresses."""
        assert is_private(ip_address(address))

    @pytest.mark.parametrize(
        "address",
        [
            "9.255.255.255",
            "11.0.0.0",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.0",
            "192.0.2.1",
            "2001:0:53aa:64c::1",
            "2002:a00:1::1",
            "2001:db8::1",
            "::2",
            "64:ff9b::a00:1",
        ],
    )
    def test_all_others_are_outside(self, address: str) -> None:
        """Teredo, 6to4 and NAT64 come from outside, whatever they embed."""
        assert not is_private(ip_address(address))


class TestIsUnroutable:
    @pytest.mark.parametrize(
        "address", ["0.1.2.3", "224.0.0.1", "255.255.255.255", "::", "ff02::1"]
    )
    def test_nobody_sends_from_there(self, address: str) -> None:
        """This network, multicast, class E."""
        assert is_unroutable(ip_address(address))

    @pytest.mark.parametrize("address", [IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1")])
    def test_documentation_is_not_impossible(self, address: IPv4Address | IPv6Address) -> None:
        """Samples use these addresses, and laboratories do."""
        assert not is_unroutable(address)
