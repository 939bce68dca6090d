"""The watch: signals, halts, settings that change."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from botprobe.errors import ConfigError, StoreError
from botprobe.intake.watching import Feed, Scanner
from botprobe.pipeline import Pipeline
from botprobe.queue.local import LocalBell
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Budget, Limits
from botprobe.service.onlyone import only_one
from botprobe.service.reader import Reader
from botprobe.service.systemd import Supervisor
from botprobe.service.watch import Command, Watch
from botprobe.service.worker import Worker
from botprobe.store.sqlite import SqliteStore
from tests.fakes import silent_probes
from tests.intake.test_watching import maildir
from tests.service.test_reader import READING, Listener, deliver
from tests.service.test_worker import Tarpit, pipeline, worker_of
from tests.test_pipeline import LAB


class FakeParts:
    """Makes parts of fakes around a real store and a real mailbox."""

    def __init__(self, box: Path, store: SqliteStore, audience: Listener) -> None:
        self.store, self.audience, self.box = store, audience, box
        self.stop_file: Path | None = box.parent / "stop"
        self.drain_seconds = 5.0
        self.scope, self.budget = LAB, Budget(Limits())
        self.problem: str | None = None
        self.reads = self.probes = True
        self.tarpit = Tarpit()
        self.bell = LocalBell()
        self.workers_open = 0
        self.newer: Scope | None = None
        self.mistake: ConfigError | None = None

    def pipeline(self) -> Pipeline:
        """Return a pipeline of the current scope."""
        made = pipeline(self.store, replace(silent_probes(), ping=self.tarpit), self.scope)
        return replace(made, budget=self.budget)

    def reader(self) -> Reader:
        """Make a reader."""
        return Reader(
            feed=Feed([self.box]),
            scanner=Scanner([self.box]),
            store=self.store,
            reading=READING,
            cooldown=timedelta(days=1),
            after=None,
            audience=self.audience,
            bell=self.bell,
            rescan_seconds=60,
        )

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Worker]:
        """Make a worker, and count how many there are."""
        self.workers_open += 1
        try:
            logs = self.box.parent / "logs"
            made = worker_of(self.pipeline(), self.store, logs, self.audience)
            made.bell = self.bell
            yield made
        finally:
            self.workers_open -= 1

    def reload(self) -> None:
        """Fail if there is a mistake in the settings."""
        if self.mistake is not None:
            raise self.mistake

    def reload_optout(self) -> None:
        """Take over a newer scope."""
        newer, self.newer = self.newer, None
        self.scope = newer or self.scope

    def optout_changed(self) -> bool:
        """Say whether there is a newer scope."""
        return self.newer is not None


@dataclass(slots=True)
class FakeSupervisor(Supervisor):
    """Notes that the service comes to its end."""

    is_stopping: bool = False

    def stopping(self) -> None:
        """Note it."""
        self.is_stopping = True


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[FakeParts]:
    """Return parts around an empty mailbox and an empty store."""
    async with SqliteStore(tmp_path / "cases.sqlite") as store:
        yield FakeParts(maildir(tmp_path / "box"), store, Listener())


@asynccontextmanager
async def watching(parts: FakeParts) -> AsyncIterator[tuple[Watch, asyncio.Task[bool]]]:
    """Let a watch run, and stop it at the end."""
    watch = Watch(parts=parts, audience=parts.audience, supervisor=Supervisor())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch.run())
        yield watch, task
        for _ in range(2):
            watch.commands.put_nowait(Command.STOP)


class TestWatch:
    async def test_a_mail_becomes_verdicts(self, parts: FakeParts) -> None:
        """From a delivery to cases of all its hosts, without any further hint."""
        parts.tarpit.opened.set()
        async with watching(parts):
            deliver(parts.box, 1)
            await parts.audience.wait_for(lambda: len(parts.audience.cases) == 2)
            await parts.audience.wait_for(lambda: bool(parts.audience.states))

        assert parts.audience.troubles == []
        assert parts.workers_open == 0

    async def test_sigterm_lets_hosts_come_to_their_end(self, parts: FakeParts) -> None:
        """What is under way is finished; what arrives after the signal is left for the next."""
        parts.drain_seconds = 60.0
        async with watching(parts) as (watch, task):
            watch.supervisor = supervisor = FakeSupervisor()
            deliver(parts.box, 1)
            await parts.audience.wait_for(lambda: len(parts.tarpit.asked) == 2)
            os.kill(os.getpid(), signal.SIGTERM)
            await parts.audience.wait_for(lambda: supervisor.is_stopping)
            deliver(parts.box, 2)
            told = len(parts.audience.states)
            await parts.audience.wait_for(lambda: len(parts.audience.states) >= told + 2)
            assert parts.audience.states[-1].stopping
            parts.tarpit.opened.set()
            await asyncio.wait([task], timeout=5)
            assert task.result() is True

        assert len(parts.audience.cases) == 2
        assert len(parts.audience.mails) == 1

    async def test_a_second_signal_stops_at_once(self, parts: FakeParts) -> None:
        """Nobody waits for a tarpit who does not want to; its host stays due."""
        async with watching(parts) as (_, task):
            deliver(parts.box, 1)
            await parts.audience.wait_for(lambda: len(parts.tarpit.asked) == 2)
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.wait([task], timeout=2)
            assert task.result() is False

        assert parts.audience.cases == []
        assert parts.workers_open == 0
        assert await parts.store.waiting() == 2

    async def test_only_a_second_stop_cuts_the_drain_short(self, parts: FakeParts) -> None:
        """Settings that are reloaded while the watch ends take no host its time."""
        parts.drain_seconds = 60.0
        async with watching(parts) as (watch, task):
            deliver(parts.box, 1)
            await parts.audience.wait_for(lambda: len(parts.tarpit.asked) == 2)
            watch.commands.put_nowait(Command.STOP)
            watch.commands.put_nowait(Command.RELOAD)
            await parts.audience.wait_for(watch.commands.empty)
            told = len(parts.audience.states)
            await parts.audience.wait_for(lambda: len(parts.audience.states) >= told + 2)
            parts.tarpit.opened.set()
            await asyncio.wait([task], timeout=5)
            assert task.result() is True

        assert len(parts.audience.cases) == 2

    async def test_draining_has_a_bound(self, parts: FakeParts) -> None:
        """A host that answers never does not keep the service from ending."""
        parts.drain_seconds = 0.1
        async with watching(parts) as (watch, task):
            deliver(parts.box, 1)
            await parts.audience.wait_for(lambda: len(parts.tarpit.asked) == 2)
            watch.commands.put_nowait(Command.STOP)
            await asyncio.wait([task], timeout=3)
            assert task.result() is True

        assert await parts.store.waiting() == 2

    async def test_the_stop_file_halts_within_a_second(self, parts: FakeParts) -> None:
        """All probing ends, mails are still taken, and all goes on when the file is gone."""
        assert parts.stop_file is not None
        async with watching(parts):
            deliver(parts.box, 1)
            await parts.audience.wait_for(lambda: len(parts.tarpit.asked) == 2)
            parts.stop_file.touch()
            async with asyncio.timeout(1):
                await parts.audience.wait_for(lambda: parts.workers_open == 0)
            deliver(parts.box, 2)
            await parts.audience.wait_for(lambda: len(parts.audience.mails) == 2)
            await parts.audience.wait_for(
                lambda: any(state.halted and state.waiting == 4 for state in parts.audience.states)
            )
            parts.stop_file.unlink()
            parts.tarpit.opened.set()
            await parts.audience.wait_for(lambda: len(parts.audience.cases) == 4)

        assert {case.refused for case in parts.audience.cases} == {None}

    async def test_a_newer_optout_file_is_heeded(self, parts: FakeParts) -> None:
        """Who opts out is asked no more, and gets the reason, whatever is wrong beside it."""
        parts.mistake = ConfigError("botprobe.toml: unknown field `hosp`")
        async with watching(parts):
            deliver(parts.box, 1)
            await parts.audience.wait_for(lambda: len(parts.tarpit.asked) == 2)
            parts.newer = replace(LAB, opted_out=(ip_network("198.18.10.0/24"),))
            await parts.audience.wait_for(lambda: len(parts.audience.cases) == 1)
            parts.tarpit.opened.set()
            await parts.audience.wait_for(lambda: len(parts.audience.cases) == 2)

        refusals = {str(case.target): case.refused for case in parts.audience.cases}
        assert refusals == {"198.18.10.1": "opted out", "198.18.11.1": None}

    async def test_wrong_settings_leave_the_former_ones(self, parts: FakeParts) -> None:
        """A typing error on SIGHUP is told, and nothing stops."""
        parts.tarpit.opened.set()
        async with watching(parts) as (watch, _):
            parts.mistake = ConfigError("botprobe.toml: unknown field `hosp`")
            watch.commands.put_nowait(Command.RELOAD)
            await parts.audience.wait_for(lambda: bool(parts.audience.troubles))
            deliver(parts.box, 1)
            await parts.audience.wait_for(lambda: len(parts.audience.cases) == 2)

        assert "unknown field" in parts.audience.troubles[0]

    async def test_nobody_is_probed_while_the_optout_file_is_damaged(
        self, parts: FakeParts
    ) -> None:
        """Whoever asked to be left alone is not probed because of a typing error."""
        parts.problem = "optout:3: not a network"
        parts.tarpit.opened.set()
        async with watching(parts):
            deliver(parts.box, 1)
            await parts.audience.wait_for(
                lambda: any(state.waiting == 2 for state in parts.audience.states)
            )
            during = list(parts.audience.cases)
            parts.problem = None
            await parts.audience.wait_for(lambda: len(parts.audience.cases) == 2)

        assert during == []


class TestOnlyOne:
    def test_a_second_watch_is_refused(self, tmp_path: Path) -> None:
        """Two watches would take over each other's claims."""
        refused = pytest.raises(StoreError, match="another watch")
        with only_one(tmp_path / "s"), refused, only_one(tmp_path / "s"):
            pass

        with only_one(tmp_path / "s"):  # the first has ended
            assert (tmp_path / "s.watch").exists()
