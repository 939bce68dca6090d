"""What nmap's words about an operating system mean: a client Windows, a server, or neither.

nmap names fingerprints, not machines. Client and server editions of Windows share TCP/IP stacks
(Vista and Server 2008, 7 and 2008 R2, 10 and Server 2016 and later), so one entry or one tie may
name both. Nobody is called a client on such ground: every competing match must be one.

The vocabulary is that of nmap-os-db (https://nmap.org/book/osdetect-fingerprint-format.html).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from botprobe.model.results import OsClass, OsMatch, OsResult

PERFECT = 100

# Of nmap's 4,055 match points one per cent is 40: two small tests, such as a TTL or one option
# list. Below 95 % several whole tests differ; among published scans such guesses took a
# Server 2008 R2 for Windows 8.1 (92 %) and a Windows 10 for XP (89 %) or Server 2008 R2 (90 %),
# and the database of 7.93 takes a Windows 11 for FreeBSD (94 %).
CONFIDENT = 95

# Per cent are cut, not rounded: a guess one point behind may be half a test away.
GUESS_MARGIN = 1

# What is newer than the database looks like the newest that it knows: to the database of 7.93 a
# Server 2019 is a Windows 10 at 95 %, and a Server 2022 one at 97 %. Only a perfect match counts.
_NEWEST_CLIENTS = frozenset({"10", "11"})

GATEWAY_TYPES = frozenset(
    {
        "bridge",
        "broadband router",
        "firewall",
        "load balancer",
        "proxy server",
        "router",
        "switch",
        "WAP",
    }
)
"""Device types of nmap that stand in front of other hosts and may answer for them."""

GENERAL_PURPOSE = "general purpose"

_DEVICE_FAMILIES = frozenset({"Windows Mobile", "Xbox 360", "Xbox One", "embedded", "MS-DOS"})

_CLIENT_EDITION = re.compile(r"\b(?:professional|workstation)\b", re.IGNORECASE)
_SERVER_EDITION = re.compile(
    r"\b(?:server|AS|advanced_server|datacenter|terminal)\b", re.IGNORECASE
)
_CLIENT_WORDS = re.compile(r"\b(?:XP|Vista|Windows (?:95|98|Me|7|8|8\.1|10|11))\b")
_SERVER_WORDS = re.compile(r"\b(?:Server|2003|2008|2012|2016|2019|2022|2025)\b")
_EDITION_WORDS = re.compile(r"\bWindows (?:NT|2000)\b")
_DEVICE_WORDS = re.compile(r"\b(?:Embedded|POSReady|IoT)\b", re.IGNORECASE)
# Built from XP Embedded, and yet a desktop system: it was sold for old office PCs.
_DESKTOP_FROM_EMBEDDED = "Fundamentals for Legacy PCs"
_ALTERNATIVES = re.compile(r",\s+(?:or\s+)?|\s+or\s+")


class OsRole(StrEnum):
    """What a host's system is made for, as far as nmap's matches agree on it."""

    CLIENT = "client"
    """A client Windows, and nothing else competes."""
    SERVER = "server"
    """A server Windows, and nothing else competes."""
    AMBIGUOUS = "ambiguous"
    """A Windows that may be either, or a tie of Windows with something else."""
    OTHER = "other"
    """Not a client or server Windows: Linux, routers, printers, Windows on a device."""
    UNKNOWN = "unknown"
    """No match, or guesses too weak and too different to be worth a name."""


_GENERATION_ROLES: Mapping[str, OsRole] = {
    **dict.fromkeys(("3.X", "95", "98", "Me", "XP", "Vista", "7"), OsRole.CLIENT),
    **dict.fromkeys(("8", "8.1", "10", "11"), OsRole.CLIENT),
    **dict.fromkeys(("2003", "2008", "2012", "2016", "2019", "2022", "2025"), OsRole.SERVER),
    # Sold as both; the entry's name or CPE may tell which.
    **dict.fromkeys(("NT", "2000"), OsRole.AMBIGUOUS),
    "Longhorn": OsRole.AMBIGUOUS,
    **dict.fromkeys(("PocketPC/CE", "Phone", "Embedded Compact 7"), OsRole.OTHER),
}
"""What nmap's generations of the family Windows stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OsReading:
    """What nmap's matches say together."""

    names: tuple[str, ...] = ()
    """Names of the competing matches, best first, each once."""
    accuracy: int = 0
    """Of the best match, in per cent; 0 without a match."""
    family: str | None = None
    """nmap's OS family (Windows, Linux, ...) where all competing matches agree on it."""
    generation: str | None = None
    """nmap's generation (XP, 2.6.X, ...) where all competing matches agree on it."""
    types: frozenset[str] = frozenset()
    """nmap's device types that every competing match may be."""
    role: OsRole = OsRole.UNKNOWN
    told_by_host: bool = False
    """Whether a service of the host gave the name; the accuracy is the stack's all the same."""

    @property
    def name(self) -> str | None:
        """The first of the names; the others compete with it on equal terms."""
        return self.names[0] if self.names else None

    @property
    def is_gateway(self) -> bool:
        """Whether the stack is that of a box which answers for hosts behind it."""
        return self.role is OsRole.OTHER and bool(self.types) and self.types <= GATEWAY_TYPES

    @property
    def is_device(self) -> bool:
        """Whether the stack is that of an appliance: a printer, a camera, a set-top box."""
        general = GENERAL_PURPOSE in self.types
        return self.role is OsRole.OTHER and bool(self.types) and not general


