"""Working through many targets."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.hostlog import HostLog
from botprobe.model.facts import Facts
from botprobe.model.mail import IpAddress, Mail
from botprobe.model.origin import Origin
from botprobe.model.results import PingResult
from botprobe.model.target import Target
from botprobe.pipeline import Candidate, Pipeline
from botprobe.scope.addresses import Scope
from botprobe.scope.live import LiveScope
from botprobe.scope.optout import read_entries
from botprobe.service.batch import Batch
from tests.cases import HOST, NOON, bot_case
from tests.fakes import FakeProbe, FakeStore, silent_probes
from tests.service.test_worker import Tarpit
from tests.test_pipeline import LAB, FakeJudge, pipeline_with

OTHER = ip_address("198.18.11.1")


def batch_of(
    pipeline: Pipeline,
    logs: Path,
    trouble: Callable[[str], None],
    concurrency: int = 10,
    *,
    scope: LiveScope | None = None,
    per_network: int = 8,
) -> Batch:
    """Return a batch over a pipeline of fakes."""
    return Batch(
        pipeline=pipeline,
        hostlog=HostLog(logs),
        concurrency=concurrency,
        per_network=per_network,
        trouble=trouble,
        scope=scope,
    )


class FirstHostBreaksUs:
    """A ping probe with a bug that one host brings out."""

    async def run(self, target: Target) -> PingResult:
        """Fail for one host in a way that nobody foresaw."""
        if target.address == HOST:
            raise ZeroDivisionError
        return PingResult(sent=1, received=1)


@dataclass
class Gauge:
    """A ping probe that counts how many run at the same time."""

    now: int = 0
    most: int = 0

    async def run(self, target: Target) -> PingResult:
        """Stay for a turn of the loop."""
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return PingResult(sent=1, received=1)


class TestBatch:
    async def test_keeps_every_case_in_store_and_log(self, tmp_path: Path) -> None:
        """Each host has its case in the store and its timestamped log."""
        store, troubles = FakeStore(), list[str]()
        batch = batch_of(pipeline_with(store), tmp_path, troubles.append)

        cases = await batch.run([Candidate(Target(HOST)), Candidate(Target(OTHER))])

        assert [case.target.address for case in cases] == [HOST, OTHER]
        assert store.kept == cases
        assert {path.name for path in tmp_path.iterdir()} == {str(HOST), str(OTHER)}
        assert troubles == []

    async def test_one_host_does_not_stop_the_others(self, tmp_path: Path) -> None:
        """An error that nobody foresaw costs one case, and is told in one line."""
        probes = replace(silent_probes(), ping=FirstHostBreaksUs())
        troubles: list[str] = []
        batch = batch_of(pipeline_with(probes=probes), tmp_path, troubles.append)

        cases = await batch.run([Candidate(Target(HOST)), Candidate(Target(OTHER))])

        assert [case.target.address for case in cases] == [OTHER]
        assert len(troubles) == 1
        assert troubles[0].startswith(f"{HOST}: ")

    async def test_a_full_disk_loses_no_verdict(self, tmp_path: Path) -> None:
        """A case that cannot be stored is still shown and logged, and the trouble is told."""
        troubles: list[str] = []
        batch = batch_of(pipeline_with(FakeStore(broken=True)), tmp_path, troubles.append)

        cases = await batch.run([Candidate(Target(HOST))])

        assert len(cases) == 1
        assert troubles == [f"{HOST}: not stored: store: database or disk is full"]
        assert list((tmp_path / str(HOST)).glob("*.log"))

    async def test_nobody_is_asked_of_whom_nothing_can_be_written_down(
        self, tmp_path: Path
    ) -> None:
        """Each packet is accounted for before it is sent; if that fails, none is."""
        troubles: list[str] = []
        store = FakeStore(full=True)
        batch = batch_of(pipeline_with(store), tmp_path, troubles.append)

        cases = await batch.run([Candidate(Target(HOST))])

        assert cases == []
        assert troubles == [f"{HOST}: store: database or disk is full"]
        assert store.granted == []

    async def test_a_refusal_is_stored_without_facts_and_not_logged(self, tmp_path: Path) -> None:
        """What is shown of a host in its cool-down is not a second investigation."""
        store = FakeStore(kept=[bot_case()])
        pipeline = pipeline_with(store)
        pipeline.budget.remember([(HOST, NOON)])
        troubles: list[str] = []

        (case,) = await batch_of(pipeline, tmp_path, troubles.append).run([Candidate(Target(HOST))])

        assert case.facts == bot_case().facts
        assert store.kept[-1].facts == Facts()
        assert store.kept[-1].verdict == FakeJudge().not_probed(str(case.refused))
        assert store.kept[-1].refused == case.refused
        assert list(tmp_path.iterdir()) == []

    async def test_a_stop_does_not_forget_who_was_asked(self, tmp_path: Path) -> None:
        """A case is stored and logged even if Ctrl-C comes just then."""
        store = FakeStore(slow=True)
        batch = batch_of(pipeline_with(store), tmp_path, print)

        async with asyncio.TaskGroup() as group:
            run = group.create_task(batch.run([Candidate(Target(HOST))]))
            await store.entered.wait()
            run.cancel()

        assert len(store.kept) == 1
        assert list((tmp_path / str(HOST)).glob("*.log"))

    async def test_bounds_what_runs_at_the_same_time(self, tmp_path: Path) -> None:
        """A backlog does not become a thousand connections."""
        gauge = Gauge()
        pipeline = pipeline_with(probes=replace(silent_probes(), ping=gauge))
        targets = [Candidate(Target(ip_address(f"198.18.{n}.1"))) for n in range(20)]

        await batch_of(pipeline, tmp_path, print, concurrency=3).run(targets)

        assert gauge.most == 3

    async def test_nobody_is_asked_while_the_stop_file_is_there(self, tmp_path: Path) -> None:
        """The one switch of the operator holds for a scan as well."""
        (tmp_path / "stop").touch()
        ping, troubles = FakeProbe(PingResult(sent=1, received=1)), list[str]()
        pipeline = pipeline_with(probes=replace(silent_probes(), ping=ping))
        batch = replace(
            batch_of(pipeline, tmp_path / "logs", troubles.append), stop_file=tmp_path / "stop"
        )

        cases = await batch.run([Candidate(Target(HOST)), Candidate(Target(OTHER))])

        assert cases == []
        assert ping.asked == []
        assert troubles == [f"stop file {tmp_path / 'stop'}: 2 hosts not investigated"]

    async def test_the_stop_file_halts_within_a_second(self, tmp_path: Path) -> None:
        """A host that is being asked is asked no more; what was found before is kept."""
        store, tarpit, troubles = FakeStore(), Tarpit(quick=HOST), list[str]()
        pipeline = pipeline_with(store, probes=replace(silent_probes(), ping=tarpit))
        stop = tmp_path / "stop"
        batch = replace(batch_of(pipeline, tmp_path / "logs", troubles.append), stop_file=stop)

        async with asyncio.TaskGroup() as group:
            running = group.create_task(
                batch.run([Candidate(Target(HOST)), Candidate(Target(OTHER))])
            )
            while len(tarpit.asked) < 2 or not store.kept:  # noqa: ASYNC110  # both are lists
                await asyncio.sleep(0)
            stop.touch()
            async with asyncio.timeout(1):
                await running

        assert [case.target.address for case in store.kept] == [HOST]
        assert [line.partition(":")[0] for line in troubles] == [f"stop file {stop}"]

    async def test_mails_are_kept_with_their_hops(self, tmp_path: Path) -> None:
        """A mail that cannot be stored is told, not lost in a traceback."""
        troubles: list[str] = []
        pipeline = pipeline_with(FakeStore(broken=True))

        await batch_of(pipeline, tmp_path, troubles.append).keep_mail(Mail(file="new/7"))

        assert troubles == ["new/7: not stored: store: database or disk is full"]


class TestPlaces:
    async def test_a_network_is_asked_by_few_at_a_time(self, tmp_path: Path) -> None:
        """Of one /24 no more than allowed, and whoever waits there keeps no place from others."""
        tarpit, troubles = Tarpit(quick=OTHER), list[str]()
        pipeline = pipeline_with(probes=replace(silent_probes(), ping=tarpit))
        batch = batch_of(pipeline, tmp_path, troubles.append, 4, per_network=3)
        crowd = [ip_address(f"198.18.10.{number}") for number in range(1, 10)]

        async with asyncio.TaskGroup() as group:
            running = group.create_task(
                batch.run([Candidate(Target(ip)) for ip in (*crowd, OTHER)])
            )
            await until(lambda: tarpit.left == 1)
            asked = [target.address for target in tarpit.asked]
            tarpit.opened.set()

        assert asked == [*crowd[:3], OTHER]
        assert len(running.result()) == 10


class TestOptout:
    async def test_who_opts_out_meanwhile_is_broken_off(self, tmp_path: Path) -> None:
        """Within a second, whoever waits and whoever is being asked; the others are asked on."""
        file, tarpit, troubles = tmp_path / "optout", Tarpit(), list[str]()
        scope = following(file)
        pipeline = replace(pipeline_with(probes=replace(silent_probes(), ping=tarpit)), scope=scope)
        batch = batch_of(pipeline, tmp_path / "logs", troubles.append, 2, scope=scope)
        candidates = [Candidate(Target(ip)) for ip in (HOST, OTHER, ip_address("198.18.10.9"))]

        async with asyncio.TaskGroup() as group:
            running = group.create_task(batch.run(candidates))
            await until(lambda: len(tarpit.asked) == 2)
            file.write_text("198.18.10.0/24 2026-11-26 noc@example.net\n")
            async with asyncio.timeout(1):
                await until(lambda: tarpit.left == 1)
            tarpit.opened.set()
        refused = {str(case.target): case.refused for case in running.result()}

        assert refused == {str(HOST): "opted out", str(OTHER): None, "198.18.10.9": "opted out"}
        assert [str(target) for target in tarpit.asked] == [str(HOST), str(OTHER)]
        assert troubles == []

    async def test_a_new_domain_makes_all_be_looked_up(self, tmp_path: Path) -> None:
        """Whoever is being asked and belongs to nobody who left is not asked a second time."""
        file, tarpit, troubles = tmp_path / "optout", Tarpit(), list[str]()
        scope = following(file)

        async def origin_of(address: IpAddress) -> Origin:
            return Origin(names=("mx.example.net",) if address == HOST else ("mx.example.org",))

        probes = replace(silent_probes(), ping=tarpit)
        pipeline = replace(pipeline_with(probes=probes), scope=scope, origin_of=origin_of)
        batch = batch_of(pipeline, tmp_path / "logs", troubles.append, 2, scope=scope)

        async with asyncio.TaskGroup() as group:
            running = group.create_task(batch.run([Candidate(Target(ip)) for ip in (HOST, OTHER)]))
            await until(lambda: len(tarpit.asked) == 2)
            file.write_text("example.net 2026-11-26 noc@example.net\n")
            await until(lambda: tarpit.left == 1)
            tarpit.opened.set()
        refused = {str(case.target): case.refused for case in running.result()}

        assert refused == {str(HOST): "opted out", str(OTHER): None}
        assert [target.address for target in tarpit.asked] == [HOST, OTHER]
        assert scope.unknown(HOST)
        assert troubles == []

    async def test_whom_nobody_can_name_in_time_is_broken_off(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A slow resolver does not let packets go on to whoever may have left."""
        monkeypatch.setattr("botprobe.scope.origins.HASTE", 0.05)
        file, tarpit, troubles = tmp_path / "optout", Tarpit(), list[str]()
        scope, slow = following(file), asyncio.Event()

        async def origin_of(_: IpAddress) -> Origin:
            await slow.wait()
            return Origin(names=("mx.example.net",))

        probes = replace(silent_probes(), ping=tarpit)
        pipeline = replace(pipeline_with(probes=probes), scope=scope, origin_of=origin_of)
        batch = batch_of(pipeline, tmp_path / "logs", troubles.append, 2, scope=scope)

        async with asyncio.TaskGroup() as group:
            running = group.create_task(batch.run([Candidate(Target(HOST))]))
            await until(lambda: len(tarpit.asked) == 1)
            file.write_text("example.net 2026-11-26 noc@example.net\n")
            async with asyncio.timeout(1):
                await until(lambda: tarpit.left == 1)
            slow.set()
        (case,) = running.result()

        assert case.refused == "opted out"
        assert len(tarpit.asked) == 1

    async def test_a_damaged_file_breaks_everything_off(self, tmp_path: Path) -> None:
        """And the operator is told which line it is."""
        file, tarpit, troubles = tmp_path / "optout", Tarpit(), list[str]()
        scope = following(file)
        pipeline = replace(pipeline_with(probes=replace(silent_probes(), ping=tarpit)), scope=scope)
        batch = batch_of(pipeline, tmp_path / "logs", troubles.append, 2, scope=scope)

        async with asyncio.TaskGroup() as group:
            running = group.create_task(batch.run([Candidate(Target(HOST))]))
            await until(lambda: len(tarpit.asked) == 1)
            file.write_text("8.8.4.0/240\n")
        (case,) = running.result()

        assert case.refused == "the opt-out file is wrong"
        assert troubles == [
            f"nobody is probed: {file}:1: neither network nor name nor AS: '8.8.4.0/240'"
        ]


def following(file: Path) -> LiveScope:
    """Return a scope of the laboratory that follows an opt-out file, which is made."""
    file.write_text("")
    origins: dict[IpAddress, Origin] = {}

    def read() -> Scope:
        parties = tuple(entry.party for entry in read_entries(file))
        return replace(LAB, opted_out=parties, origins=origins)

    return LiveScope(read, file)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, at most five seconds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  # several things are waited for
            await asyncio.sleep(0.01)
