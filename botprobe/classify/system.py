"""The system of a host, from all who told of it: nmap by its stack, Windows services in words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from botprobe.classify.editions import narrowed_by_dialects, told_by_signs
from botprobe.classify.oscatalog import OsReading, OsRole, read_os
from botprobe.classify.windowsbuilds import BUILDS, Windows, answers_differ, read_windows
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import OsResult, PortState

# nmap asks 12 ports by default. A real server may have ten of those open, SSH beside VNC beside
# RDP on all of them nobody has: that is a middlebox, a tarpit or a honeypot.
LIAR_MIN_PORTS = 8

MAX_TTL = 255
_STARTS = (64, 128, MAX_TTL)
# Of 101 hosts of published scans with two open ports, four showed TTLs one or two apart: other
# ways to the same host. So a TTL of 65, 63 hops from 128, and one of 64 may be one host's.
OTHER_WAYS = 4

_WINDOWS = frozenset({OsRole.CLIENT, OsRole.SERVER})


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What a host runs on, and whether that is one system at all."""

    os: OsReading | None = None
    """None if neither nmap nor a Windows service was asked."""
    open_ports: tuple[int, ...] = ()
    """The ports that nmap found open."""
    answers_everywhere: bool = False
    """Whether every asked port is open: then nothing that the host says is believed."""
    hides_a_windows: bool = False
    """Whether a Windows answers behind the stack of another system."""
    services_differ: bool = False
    """Whether its Windows services belong to several systems."""
    ttls_differ: bool = False
    """Whether its open ports answer with TTLs that no single stack at one distance has."""

    @property
    def is_several(self) -> bool:
        """Whether more than one system answers at the address."""
        return self.hides_a_windows or self.services_differ or self.ttls_differ


def read_system(facts: Facts) -> System:
    """Read the host's system.

    Where both know a Windows, the service's own word counts: newer systems than the database
    knows look like older ones. A build that client and server share leaves the stack's word
    standing if that is one of the two, else it refutes it. A stack of another system stays what
    it is, and a Windows service behind it is another host's. What is open then, signs of one kind
    of edition may settle.
    """
    found = facts.os.result if isinstance(facts.os, Measured) else None
    opened = found.open_ports if found is not None else ()
    if found is not None and answers_everywhere(found):
        return System(open_ports=opened, answers_everywhere=True)
    stack = None if found is None else read_os(found)
    ttls_differ = found is not None and several_stacks(ttl for _, ttl in found.ttls)
    if not isinstance(facts.windows, Measured):
        return System(os=_settled(stack, facts), open_ports=opened, ttls_differ=ttls_differ)
    services = facts.windows.result
    told = read_windows(services)
    differ = answers_differ(services)
    reading = _more_certain(stack, told)
    return System(
        os=reading if differ else _settled(reading, facts),
        open_ports=opened,
        hides_a_windows=_differs_behind(stack, told),
        services_differ=differ,
        ttls_differ=ttls_differ,
    )


def answers_everywhere(result: OsResult) -> bool:
    """Whether all of so many ports are open that no real host has them.

    One that seems filtered may be a packet that was lost.
    """
    states = [state for _, state in result.ports]
    unanswered = states.count(PortState.FILTERED)
    opened = states.count(PortState.OPEN)
    return opened >= LIAR_MIN_PORTS and unanswered <= 1 and opened + unanswered == len(states)


def several_stacks(ttls: Iterable[int]) -> bool:
    """Whether packets that came with these TTLs cannot all be of one stack at one distance.

    A stack starts from 64, 128 or 255 (32 is long gone). Ways to one host may differ by a hop or
    two, so a computer behind a router of its own kind is not told from it.
    """
    seen = set(ttls)
    starts = {next((start for start in _STARTS if ttl <= start), MAX_TTL) for ttl in seen}
    return len(starts) > 1 and max(seen) - min(seen) > OTHER_WAYS


def _more_certain(stack: OsReading | None, told: Windows | None) -> OsReading | None:
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


def _settled(reading: OsReading | None, facts: Facts) -> OsReading | None:
    """Decide between client and server by further signs, where nothing else does."""
    if reading is None or reading.role is not OsRole.AMBIGUOUS or reading.family != "Windows":
        return reading
    sign = told_by_signs(facts)
    if sign is not None:
        names = (f"{reading.name}, {sign.name}",)
        return replace(reading, names=names, role=sign.role, told_by_host=True)
    if isinstance(facts.os, Measured) and isinstance(facts.windows, Measured):
        narrowed = narrowed_by_dialects(facts.os.result, facts.windows.result)
        if narrowed is not None and narrowed.role in _WINDOWS:
            return narrowed
    return reading


def _differs_behind(stack: OsReading | None, told: Windows | None) -> bool:
    """Whether a Windows answers behind a stack that is not one: two systems, one address."""
    if stack is None or told is None:
        return False
    return stack.role is OsRole.OTHER and told.role in _WINDOWS


def _leaves_standing(told: Windows, stack: OsReading) -> bool:
    """Whether a service told of one build that several systems share, the stack's among them."""
    if told.role is not OsRole.AMBIGUOUS or told not in BUILDS.values() or not stack.generation:
        return False
    return re.search(rf"(?<![\w.]){re.escape(stack.generation)}(?![\w.])", told.name) is not None
