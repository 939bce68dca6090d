"""What a host's name says about its line: a pool of customers, a fixed line, a mail server.

Providers name the addresses of home lines by machine: the address itself, in decimal or hex, in
either order, and words such as ``dsl`` or ``pool``. People name servers by hand. The words are a
list of our own; the conventions are described in draft-msullivan-dnsop-generic-naming-schemes.
"""

import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from botprobe.model.mail import IpAddress

# RFC 1035, section 2.3.4; what is longer is not a name.
MAX_NAME = 255

_WORD = re.compile(r"[345]g(?![a-z])|[a-z]+")

DYNAMIC_WORDS = frozenset(
    _WORD.findall("""
    3g 4g 5g adsl asdl bredband broadband cable cablelink cablemodem cabo catv cdma client clientes
    clients cmts cpe cust customer customers dclient dhcp dial dialin dialup dip docsis dsl dslam
    dyn dynadsl dynamic dynamicip dyndsl dynip fiber fibertel ftth fttb fttx gprs gsm hfc home hsd
    hsdpa ip ipconnect isdn kabel lte mobile modem pool pools ppp pppoe pptp res residential resnet
    rev sub subscriber subscribers umts unassigned user users vdsl wimax wlan xdsl
    """)
)
"""Words that providers give to lines whose address changes hands, or to private customers."""

STATIC_WORDS = frozenset(_WORD.findall("biz business dedicated fixed fixip static staticip statip"))
"""Words for a line with an address of its own."""

MAIL_WORDS = frozenset(
    _WORD.findall("""
    bounce bounces bulk correo edge email esmtp exch exchange imap lists mail mailer mailers
    mailgate mailgw mailhost mailhub mailin mailing mailout mailrelay mails mailserver mbox mda mta
    mx mxs news newsletter outbound outgoing pop poczta post postfix relay relays sendmail smtp
    smtpout webmail zimbra
    """)
)
"""Words that people give to mail servers."""

# A word alone may be a coincidence or a company's name; beside octets of the address it is not.
_WEAK_WORDS = frozenset(_WORD.findall("fiber home ip mobile res rev sub user users"))

_NUMBER = re.compile(r"[0-9]+")
_SEPARATORS = str.maketrans("", "", "-._")
_NOT_HEX = re.compile(r"[^0-9a-f]")


class NameKind(StrEnum):
    """What a name says about the line behind it, best for a server first."""

    MAIL = "mail"
    STATIC = "static"
    PLAIN = "plain"
    """Named by hand, after nothing in particular."""
    GENERIC = "generic"
    """Made from the address, and nothing else is said."""
    DYNAMIC = "dynamic"


def name_kind(name: str, address: IpAddress) -> NameKind:
    """Say what a host name tells about the line of ``address``.

    Args:
        name: any text, as DNS or a HELO gave it.
        address: the address that has, or claims, the name.
    """
    text = name.rstrip(".").lower()
    if not text or len(text) > MAX_NAME:
        return NameKind.PLAIN
    labels = text.split(".")
    # The last two labels are somebody's domain: dyn.com is a company, not a dynamic line.
    words = frozenset(_WORD.findall(".".join(labels[:-2])))
    generic = carries_address(".".join(labels[:-1]), address)
    if words & STATIC_WORDS:
        return NameKind.STATIC
    named_for_mail = MAIL_WORDS & frozenset(_WORD.findall(labels[0])) and not generic
    if not named_for_mail and words & (DYNAMIC_WORDS if generic else DYNAMIC_WORDS - _WEAK_WORDS):
        return NameKind.DYNAMIC
    # Mail services number their relays by address, too: mail-198-51-100-7.example.com.
    if words & MAIL_WORDS:
        return NameKind.MAIL
    return NameKind.GENERIC if generic else NameKind.PLAIN


def carries_address(text: str, address: IpAddress) -> bool:
    """Whether lower-case text spells the address, or enough of it to have been made from it."""
    match address:
        case IPv4Address():
            return _carries_v4(text, address.packed)
        case IPv6Address():
            return _carries_v6(text, address)


def _carries_v4(text: str, octets: bytes) -> bool:
    numbers = [int(number) for number in _NUMBER.findall(text) if len(number) <= 3]
    if len(numbers) >= 3 and _has_octets_in_a_row(numbers, octets):
        return True
    bare = text.translate(_SEPARATORS)
    if len(bare) < 8:
        return False
    backward = octets[::-1]
    decimal = "%03d%03d%03d%03d"
    spelt = (octets.hex(), backward.hex(), decimal % tuple(octets), decimal % tuple(backward))
    return any(digits in bare for digits in spelt)


def _has_octets_in_a_row(numbers: list[int], octets: bytes) -> bool:
    """Look for three of them, in either order: the fourth is often left to the zone."""
    forward, backward = list(octets), list(reversed(octets))
    runs = (forward[:3], forward[1:], backward[:3], backward[1:])
    return any(numbers[i : i + 3] in runs for i in range(len(numbers) - 2))


def _carries_v6(text: str, address: IPv6Address) -> bool:
    digits = f"{int(address):032x}"
    bare = _NOT_HEX.sub("", text)
    # The lower half is the host's own; it may be written without the network's prefix.
    interface = digits[16:].lstrip("0")
    return (
        digits in bare
        or digits[::-1] in bare
        or (len(interface) >= 8 and interface in bare)
        or address.compressed.replace(":", "-") in text
    )