def read_os(result: OsResult) -> OsReading:
    """Say what the matches that compete for the first place have in common."""
    if not result.matches:
        return OsReading()
    best = max(match.accuracy for match in result.matches)
    rivals = _rivals(result.matches, best)
    return OsReading(
        names=tuple(dict.fromkeys(match.name for match in rivals)),
        accuracy=best,
        family=_agreed({_families(match) for match in rivals}),
        generation=_agreed({_generations(match) for match in rivals}),
        types=frozenset.intersection(*(_types(match) for match in rivals)),
        role=_common_role(rivals, best),
    )


def match_role(match: OsMatch) -> OsRole | None:
    """Say what one entry of nmap's database stands for.

    Returns:
        The role, never UNKNOWN; None for a Microsoft entry whose classes the catalogue does not
        know, which is a gap to be filled here.
    """
    roles = {_class_role(osclass, match.name) for osclass in match.classes}
    if None in roles:
        return None
    if len(roles) != 1:
        return OsRole.AMBIGUOUS if roles else OsRole.OTHER
    role = roles.pop()
    return OsRole.AMBIGUOUS if _name_contradicts(match, role) else role


def _rivals(matches: Iterable[OsMatch], best: int) -> list[OsMatch]:
    if best >= PERFECT:
        worst = best
    elif best >= CONFIDENT:
        worst = best - GUESS_MARGIN
    else:
        worst = 0
    rivals = [match for match in matches if match.accuracy >= worst]
    return sorted(rivals, key=lambda match: -match.accuracy)


def _common_role(rivals: list[OsMatch], best: int) -> OsRole:
    roles = {match_role(match) for match in rivals}
    windows = roles <= {OsRole.CLIENT, OsRole.SERVER, OsRole.AMBIGUOUS}
    if best < CONFIDENT or roles == {None}:
        return OsRole.AMBIGUOUS if windows else OsRole.UNKNOWN
    if roles == {OsRole.CLIENT} and best < PERFECT and _names_newest(rivals):
        return OsRole.AMBIGUOUS
    role = roles.pop()
    return OsRole.AMBIGUOUS if roles or role is None else role


def _names_newest(rivals: list[OsMatch]) -> bool:
    return any(_generations(match) & _NEWEST_CLIENTS for match in rivals)


def _class_role(osclass: OsClass, name: str) -> OsRole | None:
    if osclass.vendor != "Microsoft" or osclass.family in _DEVICE_FAMILIES:
        return OsRole.OTHER
    role = _GENERATION_ROLES.get(osclass.generation or "") if osclass.family == "Windows" else None
    if role is not None and osclass.type not in {None, "", GENERAL_PURPOSE}:
        return OsRole.OTHER
    match role:
        case OsRole.CLIENT:
            return _desktop_or_device(name)
        case OsRole.AMBIGUOUS:
            return _edition_role(osclass, name)
        case _:
            return role


def _desktop_or_device(name: str) -> OsRole:
    """Tell a desktop from Windows Embedded, which runs tills, NAS boxes and medical imagers.

    Such an appliance is nobody's client computer, so the strict reading of Endo's rule
    does not cover it, although it shares the stack.
    """
    if not _DEVICE_WORDS.search(name) or _DESKTOP_FROM_EMBEDDED in name:
        return OsRole.CLIENT
    embedded = [bool(_DEVICE_WORDS.search(part)) for part in _ALTERNATIVES.split(name)]
    if all(embedded):
        return OsRole.OTHER
    return OsRole.AMBIGUOUS if any(embedded) else OsRole.CLIENT


def _edition_role(osclass: OsClass, name: str) -> OsRole:
    words = " ".join((name, *osclass.cpe)).replace(":", " ")
    client, server = _CLIENT_EDITION.search(words), _SERVER_EDITION.search(words)
    if client and not server:
        return OsRole.CLIENT
    if server and not client:
        return OsRole.SERVER
    return OsRole.AMBIGUOUS


def _name_contradicts(match: OsMatch, role: OsRole | None) -> bool:
    """Whether the name mentions what the classes leave out, as happens in the database."""
    if role is OsRole.SERVER:
        return bool(_CLIENT_WORDS.search(match.name))
    if role is not OsRole.CLIENT:
        return False
    classed = _generations(match) & {"NT", "2000"}
    return bool(
        _SERVER_WORDS.search(match.name) or (_EDITION_WORDS.search(match.name) and not classed)
    )


def _families(match: OsMatch) -> frozenset[str]:
    return frozenset(osclass.family for osclass in match.classes)


def _generations(match: OsMatch) -> frozenset[str]:
    return frozenset(osclass.generation or "" for osclass in match.classes)


def _types(match: OsMatch) -> frozenset[str]:
    return frozenset(osclass.type for osclass in match.classes if osclass.type)


def _agreed(values: set[frozenset[str]]) -> str | None:
    named = {name for value in values for name in value}
    return named.pop() or None if len(named) == 1 else None
