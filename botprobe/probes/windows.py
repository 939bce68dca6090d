"""Windows probe: which Windows is it, where nmap's stack match leaves that open?

Client and server editions share stacks, but some services tell the build of their system to anybody
who connects: in an NTLM challenge (RDP, HTTP) or in an anonymous session of SMB version 1; and only
a server is a domain controller, which a connection to its ports shows. Run are only the scripts of
the list below, all of nmap's category *safe*, and only on ports found open; no password is tried.
docs/decisions/0007-windows-told-apart.md says which scripts were left out.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from xml.etree.ElementTree import Element, fromstring
from xml.etree.ElementTree import ParseError as XmlError

from botprobe.classify.editions import DIRECTORY_PORTS
from botprobe.classify.oscatalog import PERFECT, OsRole, read_os
from botprobe.classify.system import answers_everywhere
from botprobe.errors import ParseError, ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.model.results import OsResult, PortState, WindowsAnswer, WindowsResult
from botprobe.model.target import Target
from botprobe.probes.base import Permission
from botprobe.probes.osdetect_nmap import stream_nmap

_SMB = ("smb-os-discovery", "smb-protocols")
# 445 before 139: one of them is enough, and the scripts take the first.
SCRIPTS: Mapping[int, tuple[str, ...]] = {
    445: _SMB,
    139: _SMB,
    3389: ("rdp-ntlm-info",),
    80: ("http-ntlm-info",),
    443: ("http-ntlm-info",),
}
"""Port to the scripts that are run there: no other script is ever run."""

RDP = 3389

# One takes a sixth of a second of processor time, 30 MB, and some seconds of waiting for answers.
# With 8, the last of a crowd's 487 hosts waited for five minutes.
PROCESSES = 24

SMB_1 = "NT LM 0.12"
_DIALECTS = {"202": "2.0.2", "210": "2.1", "300": "3.0", "302": "3.0.2", "311": "3.1.1"}
_NO_DIGIT = re.compile(r"[^0-9]+")
# As many as there are; nmap asks for five more than the oldest one.
MAX_DIALECTS = 8
# An honest product name has 60 letters, a NetBIOS name 15.
MAX_TEXT = 120
_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """What is asked of one host."""

    scripts: tuple[int, ...] = ()
    """Keys of ``SCRIPTS``, found open."""
    ports: tuple[int, ...] = ()
    """Further ports to connect to, without a word."""


def questions_for(seen: OsResult) -> Questions:
    """Choose what may settle what the stack leaves open.

    A stack that is surely a client, a server or no Windows at all has no open question, with one
    exception: RDP on a stack that is no Windows tells of a Windows behind a router.
    """
    if answers_everywhere(seen):
        return Questions()
    asked = tuple(port for port in SCRIPTS if port in seen.open_ports)
    if 445 in asked:
        asked = tuple(port for port in asked if port != 139)
    reading = read_os(seen)
    match reading.role:
        case OsRole.CLIENT | OsRole.SERVER if reading.accuracy >= PERFECT:
            return Questions()
        case OsRole.OTHER:
            return Questions(scripts=tuple(port for port in asked if port == RDP))
        case OsRole.AMBIGUOUS:
            return Questions(scripts=asked, ports=DIRECTORY_PORTS)
        case _:
            return Questions(scripts=asked)


def script_scan(address: IpAddress, questions: Questions) -> tuple[str, ...]:
    """Write nmap's arguments: connections of the kernel, which repeats what is lost on the way."""
    scripts = sorted({script for port in questions.scripts for script in SCRIPTS[port]})
    run = ("--script", ",".join(scripts), "--script-timeout", "30s") if scripts else ()
    ports = sorted({*questions.scripts, *questions.ports})
    return (
        *("-n", "-Pn", "-sT", "--max-retries", "2", "--host-timeout", "60s"),
        *(*run, "-oX", "-", "-p", ",".join(map(str, ports))),
        *(["-6"] if address.version == 6 else []),
        str(address),
    )


def read_answers(raw: bytes, questions: Questions) -> WindowsResult:
    """Read what nmap wrote into a ``host`` element that ``HostStream`` cut out.

    Raises:
        ParseError: it has ports without numbers, or hosts in itself.
    """
    try:
        host = fromstring(raw)  # noqa: S314  # HostStream refused all entities
        return WindowsResult(
            answers=_answers(host, questions.scripts), ports=_states(host, questions.ports)
        )
    except (ValueError, XmlError) as error:
        raise ParseError("an unreadable host in nmap's XML", raw) from error


