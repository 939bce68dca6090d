"""Which edition a Windows is, by signs that only one kind of edition shows.

A domain controller is a server: its ports for Kerberos and LDAP are open (Microsoft, "Service
overview and network port requirements for Windows"). So is whoever runs Exchange, or, since Vista,
the SMTP service of IIS, whose greeting gives its version. And the newest SMB dialect tells which
generation it is ([MS-SMB2], appendix A, note on the negotiated dialects), which may leave one
match of nmap standing where several competed.
"""

import re

from botprobe.classify.oscatalog import OsReading, OsRole, read_os
from botprobe.classify.windowsbuilds import Windows
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import OsMatch, OsResult, PortState, SmtpResult, WindowsResult

DIRECTORY_PORTS = (88, 389, 3268)
"""Kerberos, LDAP, and the global catalogue."""
_CONTROLLER = frozenset({88, 389})

_MICROSOFT_SMTP = re.compile(
    r"\S+ Microsoft ESMTP MAIL Service(?:, Version: (\d{1,2}\.\d{1,2}\.\d{1,5}))?.* ready"
)
# IIS 5.0 came with both editions of Windows 2000, 5.1 (whose SMTP calls itself 6.0.2600) with XP.
_EITHER_SMTP, _CLIENT_SMTP = "5.0.2195", "6.0.2600"

_SPEAKERS: dict[str, frozenset[str]] = {
    "2.0.2": frozenset({"Vista", "2008", "Longhorn"}),
    "2.1": frozenset({"7", "2008"}),
    "3.0": frozenset({"8", "2012"}),
    "3.0.2": frozenset({"8.1", "2012"}),
    "3.1.1": frozenset({"10", "11", "2016", "2019", "2022", "2025"}),
}
"""Newest dialect to nmap's generations that speak it. SMB 1 alone tells nothing: that the others
went unanswered may be the network's doing."""


def told_by_signs(facts: Facts) -> Windows | None:
    """Say which edition the signs speak for; None if there is none."""
    windows, smtp = facts.windows, facts.smtp
    if isinstance(windows, Measured) and is_domain_controller(windows.result):
        return Windows("a domain controller", OsRole.SERVER)
    return greeted_by_microsoft(smtp.result) if isinstance(smtp, Measured) else None


def is_domain_controller(result: WindowsResult) -> bool:
    """Whether the ports that every domain controller has open are open."""
    opened = {port for port, state in result.ports if state is PortState.OPEN}
    return opened >= _CONTROLLER


def greeted_by_microsoft(result: SmtpResult) -> Windows | None:
    """Read the greeting of Exchange, or of the SMTP service of IIS."""
    greeting = result.greeting
    match = _MICROSOFT_SMTP.match(greeting.lines[0]) if greeting and greeting.lines else None
    if match is None or match[1] == _EITHER_SMTP:
        return None
    if match[1] == _CLIENT_SMTP:
        return Windows("with the SMTP service of XP", OsRole.CLIENT)
    server = f"the SMTP service {match[1]}" if match[1] else "Exchange's greeting"
    return Windows(f"with {server}", OsRole.SERVER)


def narrowed_by_dialects(stack: OsResult, windows: WindowsResult) -> OsReading | None:
    """Read nmap's matches again without those that cannot speak the SMB which was spoken.

    Returns:
        None if SMB 2 was not spoken, or no match could speak so.
    """
    spoken = {dialect for answer in windows.answers for dialect in answer.dialects}
    newest = next((one for one in reversed(_SPEAKERS) if one in spoken), None)
    if newest is None:
        return None
    speakers = _SPEAKERS[newest]
    matches = tuple(match for match in stack.matches if _generations(match) & speakers)
    return read_os(OsResult(matches=matches)) if matches else None


def _generations(match: OsMatch) -> frozenset[str]:
    return frozenset(osclass.generation or "" for osclass in match.classes)
