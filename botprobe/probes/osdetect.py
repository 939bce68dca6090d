"""OS detection: nmap's, shared by all targets that are investigated at the same time.

Starting nmap with ``-O`` costs ten times what one more host costs, so hosts share processes. They
go through two stages: ports first, a whole crowd per process; then OS detection for those with an
open port, few per process, because without an open port nmap seldom finds a match. A host that
comes alone starts at once, and mostly needs one process for both; those that come while all
processes are busy go together in the next.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from types import TracebackType
from typing import Self

from botprobe.errors import ConfigError, ProbeUnavailable, RefusedByScope
from botprobe.model.mail import IpAddress
from botprobe.model.results import OsResult, PortState
from botprobe.model.target import Target
from botprobe.probes.base import Permission
from botprobe.probes.osdetect_nmap import (
    lone_scan,
    os_scan,
    port_scan,
    require_raw_socket,
    run_nmap,
)

# Mail, the usual servers, and what Windows leaves open; nmap wants an open and a closed port.
PORTS = (21, 22, 25, 80, 110, 135, 139, 143, 443, 445, 3389, 5900)
# nmap lists up to 25 ports of one state, and only counts more of them.
MOST_PORTS = 25
# Beyond 20 hosts, the timing of nmap's OS engine breaks when processors are busy.
HOSTS_PER_OS_SCAN = 20
HOSTS_PER_PORT_SCAN = 1024
# Seconds in which hosts that come at the same time find each other: once, and again if more came.
LINGER = 0.01
LINGER_ROUNDS = 5
# Hosts of a process that broke go into processes with this fraction of its size.
SPLIT = 16


@dataclass(slots=True, eq=False)
class Job:
    """One host on its way through the stages."""

    address: IpAddress
    result: asyncio.Future[OsResult]
    company: int = HOSTS_PER_PORT_SCAN
    """How many hosts may share a process with it: fewer each time that a process broke."""
    ports: OsResult | None = None
    """What the first stage found."""

    @property
    def kind(self) -> tuple[int, int]:
        """Hosts of the same kind can go together."""
        return self.address.version, self.company

    def finish(self, outcome: OsResult | Exception) -> None:
        """Give the outcome to whoever waits for it, if anybody still does."""
        if self.result.done():
            return
        if isinstance(outcome, Exception):
            self.result.set_exception(outcome)
        else:
            self.result.set_result(outcome)


class Backlog:
    """Hosts that wait for a process of one stage."""

    def __init__(self, most: int, linger: float) -> None:
        self._most = most
        self._linger = linger
        self._jobs: list[Job] = []
        self._filled = asyncio.Event()

    def put(self, jobs: Iterable[Job]) -> None:
        """Let hosts wait for the next free process."""
        self._jobs.extend(jobs)
        if self._jobs:
            self._filled.set()

    async def take(self) -> list[Job]:
        """Wait for hosts, and give those that can go together."""
        while True:
            await self._filled.wait()
            for _ in range(LINGER_ROUNDS):
                waiting = len(self._jobs)
                await asyncio.sleep(self._linger)
                if not waiting < len(self._jobs) < self._most:
                    break
            if batch := self._pick():
                return batch

    def take_all(self) -> list[Job]:
        """Give all hosts, leaving none."""
        jobs, self._jobs = self._jobs, []
        self._filled.clear()
        return jobs

    def _pick(self) -> list[Job]:
        jobs = [job for job in self.take_all() if not job.result.done()]
        if not jobs:
            return []
        first = jobs[0]
        batch = [job for job in jobs if job.kind == first.kind]
        batch = batch[: min(self._most, first.company)]
        taken = set(batch)
        self.put(job for job in jobs if job not in taken)
        return batch


def os_arguments(batch: Sequence[Job]) -> tuple[str, ...]:
    """Write nmap's arguments for the second stage: of each host one open and one closed port.

    That is all that OS detection uses; asking the filtered ports again would take seconds.
    """
    found = [job.ports.ports for job in batch if job.ports is not None]
    wanted = (PortState.OPEN, PortState.CLOSED)
    first = [[port for port, state in ports if state is w][:1] for ports in found for w in wanted]
    return os_scan([job.address for job in batch], [port for ports in first for port in ports])


def ports_known(job: Job, result: OsResult) -> bool:
    """Send hosts with an open port on; the others are through, and who has an OS already."""
    if not result.open_ports or result.matches:
        job.finish(result)
        return False
    job.ports, job.company = result, HOSTS_PER_OS_SCAN
    return True


def os_known(job: Job, result: OsResult) -> bool:
    """Put together what the two stages found."""
    first = result if job.ports is None else job.ports
    job.finish(replace(result, ports=first.ports, ttls=first.ttls))
    return False


@dataclass(frozen=True, slots=True)
class _Stage:
    backlog: Backlog
    arguments: Callable[[Sequence[Job]], tuple[str, ...]]
    deliver: Callable[[Job, OsResult], bool]
    """Takes what nmap found, and says whether the host goes on to the next stage."""


@dataclass(kw_only=True)
class OsEngine:
    """Runs nmap for all targets; a context manager that leaves no process behind."""

    permission: Permission
    program: str = "nmap"
    ports: tuple[int, ...] = PORTS
    """At most 25: nmap would not list more."""
    port_scans: int = 2
    """Processes of the first stage at the same time."""
    os_scans: int = field(default_factory=lambda: 4 * (os.cpu_count() or 1))
    """Processes of the second stage at the same time; most of their time they wait."""
    seconds: float = 120
    """Limit for one process, to which each of its hosts adds a tenth of a second."""

    def __post_init__(self) -> None:
        if not 0 < len(self.ports) <= MOST_PORTS:
            raise ConfigError(
                f"nmap can be asked for 1 to {MOST_PORTS} ports, not {len(self.ports)}"
            )
        self._port_stage = _Stage(
            Backlog(HOSTS_PER_PORT_SCAN, LINGER), self._port_arguments, ports_known
        )
        self._os_stage = _Stage(Backlog(HOSTS_PER_OS_SCAN, 0), os_arguments, os_known)
        self._group = asyncio.TaskGroup()
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        stages = [self._port_stage] * self.port_scans + [self._os_stage] * self.os_scans
        self._workers = [self._group.create_task(self._work(stage)) for stage in stages]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.cancel()
        try:
            await self._group.__aexit__(kind, error, traceback)
        finally:
            for stage in (self._port_stage, self._os_stage):
                _finish(stage.backlog.take_all(), ProbeUnavailable("OS detection was stopped"))

    async def detect(self, address: IpAddress) -> OsResult:
        """Find the ports and the OS of a host.

        Raises:
            ProbeUnavailable: nmap is missing, not allowed, or broke again and again on this host.
            RefusedByScope: the host must not be asked.
        """
        self.permission.require(address)
        job = Job(address, asyncio.get_running_loop().create_future())
        self._port_stage.backlog.put([job])
        return await job.result

    async def _work(self, stage: _Stage) -> None:
        while True:
            await self._scan(stage, await stage.backlog.take())

    async def _scan(self, stage: _Stage, batch: Sequence[Job]) -> None:
        batch = [job for job in batch if self._permitted(job)]
        if not batch:
            return
        waiting: dict[IpAddress, list[Job]] = {}
        for job in batch:
            waiting.setdefault(job.address, []).append(job)
        silent, onward = len(waiting), list[Job]()

        def on_host(address: IpAddress, result: OsResult) -> None:
            onward.extend(job for job in waiting.pop(address, ()) if stage.deliver(job, result))
            if len(onward) >= HOSTS_PER_OS_SCAN:
                self._os_stage.backlog.put(onward)
                onward.clear()

        try:
            async with _while_wanted(waiting):
                problem = await run_nmap(
                    self.program,
                    stage.arguments(batch),
                    on_host,
                    seconds=self.seconds + len(batch) / 10,
                )
            if len(waiting) == silent:
                await require_raw_socket(self.program)
            _try_again(stage, list(chain(*waiting.values())), len(batch), problem)
        except TimeoutError:
            stage.backlog.put(chain(*waiting.values()))  # which forgets whom nobody waits for
        except ProbeUnavailable as error:
            _finish(chain(*waiting.values()), error)
        except asyncio.CancelledError:
            _finish(chain(*waiting.values()), ProbeUnavailable("OS detection was stopped"))
            raise
        finally:
            self._os_stage.backlog.put(onward)

    def _permitted(self, job: Job) -> bool:
        try:
            self.permission.require(job.address)
        except RefusedByScope as refusal:
            job.finish(refusal)
            return False
        return True

    def _port_arguments(self, batch: Sequence[Job]) -> tuple[str, ...]:
        if len(batch) == 1:  # it would wait for a second process to start
            return lone_scan(batch[0].address, self.ports)
        return port_scan([job.address for job in batch], self.ports)


@asynccontextmanager
async def _while_wanted(waiting: Mapping[IpAddress, Sequence[Job]]) -> AsyncIterator[None]:
    """Break off as soon as nobody waits any longer for one of the hosts: it may have opted out.

    Raises:
        TimeoutError: it was broken off.
    """
    async with asyncio.timeout(None) as patience:

        def look(result: asyncio.Future[OsResult]) -> None:
            if result.cancelled() and any(map(_unwanted, waiting.values())):
                with suppress(RuntimeError):  # over already
                    patience.reschedule(0)

        for job in chain(*waiting.values()):
            job.result.add_done_callback(look)
        yield


def _unwanted(jobs: Iterable[Job]) -> bool:
    return all(job.result.cancelled() for job in jobs)


def _try_again(stage: _Stage, unfinished: Sequence[Job], shared_by: int, problem: str) -> None:
    """Give hosts that nmap left unfinished another process, with less company.

    A host whose answers break nmap is alone at last, and takes no other down with it.
    """
    if shared_by == 1:
        _finish(unfinished, ProbeUnavailable(problem))
        return
    for job in unfinished:
        job.company = max(1, shared_by // SPLIT)
    stage.backlog.put(unfinished)


def _finish(jobs: Iterable[Job], outcome: Exception) -> None:
    for job in jobs:
        job.finish(outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class OsProbe:
    """Asks the engine about the target."""

    engine: OsEngine

    async def run(self, target: Target) -> OsResult:
        """Find the ports and the OS of the target.

        Raises:
            ProbeUnavailable: nmap is missing, not allowed, or broke again and again on this host.
            RefusedByScope: the target must not be asked.
        """
        return await self.engine.detect(target.address)