def _answers(host: Element, ports: Iterable[int]) -> tuple[WindowsAnswer, ...]:
    answers = [
        _answer(_number(port), script)
        for port in host.iterfind("ports/port")
        for script in port.iterfind("script")
    ]
    smb = next((port for port in ports if SCRIPTS[port] == _SMB), None)
    if smb is not None:
        # They run at the same time, and end in any order.
        scripts = sorted(host.iterfind("hostscript/script"), key=lambda one: one.get("id", ""))
        answers += [_answer(smb, script) for script in scripts]
    return tuple(answer for answer in answers if answer is not None)


def _states(host: Element, wanted: Iterable[int]) -> tuple[tuple[int, PortState], ...]:
    """Read the states of ports; one that nmap has no word for is left out."""
    said = {
        _number(port): state.get("state", "")
        for port in host.iterfind("ports/port")
        if (state := port.find("state")) is not None
    }
    known = frozenset(PortState)
    return tuple((port, PortState(said[port])) for port in wanted if said.get(port) in known)


def _number(port: Element) -> int:
    return int(port.get("portid", "0"))


def _answer(port: int, script: Element) -> WindowsAnswer | None:
    name = script.get("id", "")
    if name not in SCRIPTS.get(port, ()):
        return None
    told = {elem.get("key"): elem.text for elem in script.iterfind("elem")}
    version = told.get("Product_Version") or ""
    dialects = (
        _dialect(elem.text or "") for elem in script.iterfind("table[@key='dialects']/elem")
    )
    answer = WindowsAnswer(
        port=port,
        script=name,
        version=version if _VERSION.fullmatch(version) else None,
        product=_text(_product(told.get("os"), told.get("lanmanager"))),
        computer=_text(told.get("NetBIOS_Computer_Name") or told.get("server")),
        dialects=tuple(one for one in islice(dialects, MAX_DIALECTS) if one),
    )
    return answer if answer.version or answer.product or answer.dialects else None


def _product(system: str | None, manager: str | None) -> str | None:
    """Take Samba at its second word: in the first it calls itself a Windows."""
    return manager if manager and "samba" in manager.lower() else system


def _dialect(said: str) -> str | None:
    """Write a dialect as Microsoft does; nmap has written 3.0.2 as 3.02, 302 and 3:0:2."""
    if said.startswith(SMB_1):
        return SMB_1
    digits = _NO_DIGIT.sub("", said).ljust(3, "0")
    return _DIALECTS.get(digits)


def _text(said: str | None) -> str | None:
    # nmap writes the NUL byte that ends a NetBIOS name as the four characters \x00.
    return said.replace("\\x00", "").strip()[:MAX_TEXT] or None if said else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsProbe:
    """Asks some ports of the target which Windows they belong to."""

    permission: Permission
    questions: Questions
    free: asyncio.Semaphore
    """Bounds the processes that run at the same time."""
    program: str = "nmap"
    seconds: float = 90
    """Limit for the process."""

    async def run(self, target: Target) -> WindowsResult:
        """Run the scripts; a service that tells nothing is a result, too.

        Raises:
            ProbeUnavailable: nmap is missing or broke.
            RefusedByScope: the target must not be asked.
        """
        found: list[WindowsResult] = []

        def read(host: bytes, _version: str) -> None:
            found.append(read_answers(host, self.questions))

        async with self.free:
            self.permission.require(target.address)
            problem = await stream_nmap(
                self.program,
                script_scan(target.address, self.questions),
                read,
                seconds=self.seconds,
            )
        if not found:
            raise ProbeUnavailable(problem)
        return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsFollowUp:
    """Decides by a host's stack whether its services are asked, and makes the probe."""

    permission: Permission
    program: str = "nmap"
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROCESSES))
    """Bounds the processes that run at the same time."""

    def __call__(self, seen: OsResult) -> WindowsProbe | None:
        """Return the probe that the stack calls for, None if it leaves nothing open."""
        questions = questions_for(seen)
        if questions == Questions():
            return None
        return WindowsProbe(
            permission=self.permission, questions=questions, free=self.free, program=self.program
        )
