"""What the answers of DNS block lists mean: each zone has its codes, and each code its meaning.

A code without a meaning is an error of ours or theirs, never a listing. Addresses in
127.255.255.0/24 say "query refused" or "limit reached" in the zones of Spamhaus and others; to read
them as listings is the most common mistake of all that ask such lists.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from botprobe.errors import ConfigError
from botprobe.model.results import DnsblResult

CODES = IPv4Network("127.0.0.0/8")
"""RFC 5782, section 2.1: where all answers of block lists are."""
REFUSALS = IPv4Network("127.255.255.0/24")
"""Answers that say "no": of Spamhaus and others, and never a listing."""


class Listing(StrEnum):
    """What a list says of an address."""

    EXPLOITED = "exploited"
    """Infected, hijacked or an open proxy (Spamhaus XBL)."""
    POLICY = "policy"
    """A line of customers that should not deliver mail itself (Spamhaus PBL)."""
    SPAM_SOURCE = "spam-source"
    """Has sent spam (Spamhaus SBL, SpamCop)."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A range of codes and what it stands for."""

    codes: IPv4Network
    listing: Listing


Zones = Mapping[str, tuple[Meaning, ...]]
"""Zone, in lower case and without a final dot, to the meanings of its codes."""


def read_zones(table: Mapping[str, Mapping[str, Listing]]) -> Zones:
    """Read zones as a configuration gives them: zone, code or range of codes, meaning.

    Raises:
        ConfigError: a code is no address of 127.0.0.0/8, or means a refusal.
    """
    return {
        zone.rstrip(".").lower(): tuple(
            Meaning(_read_codes(zone, codes), listing) for codes, listing in meanings.items()
        )
        for zone, meanings in table.items()
    }


def read_listings(result: DnsblResult, zones: Zones) -> Mapping[Listing, tuple[str, ...]]:
    """Say which zones list the address as what; a code that its zone does not define is none."""
    found: dict[Listing, list[str]] = {}
    for answer in result.answers:
        if answer.failed is None:
            meanings = zones.get(answer.zone.rstrip(".").lower(), ())
            for listing in _listings(answer.codes, meanings):
                found.setdefault(listing, []).append(answer.zone)
    return {listing: tuple(names) for listing, names in found.items()}


def _listings(codes: Iterable[IPv4Address], meanings: Iterable[Meaning]) -> set[Listing]:
    given = frozenset(codes)
    if any(code in REFUSALS for code in given):
        return set()
    return {meaning.listing for meaning in meanings if any(code in meaning.codes for code in given)}


def _read_codes(zone: str, text: str) -> IPv4Network:
    try:
        codes = IPv4Network(text)
    except ValueError as error:
        raise ConfigError(f"DNSBL {zone}: {text!r} is no code") from error
    if not codes.subnet_of(CODES) or codes.overlaps(REFUSALS):
        raise ConfigError(f"DNSBL {zone}: {text} cannot be a listing")
    return codes
