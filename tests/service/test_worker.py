"""From due hosts to verdicts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from botprobe.errors import StoreError
from botprobe.hostlog import HostLog
from botprobe.model.audit import Decide, Grant, Spent
from botprobe.model.results import PingResult
from botprobe.model.target import Target
from botprobe.model.work import Claim, Rank
from botprobe.pipeline import Pipeline, Probes
from botprobe.queue.local import LocalBell
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Budget, Limits
from botprobe.service.worker import MAX_TRIES, Worker
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST
from tests.fakes import FakeStore, silent_probes
from tests.service.fakes import FakeAudience
from tests.service.test_reader import Listener
from tests.store.test_hosts import DAY, EVERYBODY, LEASE, OTHER, arrival
from tests.test_pipeline import LAB, FakeJudge, pipeline_with


@dataclass
class Tarpit:
    """A ping probe that waits until it is let go, for all hosts but one."""

    quick: object = None
    asked: list[Target] = field(default_factory=list)
    left: int = 0
    """How many waits have ended, however they did."""
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, target: Target) -> PingResult:
        """Wait."""
        self.asked.append(target)
        try:
            if target.address != self.quick:
                await self.opened.wait()
        finally:
            self.left += 1
        return PingResult(sent=1, received=1)


class Broken:
    """A ping probe with a bug."""

    async def run(self, target: Target) -> PingResult:
        """Fail in a way that nobody foresaw."""
        raise ZeroDivisionError


@dataclass
class BrokenOnce:
    """A ping probe that fails the first time only."""

    failures: int = 0

    async def run(self, target: Target) -> PingResult:
        """Fail, or answer."""
        if not self.failures:
            self.failures += 1
            raise ZeroDivisionError
        return PingResult(sent=1, received=1)


@dataclass
class Faster(FakeStore):
    """A ledger whose last grant went to another worker a moment ago."""

    refused: asyncio.Event = field(default_factory=asyncio.Event)

    async def spend(self, _grant: Grant, decide: Decide) -> str | None:
        """Refuse, as the hour is spent by now."""
        self.others_spent = Spent(hour=1)
        self.refused.set()
        return decide(self.others_spent, datetime.now(UTC))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Return an empty store."""
    async with SqliteStore(tmp_path / "cases.sqlite") as opened:
        yield opened


Method = Callable[..., Awaitable[object]]


def failing_twice(method: Method, error: StoreError) -> Method:
    """Return the method of a store that is away for its first two calls."""
    failures = [error] * 2

    async def failing(*arguments: object) -> object:
        if failures:
            raise failures.pop()
        return await method(*arguments)

    return failing


def pipeline(
    store: SqliteStore,
    probes: Probes | None = None,
    scope: Scope = LAB,
    limits: Limits | None = None,
) -> Pipeline:
    """Return a pipeline that asks fakes and keeps real time."""
    return replace(
        pipeline_with(probes=probes, scope=scope),
        store=store,
        budget=Budget(limits or Limits()),
        now=lambda: datetime.now(UTC),
    )


