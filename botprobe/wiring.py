"""The one place that chooses implementations and hands settings down."""

import os
import resource
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from botprobe.config import state_directory
from botprobe.errors import ConfigError
from botprobe.hostlog import HostLog
from botprobe.intake.mailfile import after_action, moved_folder
from botprobe.intake.watching import Feed, Scanner, mail_directories
from botprobe.judging import judge_of
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.model.work import Presence
from botprobe.pipeline import Pipeline, Watcher
from botprobe.probes.base import NO_GAUGES, Gauges
from botprobe.probes.proxy import Listener
from botprobe.probing import account_of, open_listener, open_probes, origin_of
from botprobe.queue.base import Bell
from botprobe.scope.budget import Budget
from botprobe.scope.live import signature
from botprobe.scoping import (
    budget_of,
    limits_of,
    live_scope_of,
    optout_file,
    scope_of,
    trust_settings,
)
from botprobe.service.again import parse_again
from botprobe.service.audience import Audience, Everyone
from botprobe.service.batch import Batch
from botprobe.service.presence import Heart
from botprobe.service.reader import Reader, Reading
from botprobe.service.systemd import Supervisor
from botprobe.service.watch import Watch
from botprobe.service.worker import Worker
from botprobe.settings import Settings, is_shared
from botprobe.store.database import SqlStore
from botprobe.storing import open_store, open_work

if TYPE_CHECKING:
    from botprobe.service.metrics import Metrics

# Seconds until a thread that reads mails lets the event loop go on, which asks hosts meanwhile.
SWITCH = 0.0005

# Five sockets for each of a thousand hosts, and something for nmap's pipes.
MAX_FILES = 8192


def hostlog_of(settings: Settings) -> HostLog:
    """Return the writer of host logs."""
    directory = settings.log.directory
    return HostLog(Path(directory) if directory else state_directory(os.environ) / "hosts")


@asynccontextmanager
async def open_batch(
    settings: Settings, watcher: Watcher, trouble: Callable[[str], None], *, fresh: bool = False
) -> AsyncIterator[Batch]:
    """Open the store, start the OS engine, and put the pipeline together.

    Raises:
        ConfigError: a setting is wrong.
        StoreError: the store cannot be opened.
    """
    _raise_file_limit()
    async with open_store(settings) as store, open_listener(settings) as listener:
        budget = await budget_of(settings, store)
        scope, judging = live_scope_of(settings), judge_of(settings)
        async with open_probes(settings, scope, listener) as probes:
            pipeline = Pipeline(
                probes=probes,
                scope=scope,
                budget=budget,
                store=store,
                dossier=store,
                ledger=store,
                account=account_of(settings),
                judge=judging,
                watcher=watcher,
                origin_of=origin_of(settings),
                fresh=fresh,
            )
            yield Batch(
                pipeline=pipeline,
                scope=scope,
                hostlog=hostlog_of(settings),
                concurrency=settings.scope.concurrency,
                per_network=settings.scope.concurrency_per_network,
                trouble=trouble,
                stop_file=_stop_file(settings),
            )


