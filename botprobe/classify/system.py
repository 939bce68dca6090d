"""The system of a host, from all who told of it: nmap by its stack, Windows services in words."""

from dataclasses import replace

from botprobe.classify.oscatalog import OsReading, OsRole, read_os
from botprobe.classify.windowsbuilds import Windows, read_windows
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured

_WINDOWS = frozenset({OsRole.CLIENT, OsRole.SERVER})


def read_system(facts: Facts) -> OsReading | None:
    """Read the host's system; None if neither nmap nor a Windows service was asked.

    Where both know a Windows, the service's own word counts: newer systems than the database
    knows look like older ones. A stack of another system stays what it is (see
    ``differs_behind``).
    """
    stack = read_os(facts.os.result) if isinstance(facts.os, Measured) else None
    told = _told(facts)
    if told is None or told.role not in _WINDOWS:
        return stack
    if stack is not None and stack.role is OsRole.OTHER:
        return stack
    known = stack if stack is not None else OsReading()
    return replace(
        known,
        names=(told.name,),
        family="Windows",
        generation=None,
        role=told.role,
        told_by_host=True,
    )


def differs_behind(facts: Facts) -> bool:
    """Whether a Windows answers behind a stack that is not one: two systems, one address."""
    if not isinstance(facts.os, Measured):
        return False
    told = _told(facts)
    stack = read_os(facts.os.result)
    return stack.role is OsRole.OTHER and told is not None and told.role in _WINDOWS


def _told(facts: Facts) -> Windows | None:
    return read_windows(facts.windows.result) if isinstance(facts.windows, Measured) else None
