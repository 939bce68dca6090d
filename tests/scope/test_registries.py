"""The scope against the registries of IANA, typed in a second time and in another form.

Sources: iana.org/assignments/iana-ipv4-special-registry, iana-ipv6-special-registry (as of
RFC 6890 and its updates to RFC 9780), multicast-addresses, ipv6-address-space. ``V4`` and ``V6``
hold first and last addresses, so that no mistake of a prefix length can stand in both tables;
``ROWS`` has each row of the two registries with its RFC, also those that lie inside of others.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.scope.addresses import Scope, special_purpose

ROWS = {
    # IANA IPv4 Special-Purpose Address Registry
    "0.0.0.0/8": "RFC 791, 3.2",
    "0.0.0.0/32": "RFC 1122, 3.2.1.3",
    "10.0.0.0/8": "RFC 1918",
    "100.64.0.0/10": "RFC 6598",
    "127.0.0.0/8": "RFC 1122, 3.2.1.3",
    "169.254.0.0/16": "RFC 3927",
    "172.16.0.0/12": "RFC 1918",
    "192.0.0.0/24": "RFC 6890, 2.1",
    "192.0.0.0/29": "RFC 7335",
    "192.0.0.8/32": "RFC 7600",
    "192.0.0.9/32": "RFC 7723",
    "192.0.0.10/32": "RFC 8155",
    "192.0.0.170/32": "RFC 8880; RFC 7050, 2.2",
    "192.0.0.171/32": "RFC 8880; RFC 7050, 2.2",
    "192.0.2.0/24": "RFC 5737",
    "192.31.196.0/24": "RFC 7535",
    "192.52.193.0/24": "RFC 7450",
    "192.88.99.0/24": "RFC 7526",
    "192.88.99.2/32": "RFC 6751",
    "192.168.0.0/16": "RFC 1918",
    "192.175.48.0/24": "RFC 7534",
    "198.18.0.0/15": "RFC 2544",
    "198.51.100.0/24": "RFC 5737",
    "203.0.113.0/24": "RFC 5737",
    "240.0.0.0/4": "RFC 1112, 4",
    "255.255.255.255/32": "RFC 8190; RFC 919, 7",
    # IANA IPv6 Special-Purpose Address Registry
    "::1/128": "RFC 4291",
    "::/128": "RFC 4291",
    "::ffff:0:0/96": "RFC 4291",
    "64:ff9b::/96": "RFC 6052",
    "64:ff9b:1::/48": "RFC 8215",
    "100::/64": "RFC 6666",
    "100:0:0:1::/64": "RFC 9780",
    "2001::/23": "RFC 2928",
    "2001::/32": "RFC 4380; RFC 8190",
    "2001:1::1/128": "RFC 7723",
    "2001:1::2/128": "RFC 8155",
    "2001:1::3/128": "RFC 9665",
    "2001:2::/48": "RFC 5180 and its erratum 1752",
    "2001:3::/32": "RFC 7450",
    "2001:4:112::/48": "RFC 7535",
    "2001:10::/28": "RFC 4843",
    "2001:20::/28": "RFC 7343",
    "2001:30::/28": "RFC 9374",
    "2001:db8::/32": "RFC 3849",
    "2002::/16": "RFC 3056",
    "2620:4f:8000::/48": "RFC 7534",
    "3fff::/20": "RFC 9637",
    "5f00::/16": "RFC 9602",
    "fc00::/7": "RFC 4193; RFC 8190",
    "fe80::/10": "RFC 4291",
    # In other registries of IANA: multicast, and what an RFC took out of use.
    "224.0.0.0/4": "RFC 5771",
    "ff00::/8": "RFC 4291",
    "fec0::/10": "RFC 3879",
    "::/96": "RFC 4291, 2.5.5.1",
}

# Every machine in that cloud talks to it: Microsoft, "What is IP address 168.63.129.16?"
AZURE = "168.63.129.16"
V4 = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    (AZURE, AZURE),
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


@pytest.mark.parametrize("row", ROWS)
@given(st.data())
def test_each_row_of_the_registries_is_refused(row: str, data: st.DataObject) -> None:
    """Both ends and whatever lies between, also of rows that are called globally reachable.

    The mapped form has no end of its own: it is the IPv4 address, which the other test holds.
    """
    network = ip_network(row)
    if row == "::ffff:0:0/96":
        return
    number = data.draw(st.integers(int(network[0]), int(network[-1])))

    for address in (network[0], network[-1], type(network[0])(number)):
        assert special_purpose(address) is not None
        assert Scope().refusal(address) is not None


def test_the_two_tables_agree() -> None:
    """No row of the registries is missing among the ranges, and no range is made up."""
    for row in ROWS:
        network, ranges = ip_network(row), RANGES if ip_network(row).version == 4 else RANGES6
        assert any(low <= int(network[0]) and int(network[-1]) <= high for low, high in ranges)
    for first, last in V4:
        covered = [row for row in ROWS if ":" not in row and ip_address(first) in ip_network(row)]
        assert covered or first == AZURE
        assert first == AZURE or any(str(ip_network(row)[-1]) == last for row in covered)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.booleans())
def test_no_form_that_carries_an_ipv4_address_gets_through(
    number: int, site: int, universal: bool
) -> None:
    """6to4, Teredo, NAT64, compatible, ISATAP: a tunnel would lead where nobody allowed."""
    forms = (
        (0x2002 << 112) | (number << 80),
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),
        (0x0064FF9B << 96) | number,
        (0x0064FF9B0001 << 80) | number,
        number,
        (site << 64) | (0x0200_5EFE if universal else 0x5EFE) << 32 | number,
    )

    assert all(Scope().refusal(IPv6Address(form)) for form in forms)


@pytest.mark.parametrize(
    "text",
    [
        "2002:808:404::1",
        "2001:0:808:404:8000:63bf:3fff:fdd2",  # the server of a Teredo address
        "2001:0:4136:e378:8000:63bf:f7f7:fbfb",  # and its client
        "64:ff9b::8.8.4.4",
        "::8.8.4.4",
        "2a00:1450::5efe:8.8.4.4",
        "2a00:1450::200:5efe:8.8.4.4",
    ],
)
def test_nothing_opens_a_way_to_whom_an_address_carries(text: str) -> None:
    """Whoever allows a tunnel's range still asks nobody inside it who opted out."""
    everything = (ip_network("::/0"), ip_network("0.0.0.0/0"))
    opened = Scope(allow=everything)
    closed = Scope(allow=everything, opted_out=(ip_network("8.8.4.0/24"),))

    assert opened.refusal(ip_address(text)) is None
    assert closed.refusal(ip_address(text)) == "opted out"


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",  # AWS, Azure, Google, Oracle, DigitalOcean, OpenStack
        "169.254.170.2",  # tasks of AWS ECS
        "169.254.170.23",  # pods of AWS EKS
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle, classic
        "168.63.129.16",  # Azure; in no registry
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # pods of AWS EKS
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd20:ce::254",  # Google
        "fd00:42::42",  # Scaleway
        "fe80::a9fe:a9fe",  # OpenStack
        "fe80::a9fe:a9fe%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::",
    ],
)
def test_no_cloud_s_metadata_is_asked(text: str) -> None:
    """Of either IP version, and in no form."""
    assert Scope().refusal(ip_address(text)) is not None
