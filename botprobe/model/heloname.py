"""By which name a host may introduce itself in EHLO (RFC 5321, sections 4.1.1.1 and 4.1.2)."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

# RFC 5321, section 4.5.3.1.2, and RFC 1035, section 2.3.4, in octets.
_MAX_DOMAIN, _MAX_LABEL = 255, 63

# Machines' names may have underscores, which the RFC knows nothing of.
_LABEL = rf"(?!-)[A-Za-z0-9_-]{{1,{_MAX_LABEL}}}(?<!-)"
_DOMAIN = re.compile(rf"(?=.{{1,{_MAX_DOMAIN}}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_V6_TAG = "ipv6:"


def is_helo_name(text: str) -> bool:
    """Say whether EHLO can give this name: a domain, or an address literal such as ``[192.0.2.1]``.

    An address without brackets is none: whoever is greeted by one takes the client for a bot.
    """
    if text.startswith("[") and text.endswith("]"):
        return _is_literal(text[1:-1])
    return _DOMAIN.fullmatch(text) is not None and not _is_v4(text)


def _is_literal(text: str) -> bool:
    if not text.lower().startswith(_V6_TAG):
        return _is_v4(text)
    try:
        return IPv6Address(text[len(_V6_TAG) :]).scope_id is None
    except AddressValueError:
        return False


def _is_v4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True
