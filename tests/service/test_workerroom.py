"""What a worker does about crowded networks, and about who opts out at the last moment."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Limits
from botprobe.scope.parties import Domain
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST
from tests.fakes import silent_probes
from tests.service.test_reader import Listener
from tests.service.test_worker import Tarpit, pipeline, worker_of, working
from tests.store.test_hosts import DAY, arrival


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Return an empty store."""
    async with SqliteStore(tmp_path / "cases.sqlite") as opened:
        yield opened


class TestRoom:
    async def test_a_crowded_network_is_asked_by_and_by(self, tmp_path: Path) -> None:
        """As soon as one of its hosts is done the next is asked, and no second passes unused."""
        audience, tarpit = Listener(), Tarpit()
        crowd = [ip_address(f"198.18.10.{number}") for number in range(1, 41)]
        async with SqliteStore(tmp_path / "cases.sqlite", per_network=2) as store:
            await store.take([arrival(str(host), host) for host in crowd], DAY)
            probes = replace(silent_probes(), ping=tarpit)
            wide = pipeline(store, probes, limits=Limits(per_network_per_day=1000))
            worker = worker_of(wide, store, tmp_path, audience, 30, per_network=2)
            async with working(worker) as task:
                await audience.wait_for(lambda: len(tarpit.asked) == 2)
                together = worker.under_way
                tarpit.opened.set()
                async with asyncio.timeout(10):  # with a second's wait for each two: 20
                    await audience.wait_for(lambda: len(audience.cases) == len(crowd))
                worker.close()
                await asyncio.wait([task], timeout=5)

        assert together == 2
        assert worker._networks == {}

    async def test_whose_answers_are_in_is_kept(
        self, tmp_path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody is asked a second time because somebody opted out while the case was written."""
        audience = Listener()
        await store.take([arrival("1", HOST)], DAY)
        worker = worker_of(pipeline(store), store, tmp_path, audience)
        finish, began = store.finish, asyncio.Event()

        async def slowly(*arguments: object) -> object:
            began.set()
            for _ in range(10):
                await asyncio.sleep(0)
            return await finish(*arguments)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(store, "finish", slowly)
        async with working(worker):
            await began.wait()
            await worker.drop(Scope(opted_out=(ip_network("198.18.0.0/15"), Domain("example.net"))))
            await audience.wait_for(lambda: len(audience.cases) == 1)

        assert len(await store.cases(HOST)) == 1
