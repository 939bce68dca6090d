"""What a client's HELO gives away (RFC 5321, sections 2.3.5 and 4.1.3).

A mail server introduces itself with its own full name. Bots make one up, and few take the pains.
"""

import re
from enum import StrEnum
from ipaddress import ip_address

from botprobe.classify.addressnames import MAX_NAME, NameKind, name_kind
from botprobe.classify.mailfunction import same_name
from botprobe.model.mail import IpAddress

_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]{2,45})\]", re.IGNORECASE)
# Servers of these providers introduce themselves with longer names. Of the listed clients in one
# published log that got as far as a HELO, every fifth (8 of 40) said one of these.
_FREEMAIL = re.compile(
    r"(?:aol|gmail|googlemail|hotmail|icloud|live|me|msn|outlook|yahoo|ymail)\.com"
)
_LOCAL_ENDINGS = (".local", ".lan", ".localdomain", ".home", ".internal", ".home.arpa")


class HeloForm(StrEnum):
    """Forms of a HELO argument."""

    LOCALHOST = "localhost"
    FOREIGN_ADDRESS = "foreign-address"
    """An address, bare or in brackets, that is not the client's own."""
    PRIVATE_ADDRESS = "private-address"
    """A literal of the private network behind a NAT: a mail program, or a bot."""
    BARE_ADDRESS = "bare-address"
    """The client's own address without the brackets that RFC 5321 demands."""
    LITERAL = "literal"
    """The client's own address in brackets: allowed, and unusual for a server."""
    FREEMAIL = "freemail"
    """The bare domain of a provider of mailboxes."""
    UNQUALIFIED = "unqualified"
    """The name of a computer, not of a host on the Internet."""
    DYNAMIC = "dynamic"
    """A name made from the address, or of a line for customers."""
    NAME = "name"
    """A full name like any other."""


def helo_form(helo: str, address: IpAddress) -> HeloForm:
    """Say which form the HELO of the client at ``address`` has; any text is taken."""
    text = same_name(helo.strip()[: MAX_NAME + 1])
    literal = _LITERAL.fullmatch(text)
    given = _as_address(literal[1] if literal else text)
    if given is not None:
        return _address_form(given, address, in_brackets=literal is not None)
    if text == "localhost" or text.startswith("localhost."):
        return HeloForm.LOCALHOST
    if _FREEMAIL.fullmatch(text):
        return HeloForm.FREEMAIL
    if "." not in text or text.endswith(_LOCAL_ENDINGS):
        return HeloForm.UNQUALIFIED
    if name_kind(text, address) in {NameKind.DYNAMIC, NameKind.GENERIC}:
        return HeloForm.DYNAMIC
    return HeloForm.NAME


def _address_form(given: IpAddress, address: IpAddress, *, in_brackets: bool) -> HeloForm:
    if given.is_loopback:
        return HeloForm.LOCALHOST
    if given == address:
        return HeloForm.LITERAL if in_brackets else HeloForm.BARE_ADDRESS
    # Only a hint about a home network; no packet depends on it, so Python's table will do.
    if in_brackets and given.is_private:
        return HeloForm.PRIVATE_ADDRESS
    return HeloForm.FOREIGN_ADDRESS


def _as_address(text: str) -> IpAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