class Role(Enum):
    """What a process does for a store."""

    BOTH = auto()
    READER = auto()
    WORKER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What stays while settings change."""

    store: SqlStore
    bell: Bell
    budget: Budget
    listener: Listener | None = None
    gauges: Gauges = NO_GAUGES


def _vantage(settings: Settings) -> str | None:
    if not is_shared(settings.store):
        return None
    return settings.worker.vantage or socket.gethostname()


def _places(settings: Settings) -> int:
    shared = is_shared(settings.store)
    return settings.worker.concurrency if shared else settings.watch.concurrency


class WatchParts:
    """Makes the parts of a watch from the current settings (``service.watch.Parts``).

    Raises:
        BotprobeError: a setting is wrong, or a mailbox cannot be read.
    """

    def __init__(
        self,
        load: Callable[[], Settings],
        means: Means,
        audience: Audience,
        role: Role = Role.BOTH,
    ) -> None:
        self.store, self._bell, self.budget = means.store, means.bell, means.budget
        self._listener, self._gauges, self._audience = means.listener, means.gauges, audience
        self.problem: str | None = None
        self._origins: dict[IpAddress, Origin] = {}
        self._load = load
        self.reads, self.probes = role is not Role.WORKER, role is not Role.READER
        self.reload()

    def reload(self) -> None:
        """Read settings and opt-out file again.

        Raises:
            BotprobeError: a setting is wrong, and the former ones stay.
        """
        settings = self._load()
        reading, scanner = _reading(settings), _scanner(settings, self.reads)
        again, after = parse_again(settings.watch.again), after_action(settings.watch.after)
        for root in scanner.roots:
            mail_directories(root)
        self._read_scope(settings)
        self._settings, self._reading, self._scanner = settings, reading, scanner
        self._again, self._after = again, after
        self.budget.limits = limits_of(settings)
        self.stop_file = _stop_file(settings)
        self.drain_seconds = settings.watch.drain_seconds

    def reload_optout(self) -> None:
        """Read the opt-out file again, whatever is wrong with the settings by now.

        Raises:
            ConfigError: it cannot be read; nobody may be probed until it can.
        """
        self._read_scope(self._scoped)

    def optout_changed(self) -> bool:
        """Say whether the opt-out file is another than the one that was read."""
        return signature(optout_file(self._scoped)) != self._optout_seen

    def reader(self) -> Reader:
        """Make a reader of the mailboxes."""
        scanner = self._scanner
        return Reader(
            feed=Feed(scanner.roots, scanner.excluded),
            scanner=scanner,
            store=self.store,
            reading=self._reading,
            cooldown=self.budget.limits.cooldown,
            after=self._after,
            audience=self._audience,
            bell=self._bell,
            rescan_seconds=self._settings.watch.rescan_seconds,
        )

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Worker]:
        """Make a worker, with processes that end with it."""
        settings, judging = self._settings, judge_of(self._settings)
        account = account_of(settings)
        async with open_probes(settings, self.scope, self._listener, self._gauges) as probes:
            pipeline = Pipeline(
                probes=probes,
                scope=self.scope,
                budget=self.budget,
                store=self.store,
                dossier=self.store,
                ledger=self.store,
                account=account,
                judge=judging,
                watcher=self._audience,
                origin_of=origin_of(settings),
                vantage=_vantage(settings),
            )
            worker = Worker(
                pipeline=pipeline,
                store=self.store,
                hostlog=hostlog_of(settings),
                bell=self._bell,
                audience=self._audience,
                owner=account.owner,
                concurrency=_places(settings),
                per_network=settings.scope.concurrency_per_network,
                again=self._again,
            )
            async with self._presence(settings, worker):
                yield worker

    def _presence(self, settings: Settings, worker: Worker) -> AbstractAsyncContextManager[None]:
        """Tell those who share the store that the worker lives; a file is nobody else's."""
        if not is_shared(settings.store):
            return nullcontext()
        presence = Presence(
            owner=worker.owner,
            vantage=_vantage(settings) or "",
            concurrency=worker.concurrency,
        )
        heart = Heart(store=self.store, presence=presence, trouble=self._audience.trouble)
        return heart.beating(worker)

    def _read_scope(self, settings: Settings) -> None:
        self._scoped, self._optout_seen = settings, signature(optout_file(settings))
        try:
            self.scope = scope_of(settings, self._origins)
        except ConfigError as error:
            self.problem = str(error)  # whoever asked to be left alone is not known
            raise
        self.problem = None


@asynccontextmanager
async def open_watch(
    load: Callable[[], Settings], screen: Audience, role: Role = Role.BOTH
) -> AsyncIterator[Watch]:
    """Open the store to take mails and ask hosts, or one of both where others do the other.

    Args:
        load: reads the settings, now and whenever the operator asks for it.
        screen: who is told of everything; counters for Prometheus come beside it.
        role: what this process does; a watch on a shared store only takes mails.

    Raises:
        BotprobeError: a setting is wrong, the store is not to be had, or a mailbox not to be read.
    """
    settings = load()
    shared = is_shared(settings.store)
    if shared and role is Role.BOTH:
        role = Role.READER  # workers ask the hosts, here or elsewhere
    metrics = _metrics(settings)
    audience = Everyone([screen] if metrics is None else [screen, metrics])
    _raise_file_limit()
    sys.setswitchinterval(SWITCH)
    async with (
        open_work(settings, audience.trouble) as (store, bell),
        open_listener(settings) as listener,
    ):
        budget = await budget_of(settings, store)
        means = Means(
            store=store,
            bell=bell,
            budget=budget,
            listener=listener,
            gauges=metrics or NO_GAUGES,
        )
        parts = WatchParts(load, means, audience, role)
        supervisor = Supervisor.from_environment(os.environ)
        yield Watch(parts=parts, audience=audience, supervisor=supervisor)


def _metrics(settings: Settings) -> "Metrics | None":
    """Serve counters if the operator wants them; their library is imported only then."""
    if settings.watch.metrics is None:
        return None
    from botprobe.service.metrics import Metrics  # noqa: PLC0415  # costs time and memory

    metrics = Metrics()
    metrics.serve(settings.watch.metrics)
    return metrics


def _raise_file_limit() -> None:
    """Allow as many open files as may be allowed: each host that is asked needs some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MAX_FILES)), hard))


def _reading(settings: Settings) -> Reading:
    return Reading(
        trust=trust_settings(settings),
        hops=settings.scope.hops,
        max_targets_per_mail=settings.scope.max_targets_per_mail,
        fresh_for=timedelta(minutes=settings.watch.fresh_minutes),
    )


def _scanner(settings: Settings, reads: bool) -> Scanner:
    table = settings.watch
    if not reads:
        return Scanner((), ())
    if not table.mailboxes:
        raise ConfigError("watch.mailboxes: no mailbox is named, here or on the command line")
    roots = [Path(name).expanduser().resolve() for name in table.mailboxes]
    return Scanner(roots, moved_folder(table.after))


def _stop_file(settings: Settings) -> Path | None:
    path = settings.watch.stop_file
    return Path(path) if path else None
