"""IP addresses as mail servers spell them."""

import time
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.intake.literals import parse_literal

addresses = st.ip_addresses()


class TestParseLiteral:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1.33672", "192.0.2.1"),
            ("192.0.2.1:33672", "192.0.2.1"),
            ("IPv6:2001:db8::1", "2001:db8::1"),
            ("ipv6:2001:DB8::1", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("fe80::1%11", "fe80::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("IPv6:::ffff:192.0.2.1", "192.0.2.1"),
        ],
    )
    def test_reads_each_spelling(self, text: str, address: str) -> None:
        """Tags, zones, ports and IPv4-mapped addresses all lead to the address that is meant."""
        assert parse_literal(text) == ip_address(address)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "256.1.1.1",
            "111.222.333.444",
            "1.2.3",
            "01.2.3.4",
            "1.2.3.4.5.6",
            "1.2.3.4.",
            "1.2.3.4:123456",
            "٣.2.3.4",
            "1.2.3.4 ",
            "2001:db8",
            "IPv6:192.0.2.1",
            "unknown",
            "::1::",
            ":" * 1000,
            "f" * 100_000,
        ],
    )
    def test_what_is_no_address_is_none(self, text: str) -> None:
        """Impossible octets and half addresses are no address, and no error."""
        assert parse_literal(text) is None

    @given(addresses)
    def test_every_address_is_read_back(self, address: IPv4Address | IPv6Address) -> None:
        """What Python writes is read, IPv4-mapped addresses as IPv4."""
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None

        assert parse_literal(str(address)) == (mapped or address)

    @given(st.text())
    def test_never_fails(self, text: str) -> None:
        """Any text at all is an address or None."""
        assert isinstance(parse_literal(text), IPv4Address | IPv6Address | None)

    def test_a_megabyte_takes_no_time(self) -> None:
        """A hostile literal is not worth a millisecond for each of its characters."""
        start = time.process_time()

        parse_literal("1." * 500_000)
        parse_literal("1:" * 500_000)

        assert time.process_time() - start < 0.5
