"""The nmap program: is it there and fit for use, how is it called, and how does it always end?

Each nmap leads a process group of its own, which is killed as a whole when its time is over or
nobody waits for it any longer. Addresses and ports are written into its arguments from numbers, so
nothing that an attacker wrote gets there.
"""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address, ip_address
from logging import getLogger
from pathlib import Path

from botprobe.errors import ParseError, ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.model.results import OsResult
from botprobe.probes.osdetect_xml import HostStream, read_host

OLDEST = (7, 80)
OnHost = Callable[[IpAddress, OsResult], None]
OnRawHost = Callable[[bytes, str], None]
"""Takes a ``host`` element as nmap wrote it, and nmap's version; may raise ParseError."""

# Client and server releases of Windows that only younger databases tell from Windows 10.
_RECENT_SYSTEMS = ("Windows 11", "Windows Server 2019", "Windows Server 2022")
_CHUNK = 64 * 1024
_CHECK_SECONDS = 10

# The kernel ends nmap with us, even after SIGKILL (PR_SET_PDEATHSIG); it costs a millisecond. One
# with capabilities on its file is exempt (prctl(2)), and ends by its own host timeout.
_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")

logger = getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OsDatabase:
    """nmap's database of fingerprints."""

    path: Path
    fingerprints: int
    updated: date | None
    """Day of its last revision; None if it does not say."""
    lacks: tuple[str, ...]
    """Recent systems that it does not know; it takes them for older ones."""


def port_scan(addresses: Sequence[IpAddress], ports: Iterable[int]) -> tuple[str, ...]:
    """Write the arguments of a port scan of many hosts of one IP version."""
    return (
        *("-sS", "--min-hostgroup", "1024", "--min-parallelism", "512"),
        *_common(addresses, ports),
    )


def os_scan(addresses: Sequence[IpAddress], ports: Iterable[int]) -> tuple[str, ...]:
    """Write the arguments of an OS detection of a few hosts of one IP version.

    More than 20 hosts break the timing of nmap's OS engine when processors are busy; without
    ``--min-parallelism`` silent hosts are waited for one after another.
    """
    return (
        *("-O", "--max-os-tries", "2", "--min-parallelism", "64"),
        *_common(addresses, ports),
    )


def lone_scan(address: IpAddress, ports: Iterable[int]) -> tuple[str, ...]:
    """Write the arguments for one host in one process: its ports, and its OS where that is sure.

    With ``--osscan-limit`` nmap tries the OS only of a host with an open and a closed port.
    """
    return ("--osscan-limit", *os_scan([address], ports))


def _common(addresses: Sequence[IpAddress], ports: Iterable[int]) -> tuple[str, ...]:
    return (
        *("--privileged", "-n", "-Pn", "--disable-arp-ping", "--max-retries", "1"),
        *("--host-timeout", "60s", "-oX", "-", "-p", ",".join(map(str, sorted(set(ports))))),
        *(["-6"] if addresses[0].version == 6 else []),
        # By their numbers: a zone (fe80::1%eth0) would be free text.
        *(str(ip_address(address.packed)) for address in dict.fromkeys(addresses)),
    )


async def nmap_version(program: str = "nmap") -> tuple[int, int]:
    """Ask nmap for its version.

    Raises:
        ProbeUnavailable: it is missing, too old, or no nmap.
    """
    async with _running(program, "--version") as process:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                answer = await _first_kilobytes(process.stdout)
        except TimeoutError as error:
            raise ProbeUnavailable("nmap does not tell its version") from error
    numbers = re.search(r"Nmap version (\d{1,4})\.(\d{1,4})", answer)
    if numbers is None:
        raise ProbeUnavailable("nmap does not tell its version")
    version = int(numbers[1]), int(numbers[2])
    if version < OLDEST:
        raise ProbeUnavailable(f"nmap {numbers[1]}.{numbers[2]} is too old, 7.80 is needed")
    return version


async def require_raw_socket(program: str = "nmap") -> None:
    """Let nmap send one packet to our own loopback, which no configuration can tell as surely.

    Rights may come from root, from ambient capabilities or from the program's file, and may be
    taken away again by a container or ``no_new_privs``.

    Raises:
        ProbeUnavailable: it may not.
    """
    heard: list[IpAddress] = []
    problem = await run_nmap(
        program,
        port_scan([IPv4Address("127.0.0.1")], [9]),
        lambda address, _: heard.append(address),
        seconds=_CHECK_SECONDS,
    )
    if not heard:
        raise ProbeUnavailable(f"no raw socket: {problem}")


