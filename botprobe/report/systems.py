"""The classes of systems that the study drew (Endo 2009), and those that came after it."""

from enum import StrEnum

from botprobe.classify.oscatalog import OsRole
from botprobe.model.verdict import Label
from botprobe.model.weekly import Standing

_UP_TO_XP = frozenset({"3.X", "95", "98", "Me", "NT", "2000", "XP"})

_WINDOWS = frozenset({OsRole.CLIENT, OsRole.SERVER, OsRole.AMBIGUOUS})


class SystemClass(StrEnum):
    """What a host's system is called in a figure; the first in the order of the study's."""

    OLD_WINDOWS = "Windows 95~XP"
    CLIENT_WINDOWS = "Windows Vista~11"
    SOME_CLIENT_WINDOWS = "Windows client, version not told"
    SERVER_WINDOWS = "Windows Server"
    AMBIGUOUS_WINDOWS = "Windows, client or server"
    LINUX = "Linux"
    OTHER = "other"


class Step(StrEnum):
    """How far the investigation of an address came; each address is at exactly one."""

    TOLD = "system told"
    NOT_TOLD = "probed, system not told"
    NOT_MEASURED = "probed, system not measured"
    UNREACHABLE = "unreachable"
    REFUSED = "not probed, refused"
    NOT_ASKED = "not asked"


def step_of(standing: Standing) -> Step:
    """Say how far the investigation of a host came."""
    if standing.label is None:
        return Step.NOT_ASKED
    if standing.refused is not None:
        return Step.REFUSED
    if system_class(standing) is not None:
        return Step.TOLD
    if standing.label is Label.UNREACHABLE:
        return Step.UNREACHABLE
    return Step.NOT_MEASURED if standing.role is None else Step.NOT_TOLD


def was_asked(standing: Standing) -> bool:
    """Say whether the host was investigated: packets were sent and a verdict was made."""
    return standing.label is not None and standing.refused is None


def system_class(standing: Standing) -> SystemClass | None:
    """Sort a system into a class; None is "not told", which is neither Linux nor Windows."""
    match standing.role:
        case OsRole.CLIENT:
            return _client_class(standing.generation)
        case OsRole.SERVER:
            return SystemClass.SERVER_WINDOWS
        case OsRole.AMBIGUOUS:
            return SystemClass.AMBIGUOUS_WINDOWS
        case OsRole.OTHER:
            return SystemClass.LINUX if standing.family == "Linux" else SystemClass.OTHER
        case _:
            return None


def _client_class(generation: str | None) -> SystemClass:
    if generation is None:
        return SystemClass.SOME_CLIENT_WINDOWS
    old = generation in _UP_TO_XP
    return SystemClass.OLD_WINDOWS if old else SystemClass.CLIENT_WINDOWS


def system_name(standing: Standing) -> str | None:
    """Name family and generation in nmap's words, None for a system that is not told."""
    if system_class(standing) is None:
        return None
    if standing.family is None:
        return "several systems look alike"
    return f"{standing.family} {standing.generation or '(generation not told)'}"


def label_of(standing: Standing) -> str | None:
    """Return the label of an investigated host, None of any other."""
    return str(standing.label) if was_asked(standing) else None


def class_of(standing: Standing) -> str | None:
    """Return the class of a system that was told, None of any other."""
    found = system_class(standing) if was_asked(standing) else None
    return None if found is None else str(found)


def is_windows(standing: Standing) -> bool:
    """Whether the system is a Windows for desktops or servers."""
    return was_asked(standing) and standing.role in _WINDOWS


def is_ambiguous(standing: Standing) -> bool:
    """Whether nmap's matches leave open if it is a client or a server."""
    return was_asked(standing) and standing.role == OsRole.AMBIGUOUS
