"""IP addresses as mail servers spell them (RFC 5321, section 4.1.3, and worse).

Understood are ``1.2.3.4``, ``IPv6:2001:db8::1``, bare IPv6, ``::ffff:1.2.3.4``, ``fe80::1%eth0``,
``1.2.3.4:25`` and ``1.2.3.4.25`` (address and port). Impossible octets are no address.
"""

from ipaddress import AddressValueError, IPv4Address, IPv6Address

from botprobe.model.mail import IpAddress

# "IPv6:" and eight groups, the last two dotted, and a zone; what is longer is no address.
MAX_LITERAL = 5 + 45 + 1 + 32


_OCTETS = {str(number): number for number in range(256)}


def parse_literal(text: str) -> IpAddress | None:
    """Read an address literal without its brackets; None where it is none.

    An IPv4-mapped IPv6 address is given as the IPv4 address that it means, and a zone is dropped.
    """
    if ":" not in text:
        return _parse_v4(text)
    if len(text) > MAX_LITERAL:
        return None
    address, _, port = text.rpartition(":")
    if ":" not in address and "." in address and _is_port(port):
        return _parse_v4(address)
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    try:
        v6 = IPv6Address(text.partition("%")[0])
    except AddressValueError:
        return None
    return v6.ipv4_mapped or v6


def _parse_v4(text: str) -> IPv4Address | None:
    parts = text.split(".", 4)
    if len(parts) == 5 and _is_port(parts[4]):
        del parts[4]
    if len(parts) != 4:
        return None
    try:
        first, second, third, fourth = [_OCTETS[part] for part in parts]
    except KeyError:
        return None
    return IPv4Address(first << 24 | second << 16 | third << 8 | fourth)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5
