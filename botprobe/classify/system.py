"""The system of a host, from all who told of it: nmap by its stack, Windows services in words."""

import re
from dataclasses import replace

from botprobe.classify.oscatalog import OsReading, OsRole, read_os
from botprobe.classify.windowsbuilds import BUILDS, Windows, answers_differ, read_windows
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured

_WINDOWS = frozenset({OsRole.CLIENT, OsRole.SERVER})


def read_system(facts: Facts) -> OsReading | None:
    """Read the host's system; None if neither nmap nor a Windows service was asked.

    Where both know a Windows, the service's own word counts: newer systems than the database
    knows look like older ones. A build that client and server share leaves the stack's word
    standing if that is one of the two, else it refutes it. A stack of another system stays what
    it is (see ``differs_behind``).
    """
    stack = read_os(facts.os.result) if isinstance(facts.os, Measured) else None
    told = _told(facts)
    if told is None or told.role is OsRole.OTHER:
        return stack
    if stack is not None and (stack.role is OsRole.OTHER or _leaves_standing(told, stack)):
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


def services_differ(facts: Facts) -> bool:
    """Whether its Windows services belong to several systems, again at one address."""
    return isinstance(facts.windows, Measured) and answers_differ(facts.windows.result)


def _leaves_standing(told: Windows, stack: OsReading) -> bool:
    """Whether a service told of one build that several systems share, the stack's among them."""
    if told.role is not OsRole.AMBIGUOUS or told not in BUILDS.values() or not stack.generation:
        return False
    return re.search(rf"(?<![\w.]){re.escape(stack.generation)}(?![\w.])", told.name) is not None


def _told(facts: Facts) -> Windows | None:
    return read_windows(facts.windows.result) if isinstance(facts.windows, Measured) else None
