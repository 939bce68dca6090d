"""Mail addresses of ``From``, ``To``, ``Return-Path``, ``Delivered-To``: checked, normalised.

email-validator decides what is an address and how it is written (RFC 5321, 5322, 6531, IDNA); no
DNS is asked. Plain ASCII addresses, nearly all there are, take a shortcut with the same result.
"""

import re

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

MAX_ADDRESSES = 100

# RFC 5321, section 4.5.3.1: 64 octets, "@" and 255; quoting and folding need some more.
_MAX_ADDRESS = 1_000
_MAX_LIST = 16 * 1024

# Of this length neither a local part nor a label of the domain can be too long.
_SHORT = 63

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[A-Za-z0-9]++(?>(?:-[A-Za-z0-9]++)*)"
_PLAIN = rf"({_ATEXT}++(?>(?:\.{_ATEXT}++)*))@((?>(?:{_LABEL}\.)+)([A-Za-z]{{2,}}))"
_ADDRESS = re.compile(_PLAIN)
_MAILBOX = re.compile(rf"\s*+(?:(?:\"[^\"\\]*+\"|[^\"<>@,;:()\\]*+)\s*<)?{_PLAIN}>?\s*+")
_SPECIAL_TOP = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)

# Quoted string, comment, address in angle brackets, separator, other text, a mark on its own.
_PART = re.compile(
    r"\"(?>(?:[^\"\\]++|\\.)*)\"|\((?>(?:[^()\\]++|\\.|\([^()]*+\))*)\)|<[^<>]*+>|[,;]|[^\"(),;<>]++|.",
    re.DOTALL,
)


def normalise(address: str) -> str | None:
    """The address in its normal form; None where it is not valid.

    Args:
        address: without angle brackets.
    """
    plain = _ADDRESS.fullmatch(address)
    if plain is not None and (short := _normal(plain)) is not None:
        return short
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
    if plain is not None and (short := _normal(plain)) is not None:
        return (short,)
    written = [text for text in _split_list(value[:_MAX_LIST]) if "@" in text]
    return tuple(dict.fromkeys(normalise(text) or text for text in written[:MAX_ADDRESSES]))


def _normal(plain: re.Match[str]) -> str | None:
    """What email-validator gives for a plain address; None where only it can tell."""
    local, domain, top = plain.groups()
    if len(local) > _SHORT or len(domain) > _SHORT or top.lower() in _SPECIAL_TOP:
        return None
    return f"{local}@{domain.lower()}"


def _split_list(value: str) -> list[str]:
    """The text of each address of a list; email.utils fails on nested comments."""
    found: list[str] = []
    text, angle = "", None
    for part in [*_PART.findall(value), ","]:
        if part in (",", ";"):
            found.append(angle if angle is not None else text.rpartition(":")[2])
            text, angle = "", None
        elif part[0] == "<" and len(part) > 1:
            angle = part[1:-1]
        elif part[0] != "(":
            text += part
    return [_word_with_at(text) for text in found]


def _word_with_at(text: str) -> str:
    """The address of a text; a quoted local part may hold spaces."""
    if '"' in text:
        return text.strip()
    return next((word for word in text.split() if "@" in word), "")