def worker_of(
    pipeline: Pipeline,
    store: SqliteStore,
    logs: Path,
    audience: FakeAudience,
    concurrency: int = 8,
    *,
    per_network: int = 8,
) -> Worker:
    """Return a worker."""
    return Worker(
        pipeline=pipeline,
        store=store,
        hostlog=HostLog(logs),
        bell=LocalBell(),
        audience=audience,
        owner="me",
        concurrency=concurrency,
        per_network=per_network,
    )


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    """Let a worker work, and end it."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.run())
        yield task
        task.cancel()


class TestWorker:
    async def test_investigates_who_is_due(self, tmp_path: Path, store: SqliteStore) -> None:
        """Each host gets one case and one log, and is due no more."""
        audience = Listener()
        await store.take([arrival("1", HOST), arrival("2", HOST, OTHER)], DAY)
        async with working(worker_of(pipeline(store), store, tmp_path / "logs", audience)):
            await audience.wait_for(lambda: len(audience.cases) == 2)
            await audience.wait_for(lambda: len(list((tmp_path / "logs").glob("*/*.log"))) == 2)

        assert len(await store.cases(HOST)) == len(await store.cases(OTHER)) == 1
        assert await store.waiting() == 0
        assert audience.troubles == []

    async def test_what_was_taken_away_and_comes_back_is_asked_once(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """Whoever was silent for long, and claims anew what it is still asking, asks on."""
        audience, tarpit = Listener(), Tarpit()
        probes = replace(silent_probes(), ping=tarpit)
        await store.take([arrival("1", HOST)], DAY)
        worker = worker_of(pipeline(store, probes), store, tmp_path / "logs", audience)
        async with working(worker):
            await audience.wait_for(lambda: len(tarpit.asked) == 1)
            await store.bury(timedelta(0))
            worker.bell.ring()
            while (await store.queue_status()).ranks[0].claimed == 0:  # noqa: ASYNC110  # a table
                await asyncio.sleep(0)
            tarpit.opened.set()
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert len(tarpit.asked) == 1
        assert [case.refused for case in await store.cases(HOST)] == [None]
        assert audience.troubles == []

    async def test_what_comes_back_while_its_case_waits_for_the_store_is_kept(
        self, tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A link that is cut at the end of an investigation leaves no claim that nobody ends."""
        audience, finish, attempts = Listener(), store.finish, []
        worker = worker_of(pipeline(store), store, tmp_path / "logs", audience)

        async def after_a_silence(claim: Claim, *arguments: object) -> bool:
            attempts.append(claim.attempt)
            if len(attempts) == 1:
                await store.bury(timedelta(0))
                worker.bell.ring()
                while worker._held(HOST).attempt == 1:  # noqa: ASYNC110  # no event tells
                    await asyncio.sleep(0)
            return await finish(claim, *arguments)  # type: ignore[arg-type]  # passed on

        monkeypatch.setattr(store, "finish", after_a_silence)
        await store.take([arrival("1", HOST)], DAY)
        async with working(worker):
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert attempts == [1, 2]
        assert [case.refused for case in await store.cases(HOST)] == [None]
        assert await store.waiting() == 0

    async def test_looks_again_despite_the_cool_down(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """A look that the operator planned is made; the one after it is planned."""
        audience = Listener()
        await store.take([arrival("1", HOST)], DAY)
        (claim,) = await store.claim("me", LEASE, 9, EVERYBODY)
        await store.put_back(claim, timedelta(0))  # as a later look that is due now
        worker = worker_of(pipeline(store), store, tmp_path, audience)
        worker.pipeline.budget.remember([(HOST, datetime.now(UTC))])
        worker.again = (timedelta(hours=1),)
        async with working(worker):
            await audience.wait_for(lambda: len(audience.cases) == 1)

        history = await store.history(HOST)
        assert audience.cases[0].refused is None
        assert history is not None
        assert history.due == audience.cases[0].started + timedelta(hours=1)

    async def test_whom_the_scope_refuses_gets_a_reason(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """A refusal is kept as a case without facts, and is not asked for again at once."""
        audience = Listener()
        closed = Scope(opted_out=(ip_network("198.18.0.0/15"),))
        await store.take([arrival("1", HOST)], DAY)
        async with working(worker_of(pipeline(store, scope=closed), store, tmp_path, audience)):
            await audience.wait_for(lambda: len(audience.cases) == 1)

        (case,) = await store.cases(HOST)
        assert case.refused == "opted out"
        assert await store.waiting() == 0

    async def test_a_bug_costs_one_host_a_while(self, tmp_path: Path, store: SqliteStore) -> None:
        """A case that cannot be made is tried later; nothing else is lost."""
        audience = Listener()
        broken = replace(silent_probes(), ping=Broken())
        await store.take([arrival("1", HOST)], DAY)
        worker = worker_of(pipeline(store, broken), store, tmp_path, audience)
        async with working(worker):
            await audience.wait_for(lambda: bool(audience.troubles) and not worker.under_way)

        history = await store.history(HOST)
        assert history is not None
        assert history.due is not None
        assert history.due > datetime.now(UTC) + timedelta(seconds=30)
        assert await store.cases(HOST) == []

    async def test_a_failed_try_costs_no_cool_down(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """A mail that comes before the next try makes the host asked, not refused for a day."""
        audience = Listener()
        await store.take([arrival("1", HOST)], DAY)
        broken_once = replace(silent_probes(), ping=BrokenOnce())
        worker = worker_of(pipeline(store, broken_once), store, tmp_path, audience)
        async with working(worker):
            await audience.wait_for(lambda: bool(audience.troubles) and not worker.under_way)
            await store.take([arrival("2", HOST)], DAY)
            worker.bell.ring()
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert audience.cases[0].refused is None

    async def test_gives_up_who_makes_us_crash(self, tmp_path: Path, store: SqliteStore) -> None:
        """A host whose claims never ended in a case is refused at last, with the reason."""
        audience = Listener()
        await store.take([arrival("1", HOST)], DAY)
        for _ in range(MAX_TRIES):
            await store.claim("me", LEASE, 9, EVERYBODY)
            await store.recover()
        async with working(worker_of(pipeline(store), store, tmp_path, audience)):
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert audience.cases[0].refused == f"given up: {MAX_TRIES} tries ended without a case"
        assert audience.cases[0].verdict == FakeJudge().not_probed(audience.cases[0].refused)

    async def test_tarpits_leave_places_to_fresh_hosts(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """A backlog of hosts that answer never does not keep a fresh one waiting."""
        audience, tarpit = Listener(), Tarpit(quick=HOST)
        silent = [ip_address(f"198.18.12.{number}") for number in range(1, 20)]
        await store.take([arrival("1", *silent, rank=Rank.BACKLOG)], DAY)
        probes = replace(silent_probes(), ping=tarpit)
        worker = worker_of(pipeline(store, probes), store, tmp_path, audience)
        async with working(worker):
            await audience.wait_for(lambda: len(tarpit.asked) == 6)
            await store.take([arrival("2", HOST)], DAY)
            worker.bell.ring()
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert audience.cases[0].target.address == HOST
        assert len(tarpit.asked) == 7

    async def test_waits_while_the_budget_is_spent(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """Who exceeds the hour's budget stays due: nothing is lost, nothing is refused."""
        audience = Listener()
        limited = pipeline(store, limits=Limits(per_hour=1))
        await store.take([arrival("1", HOST, OTHER)], DAY)
        async with working(worker_of(limited, store, tmp_path, audience)):
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert audience.cases[0].refused is None
        assert await store.waiting() == 1

    async def test_waits_while_others_have_spent_the_budget(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """What another process spent of the shared budget leaves its hosts due, too."""
        audience, ledger = Listener(), FakeStore(others_spent=Spent(hour=1))
        limited = replace(pipeline(store, limits=Limits(per_hour=1)), ledger=ledger)
        await store.take([arrival("1", HOST)], DAY)
        async with working(worker_of(limited, store, tmp_path, audience)):
            await asyncio.wait_for(ledger.entered.wait(), 5)

        assert audience.cases == []
        assert await store.waiting() == 1

    async def test_whom_others_were_faster_for_waits_too(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """Two workers that see the same room claim for it; who is refused then stays due."""
        audience, ledger = Listener(), Faster()
        limited = replace(pipeline(store, limits=Limits(per_hour=1)), ledger=ledger)
        await store.take([arrival("1", HOST)], DAY)
        async with working(worker_of(limited, store, tmp_path, audience)):
            await asyncio.wait_for(ledger.refused.wait(), 5)
            while await store.waiting() == 0:  # noqa: ASYNC110  # a table
                await asyncio.sleep(0)

        assert audience.cases == []
        assert await store.cases(HOST) == []
        assert await store.waiting() == 1

    async def test_closing_lets_hosts_come_to_their_end(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """After close, nobody new is asked, and who was asked gets a verdict."""
        audience, tarpit = Listener(), Tarpit()
        await store.take([arrival("1", HOST)], DAY)
        probes = replace(silent_probes(), ping=tarpit)
        worker = worker_of(pipeline(store, probes), store, tmp_path, audience)
        async with working(worker) as task:
            await audience.wait_for(lambda: len(tarpit.asked) == 1)
            worker.close()
            await store.take([arrival("2", OTHER)], DAY)
            tarpit.opened.set()
            await asyncio.wait([task], timeout=5)

        assert [case.target.address for case in audience.cases] == [HOST]
        assert await store.waiting() == 1

    async def test_what_is_cancelled_is_due_as_before(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """Stopping at once loses no host and costs it no try."""
        audience, tarpit = Listener(), Tarpit()
        await store.take([arrival("1", HOST)], DAY)
        probes = replace(silent_probes(), ping=tarpit)
        async with working(worker_of(pipeline(store, probes), store, tmp_path, audience)):
            await audience.wait_for(lambda: len(tarpit.asked) == 1)

        (claim,) = await store.claim("next", LEASE, 9, EVERYBODY)
        assert claim.tries == 1

    async def test_whom_a_newer_scope_refuses_is_dropped(
        self, tmp_path: Path, store: SqliteStore
    ) -> None:
        """Whoever opts out while being asked is asked no more."""
        audience, tarpit = Listener(), Tarpit()
        await store.take([arrival("1", HOST)], DAY)
        probes = replace(silent_probes(), ping=tarpit)
        worker = worker_of(pipeline(store, probes), store, tmp_path, audience)
        async with working(worker) as task:
            await audience.wait_for(lambda: len(tarpit.asked) == 1)
            worker.close()
            await worker.drop(Scope(opted_out=(ip_network("198.18.0.0/15"),)))
            await asyncio.wait([task], timeout=5)
            assert task.done()

        assert audience.cases == []
        assert await store.waiting() == 1

    async def test_a_locked_store_loses_no_verdict(
        self, tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A case is held until the store takes it."""
        audience = Listener()
        locked = StoreError("store: database is locked")
        monkeypatch.setattr(store, "finish", failing_twice(store.finish, locked))
        monkeypatch.setattr("botprobe.service.patience.RETRY", 0.0)
        await store.take([arrival("1", HOST)], DAY)
        async with working(worker_of(pipeline(store), store, tmp_path, audience)):
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert len(await store.cases(HOST)) == 1
        assert audience.troubles == ["store: database is locked; trying again"]

    async def test_a_store_that_was_away_costs_no_rank(
        self, tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fresh host whose grant could not be written is asked as soon as the store is back."""
        audience, away = Listener(), StoreError("store: no answer")
        monkeypatch.setattr(store, "spend", failing_twice(store.spend, away))
        monkeypatch.setattr("botprobe.service.worker.RETRY", 0.0)
        await store.take([arrival("1", HOST)], DAY)
        granting = replace(pipeline(store), ledger=store)
        worker = worker_of(granting, store, tmp_path, audience)
        async with working(worker):
            for _ in range(2):
                await audience.wait_for(lambda: bool(audience.troubles) or bool(audience.cases))
                audience.troubles.clear()
                worker.bell.ring()
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert [case.refused for case in audience.cases] == [None]
        assert [claim.rank for claim in audience.claims] == [Rank.FRESH] * 3
        assert [claim.tries for claim in audience.claims] == [1, 2, 3]

    async def test_a_locked_store_keeps_nobody_from_stopping(
        self, tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A halt is a halt within a second, whatever holds the store up."""
        audience, tarpit, locked = Listener(), Tarpit(), asyncio.Event()

        async def waiting(*_: object) -> None:
            await locked.wait()

        await store.take([arrival("1", HOST, OTHER)], DAY)
        probes = replace(silent_probes(), ping=tarpit)
        monkeypatch.setattr(store, "put_back", waiting)
        async with asyncio.timeout(5):
            async with working(worker_of(pipeline(store, probes), store, tmp_path, audience)):
                await audience.wait_for(lambda: len(tarpit.asked) == 2)
        locked.set()

        assert audience.cases == []
