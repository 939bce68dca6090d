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

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9](?:-?[A-Za-z0-9])*+"
_PLAIN = re.compile(rf"({_ATEXT}{{1,64}}(?:\.{_ATEXT}++)*+)@((?:{_LABEL}\.)++[A-Za-z]{{2,63}})")
_ONE = re.compile(r"\s*+(?:\"[^\"\\]*+\"|[^\"<>@,;:()\\]*+)\s*<([^<>\s,\"()]+)>\s*+")


def normalise(address: str) -> str | None:
    """The address in its normal form; None where it is not valid.

    Args:
        address: without angle brackets.
    """
    plain = _PLAIN.fullmatch(address)
    if plain is not None and len(address) <= 254 and len(plain[1]) <= 64 and _fits(plain[2]):
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
    single = _ONE.fullmatch(value)
    if single is not None:
        written = [single[1]]
    elif _PLAIN.fullmatch(value.strip()) is not None:
        written = [value.strip()]
    else:
        written = [address for _, address in getaddresses([_unfold(value)[:_MAX_LIST]])]
    found = dict.fromkeys(normalise(text) or text for text in written[:MAX_ADDRESSES] if text)
    return tuple(found)


def _fits(domain: str) -> bool:
    return len(domain) <= 253 and max(map(len, domain.split("."))) <= 63


def _unfold(value: str) -> str:
    return " ".join(value.split())
