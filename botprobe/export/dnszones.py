"""Findings as DNS: a list that mail servers ask (RFC 5782), and a policy zone for resolvers.

The list is in the language of rbldnsd(8). The policy zone has ``rpz-ip`` triggers
(draft-vixie-dnsop-dns-rpz): a name that resolves to a listed address resolves to nothing.
"""

import re
from collections.abc import Iterable, Iterator

from botprobe.errors import UsageError
from botprobe.export.base import Publication, entry_comment, instant
from botprobe.model.finding import Finding
from botprobe.model.mail import IpAddress

TTL = 3600
"""Seconds; as long as an answer may be out of date."""

LISTED = "127.0.0.2"

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def rbldnsd_zone(findings: Iterable[Finding], publication: Publication) -> Iterator[str]:
    """Write a dataset for ``rbldnsd ZONE:combined:FILE``, with the test entries of RFC 5782.

    Raises:
        UsageError: the zone has no proper name.
    """
    zone = zone_of(publication.zone)
    yield f"# botprobe, {instant(publication.made)}: zone {zone}\n"
    yield f"$SOA {TTL} ns.{zone} hostmaster.{zone} {_serial(publication)} 3600 900 604800 {TTL}\n"
    yield f"$NS {TTL} ns.{zone}\n$TTL {TTL}\n"
    # Readers find the tests in both halves: an empty half is still asked (section 5).
    sets: dict[int, list[str]] = {
        4: ["127.0.0.2 :2:test entry, RFC 5782\n"],
        6: ["::ffff:7f00:2 :2:test entry, RFC 5782\n"],
    }
    for finding in findings:
        sets[finding.address.version].append(f"{finding.address} :2:{entry_comment(finding)}\n")
    yield "$DATASET ip4set @\n"
    yield from sets[4]
    yield "$DATASET ip6trie @\n"
    yield from sets[6]


def policy_zone(findings: Iterable[Finding], publication: Publication) -> Iterator[str]:
    """Write a master file (RFC 1035, section 5) of a response policy zone.

    Raises:
        UsageError: the zone has no proper name.
    """
    zone = zone_of(publication.zone)
    yield f"; botprobe, {instant(publication.made)}\n$TTL {TTL}\n"
    yield (
        f"{zone}. IN SOA localhost. hostmaster.{zone}. {_serial(publication)} "
        f"3600 900 604800 {TTL}\n{zone}. IN NS localhost.\n"
    )
    for finding in findings:
        yield f"{_trigger(finding.address)}.{zone}. IN CNAME . ; {entry_comment(finding)}\n"


def _serial(publication: Publication) -> int:
    """Return a serial that grows with time and fits 32 bits until 2106."""
    return int(publication.made.timestamp())


def zone_of(name: str, key: str = "--zone") -> str:
    """Read the name of a zone.

    Raises:
        UsageError: it is none.
    """
    zone = name.rstrip(".")
    if len(zone) > 200 or not all(map(_LABEL.fullmatch, zone.split("."))):
        raise UsageError(f"{key}: {name!r} is not the name of a zone")
    return zone


def _trigger(address: IpAddress) -> str:
    if address.version == 4:
        return "32." + ".".join(reversed(str(address).split("."))) + ".rpz-ip"
    # The groups of an IPv6 address in reverse, the longest run of zeros as "zz".
    groups = ["zz" if group == "" else group for group in str(address).split(":")]
    kept = [
        group for place, group in enumerate(groups) if groups.index(group) == place or group != "zz"
    ]
    return "128." + ".".join(reversed(kept)) + ".rpz-ip"
