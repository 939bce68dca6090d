"""Mail addresses of ``From``, ``To``, ``Return-Path``, ``Delivered-To``: checked, normalised.

email-validator decides what is an address and how it is written (RFC 5321, 5322, 6531, IDNA); no
DNS is asked. Plain ASCII addresses, nearly all there are, take a shortcut with the same result.
"""

import re
from email.utils import getaddresses

from email_validator import EmailNotValidError, validate_email

MAX_ADDRESSES = 100

# RFC 5321, section 4.5.3.1: 64 octets, "@" and 255; quoting and folding need some more.
_MAX_ADDRESS = 1_000
_MAX_LIST = 16 * 1024

# Of this length neither a local part nor a label of the domain can be too long.
_SHORT = 63

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+"
_PLAIN = rf"({_ATEXT}++(?:\.{_ATEXT}++)*+)@((?:{_LABEL}\.)++[A-Za-z]{{2,}})"
_ADDRESS = re.compile(_PLAIN)
_MAILBOX = re.compile(rf"\s*+(?:(?:\"[^\"\\]*+\"|[^\"<>@,;:()\\]*+)\s*<)?{_PLAIN}>?\s*+")


def normalise(address: str) -> str | None:
    """The address in its normal form; None where it is not valid.

    Args:
        address: without angle brackets.
    """
    plain = _ADDRESS.fullmatch(address)
    if plain is not None and len(plain[1]) <= _SHORT and len(plain[2]) <= _SHORT:
        return f"{plain[1]}@{plain[2].lower()}"
    if len(address) > _MAX_ADDRESS:
        return None
    try:
        checked = validate_email(
            address,
            check_deliverability=False,
            globally_deliverable=False,
            allow_quoted_local=True,
            allow_domain_literal=True,
        )
    except EmailNotValidError:
        return None
    return checked.normalized


def find_addresses(value: str) -> tuple[str, ...]:
    """The addresses of a field such as ``To``: normalised, or as written where not valid."""
    plain = _MAILBOX.fullmatch(value)
    if plain is not None and len(plain[1]) <= _SHORT and len(plain[2]) <= _SHORT:
        return (f"{plain[1]}@{plain[2].lower()}",)
    written = [address for _, address in getaddresses([_unfold(value)[:_MAX_LIST]])]
    return tuple(
        dict.fromkeys(normalise(text) or text for text in written[:MAX_ADDRESSES] if "@" in text)
    )


def _unfold(value: str) -> str:
    return " ".join(value.split())
