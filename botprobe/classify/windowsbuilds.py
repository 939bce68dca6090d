"""Which Windows a version or a product name belongs to, where a service tells it by itself.

Client and server systems of one build stay ambiguous. Sources: Microsoft's "Windows 10 release
information", "Windows 11 release information", "Windows Server release information" (Microsoft
Learn) and "Operating System Version" (Win32 documentation).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from botprobe.classify.oscatalog import OsRole
from botprobe.model.results import WindowsAnswer, WindowsResult


@dataclass(frozen=True, slots=True)
class Windows:
    """A Windows and what it is made for."""

    name: str
    role: OsRole


_CLIENT, _SERVER, _EITHER = OsRole.CLIENT, OsRole.SERVER, OsRole.AMBIGUOUS

# The Semi-Annual Channel of Windows Server (versions 1709 to 20H2) shared builds with Windows 10,
# but was a container host without a desktop, and has been out of support since August 2022: those
# builds are read as clients.
BUILDS: Mapping[str, Windows] = {
    "5.0.2195": Windows("Windows 2000", _EITHER),
    "5.1.2600": Windows("Windows XP", _CLIENT),
    # XP Professional x64 Edition is a Server 2003 by its build.
    "5.2.3790": Windows("Windows Server 2003 or XP x64", _EITHER),
    # Server 2008 came out as Service Pack 1, with 6001.
    "6.0.6000": Windows("Windows Vista", _CLIENT),
    "6.0.6001": Windows("Windows Vista SP1 or Server 2008", _EITHER),
    "6.0.6002": Windows("Windows Vista SP2 or Server 2008 SP2", _EITHER),
    "6.0.6003": Windows("Windows Vista SP2 or Server 2008 SP2", _EITHER),
    "6.1.7600": Windows("Windows 7 or Server 2008 R2", _EITHER),
    "6.1.7601": Windows("Windows 7 SP1 or Server 2008 R2 SP1", _EITHER),
    "6.2.9200": Windows("Windows 8 or Server 2012", _EITHER),
    "6.3.9600": Windows("Windows 8.1 or Server 2012 R2", _EITHER),
    "10.0.10240": Windows("Windows 10 1507", _CLIENT),
    "10.0.10586": Windows("Windows 10 1511", _CLIENT),
    "10.0.14393": Windows("Windows 10 1607 or Server 2016", _EITHER),
    "10.0.15063": Windows("Windows 10 1703", _CLIENT),
    "10.0.16299": Windows("Windows 10 1709", _CLIENT),
    "10.0.17134": Windows("Windows 10 1803", _CLIENT),
    "10.0.17763": Windows("Windows 10 1809 or Server 2019", _EITHER),
    "10.0.18362": Windows("Windows 10 1903", _CLIENT),
    "10.0.18363": Windows("Windows 10 1909", _CLIENT),
    "10.0.19041": Windows("Windows 10 2004", _CLIENT),
    "10.0.19042": Windows("Windows 10 20H2", _CLIENT),
    "10.0.19043": Windows("Windows 10 21H1", _CLIENT),
    "10.0.19044": Windows("Windows 10 21H2", _CLIENT),
    "10.0.19045": Windows("Windows 10 22H2", _CLIENT),
    "10.0.20348": Windows("Windows Server 2022", _SERVER),
    "10.0.22000": Windows("Windows 11 21H2", _CLIENT),
    "10.0.22621": Windows("Windows 11 22H2", _CLIENT),
    "10.0.22631": Windows("Windows 11 23H2", _CLIENT),
    "10.0.25398": Windows("Windows Server 23H2", _SERVER),
    "10.0.26100": Windows("Windows 11 24H2 or Server 2025", _EITHER),
    "10.0.26200": Windows("Windows 11 25H2", _CLIENT),
}
"""Product version, major.minor.build, to the systems that carry it."""

_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,6})(?![0-9])")
_SAMBA = re.compile(r"\bsamba\b", re.IGNORECASE)
_SERVER_PRODUCT = re.compile(
    r"\bWindows (?:Server|Storage Server|2000 Server|.*\bSmall Business)\b"
)
# Over SMB, XP gives its version for a name.
_CLIENT_PRODUCT = re.compile(
    r"\bWindows (?:5\.1|XP|Vista|7|8|8\.1|10|11|2000 Professional)\b(?!.*\bServer\b)"
)
# What installers call a computer whose owner does not: Windows 10 and 11; Vista and 7, after the
# first user; Windows Server since 2016 (older ones shared the form with clients set up by image).
_DEFAULT_NAMES = (
    ("Windows 1", re.compile(r"DESKTOP-[0-9A-Z]{7}|LAPTOP-[0-9A-Z]{8}", re.IGNORECASE), _CLIENT),
    ("Windows 1", re.compile(r"WIN-[0-9A-Z]{11}", re.IGNORECASE), _SERVER),
    ("Windows Vista", re.compile(r".{1,12}-PC", re.IGNORECASE), _CLIENT),
    ("Windows 7", re.compile(r".{1,12}-PC", re.IGNORECASE), _CLIENT),
)


def read_windows(result: WindowsResult) -> Windows | None:
    """Say which Windows the services belong to.

    Returns:
        None if they told nothing that is known. Answers that differ make it ambiguous: then
        several computers stand behind one address.
    """
    readings = _readings(result)
    if not readings:
        return None
    if answers_differ(result):
        names = dict.fromkeys(reading.name for reading in readings)
        return Windows(" and ".join(names), OsRole.AMBIGUOUS)
    # A product's name decides what a shared build leaves open.
    return next((one for one in readings if one.role is not OsRole.AMBIGUOUS), readings[0])


def answers_differ(result: WindowsResult) -> bool:
    """Whether the services belong to several computers, which one address stands for."""
    builds = {build for answer in result.answers if (build := _build(answer)) is not None}
    decided = {reading.role for reading in _readings(result)} - {OsRole.AMBIGUOUS}
    return len(builds) > 1 or len(decided) > 1


def _readings(result: WindowsResult) -> list[Windows]:
    return [reading for answer in result.answers if (reading := _read_answer(answer))]


def _read_answer(answer: WindowsAnswer) -> Windows | None:
    product = answer.product or ""
    if _SAMBA.search(product):
        return Windows("Samba", OsRole.OTHER)
    if _SERVER_PRODUCT.search(product):
        return Windows(product, OsRole.SERVER)
    if _CLIENT_PRODUCT.search(product):
        return Windows(product, OsRole.CLIENT)
    known = BUILDS.get(_build(answer) or "")
    if known is None or known.role is not OsRole.AMBIGUOUS:
        return known
    for name, form, role in _DEFAULT_NAMES:
        if known.name.startswith(name) and form.fullmatch(answer.computer or ""):
            return Windows(f"{known.name}, called {answer.computer}", role)
    return known


def _build(answer: WindowsAnswer) -> str | None:
    version = _VERSION.match(answer.version or "")
    return ".".join(str(int(part)) for part in version.groups()) if version else None