def os_database(program: str = "nmap") -> OsDatabase:
    """Look at the database that nmap uses; reads 5 MB.

    Raises:
        ProbeUnavailable: there is none.
    """
    for folder in _data_folders(program):
        path = folder / "nmap-os-db"
        with suppress(OSError):
            text = path.read_text("utf-8", "replace")
            names = re.findall(r"^Fingerprint (.+)$", text, re.MULTILINE)
            day = re.search(r"\$Id: nmap-os-db \d+ (\d{4}-\d\d-\d\d)", text[:1000])
            return OsDatabase(
                path=path,
                fingerprints=len(names),
                updated=date.fromisoformat(day[1]) if day else None,
                lacks=tuple(s for s in _RECENT_SYSTEMS if not any(s in name for name in names)),
            )
    raise ProbeUnavailable("nmap's database nmap-os-db is missing")


def _data_folders(program: str) -> Iterable[Path]:
    """List the folders where nmap looks for its data, in its order."""
    if folder := os.environ.get("NMAPDIR"):
        yield Path(folder)
    with suppress(RuntimeError):
        yield Path.home() / ".nmap"
    if found := shutil.which(program):
        binary = Path(found).resolve()
        yield from (binary.parent, binary.parent.parent / "share" / "nmap")
    yield from (Path("/usr/share/nmap"), Path("/usr/local/share/nmap"))


async def run_nmap(
    program: str, arguments: Sequence[str], on_host: OnHost, *, seconds: float
) -> str:
    """Run nmap, hand over each host as soon as nmap is done with it, and say how it ended.

    The answer is a clause that explains why a host is missing, should one be.

    Raises:
        ProbeUnavailable: nmap cannot be run at all.
    """

    def read(host: bytes, version: str) -> None:
        on_host(*read_host(host, version))

    return await stream_nmap(program, arguments, read, seconds=seconds)


async def stream_nmap(
    program: str, arguments: Sequence[str], on_raw_host: OnRawHost, *, seconds: float
) -> str:
    """Do as ``run_nmap``, with the ``host`` elements as nmap wrote them.

    Raises:
        ProbeUnavailable: nmap cannot be run at all.
    """
    async with _running(program, *arguments) as process:
        try:
            async with asyncio.timeout(seconds):
                async with asyncio.TaskGroup() as group:
                    errors = group.create_task(_first_kilobytes(process.stderr))
                    garbage = group.create_task(_hear(process, on_raw_host))
                status = await process.wait()
        except TimeoutError:
            _kill_group(process)
            return f"nmap was killed after {seconds:g} s"
    match garbage.result(), _complaint(errors.result()):
        case ParseError() as error, _:
            return str(error)
        case _, str(said) if said:
            return f"nmap said: {said}"
        case _ if status < 0:
            return f"nmap died of signal {-status}"
        case _:
            return f"nmap left the host out and ended with status {status}"


def _complaint(errors: str) -> str:
    """Pick the first line that is more than nmap's opinion of our options."""
    lines = (line.strip() for line in errors.splitlines())
    return next((line[:200] for line in lines if line and not line.startswith("Warning:")), "")


@asynccontextmanager
async def _running(program: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    found = shutil.which(program)
    if found is None:
        raise ProbeUnavailable(_why_not(program))
    try:
        process = await asyncio.create_subprocess_exec(
            *(_DIES_WITH_US if shutil.which(_DIES_WITH_US[0]) else ()),
            found,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ProbeUnavailable(f"nmap cannot be run: {error.strerror}") from error
    over = False
    try:
        yield process
        over = process.returncode is not None
    finally:
        # Once it has ended by itself, its number may belong to somebody else.
        if not over:
            _kill_group(process)
        await process.wait()


def _why_not(program: str) -> str:
    there = Path(program).exists()
    return "nmap cannot be run: Permission denied" if there else "nmap is not installed"


def _kill_group(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _hear(process: asyncio.subprocess.Process, on_raw_host: OnRawHost) -> ParseError | None:
    """Read hosts to the end of the output, or to where it goes wrong."""
    output, stream = process.stdout, HostStream()
    assert output is not None  # noqa: S101  # it is a pipe
    garbage = None

    def hand_over() -> None:
        for host in stream.take():
            try:
                on_raw_host(host, stream.version)
            except ParseError as error:
                logger.warning("%s", error)

    try:
        while data := await output.read(_CHUNK):
            stream.feed(data)
            hand_over()
    except ParseError as error:
        garbage = error
        _kill_group(process)
    stream.close()
    hand_over()
    return garbage


async def _first_kilobytes(stream: asyncio.StreamReader | None) -> str:
    """Read to the end, however long, and keep the beginning."""
    assert stream is not None  # noqa: S101  # it is a pipe
    kept = b""
    while data := await stream.read(_CHUNK):
        kept += data[: 4096 - len(kept)]
    return kept.decode("utf-8", "replace")
