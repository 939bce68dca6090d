"""The scope against the registries of IANA, typed in a second time and in another form.

Sources: iana.org/assignments/iana-ipv4-special-registry, iana-ipv6-special-registry (as of
RFC 6890 and its updates to RFC 9780), multicast-addresses, ipv6-address-space. Each is written
as first and last address, so that no mistake of a prefix length can stand in both tables.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.scope.addresses import Scope

V4 = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),  # Azure, "What is IP address 168.63.129.16?"
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.31.196.0", "192.31.196.255"),
    ("192.52.193.0", "192.52.193.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("192.175.48.0", "192.175.48.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
]
V6 = [
    ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # holds ::1, v4-mapped, 64:ff9b::, 100::
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),  # 5f00::, fc00::, fe80::, ff00::
]
RANGES = [(int(ip_address(first)), int(ip_address(last))) for first, last in V4]
RANGES6 = [(int(ip_address(first)), int(ip_address(last))) for first, last in V6]
MAPPED = int(ip_address("::ffff:0.0.0.0"))

# Borders are where tables go wrong; a draw from the whole of IPv6 seldom meets one.
near4 = st.sampled_from([edge for pair in RANGES for edge in pair])
near6 = st.sampled_from([edge for pair in RANGES6 for edge in pair])
steps = st.integers(-300, 300)


def within(number: int, ranges: list[tuple[int, int]]) -> bool:
    """Say whether a number is in one of the ranges."""
    return any(first <= number <= last for first, last in ranges)


@given(st.integers(0, 2**32 - 1) | st.builds(int.__add__, near4, steps))
def test_refuses_what_the_registry_of_ipv4_reserves(number: int) -> None:
    """And nothing else, in either of the two forms that mean the same host."""
    number %= 2**32
    reserved = within(number, RANGES)

    assert (Scope().refusal(IPv4Address(number)) is not None) == reserved
    assert (Scope().refusal(IPv6Address(MAPPED + number)) is not None) == reserved


@given(st.integers(0, 2**128 - 1) | st.builds(int.__add__, near6, steps))
def test_refuses_what_the_registry_of_ipv6_reserves(number: int) -> None:
    """And nothing else, but for the addresses that are IPv4 in another form."""
    number %= 2**128
    if MAPPED <= number < MAPPED + 2**32:
        return

    assert (Scope().refusal(IPv6Address(number)) is not None) == within(number, RANGES6)


@given(st.integers(0, 2**32 - 1))
def test_no_form_that_carries_an_ipv4_address_gets_through(number: int) -> None:
    """6to4, Teredo, NAT64, compatible: a tunnel would lead somewhere that nobody allowed."""
    forms = (
        (0x2002 << 112) | (number << 80),
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),
        (0x0064FF9B << 96) | number,
        (0x0064FF9B0001 << 80) | number,
        number,
    )

    assert all(Scope().refusal(IPv6Address(form)) for form in forms)


@pytest.mark.parametrize(
    "text",
    [
        *("169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200"),
        *("192.0.0.192", "168.63.129.16"),
    ],
)
def test_no_cloud_s_metadata_is_asked(text: str) -> None:
    """Of AWS, Google, Alibaba, Oracle and Azure; the last stands in no registry."""
    assert Scope().refusal(ip_address(text)) is not None
