"""Tests of the OS engine: who shares a process with whom, and what happens when one breaks."""

import asyncio
import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.errors import ConfigError, ProbeUnavailable, RefusedByScope
from botprobe.model.mail import IpAddress
from botprobe.model.results import OsMatch, OsResult, PortState
from botprobe.model.target import Target
from botprobe.probes.osdetect import HOSTS_PER_OS_SCAN, OsEngine, OsProbe
from tests.probes.conftest import FakePermission
from tests.probes.fakenmap import DIE, GIVE_UP, HANG, OMIT, FakeNmap

HOST = ip_address("198.18.0.1")


@pytest.fixture
def fake(tmp_path: Path) -> FakeNmap:
    """A well-behaved nmap."""
    return FakeNmap(folder=tmp_path)


@dataclass(slots=True)
class ClosingPermission:
    """Allows an address so many times, and then no more."""

    left: int

    def require(self, address: IpAddress) -> None:
        """Count down."""
        self.left -= 1
        if self.left < 0:
            raise RefusedByScope(f"{address} asked to be left alone")


def hosts(count: int) -> list[IpAddress]:
    """Make that many addresses."""
    return [ip_address(int(ip_address("198.18.1.0")) + number) for number in range(count)]


async def detect_all(engine: OsEngine, addresses: list[IpAddress]) -> list[OsResult | Exception]:
    """Detect all at once; a failure is given like a result."""

    async def detect(address: IpAddress) -> OsResult | Exception:
        try:
            return await engine.detect(address)
        except (ProbeUnavailable, RefusedByScope) as error:
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(detect(address)) for address in addresses]
    return [task.result() for task in tasks]


class TestStages:
    async def test_a_host_without_an_open_port_is_measured_by_ports_alone(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """Without an open port nmap would only guess: in company it is not asked to."""
        async with OsEngine(permission=permission, program=fake.program, ports=(25, 80)) as engine:
            alone = await engine.detect(HOST)
            in_company, _ = await detect_all(engine, hosts(2))

        assert alone == OsResult(
            ports=((25, PortState.CLOSED), (80, PortState.CLOSED)), nmap_version="7.93"
        )
        assert in_company == alone
        assert ["--osscan-limit" in call for call in fake.calls] == [True, False]
        assert ["-O" in call for call in fake.calls] == [True, False]

    @pytest.mark.parametrize(("ports", "calls"), [((25, 80), 1), ((25,), 2)])
    async def test_a_lone_host_needs_one_process_where_nmap_is_sure(
        self, fake: FakeNmap, permission: FakePermission, ports: tuple[int, ...], calls: int
    ) -> None:
        """With an open and a closed port it is done at once; behind a firewall nmap asks again."""
        fake.hosts = {str(HOST): [25]}

        async with OsEngine(permission=permission, program=fake.program, ports=ports) as engine:
            result = await engine.detect(HOST)

        assert result.matches == (OsMatch(name=f"System of {HOST}", accuracy=100),)
        assert len(fake.calls) == calls

    async def test_an_open_port_leads_to_os_detection(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """The second stage asks one open and one closed port; the first stage's ports are kept."""
        one, other = hosts(2)
        fake.hosts = {str(one): [25, 80], str(other): [25, 80]}
        probe_ports = (22, 25, 80, 443)

        async with OsEngine(
            permission=permission, program=fake.program, ports=probe_ports
        ) as engine:
            results = await asyncio.gather(
                *(OsProbe(engine=engine).run(Target(host)) for host in (one, other))
            )

        result = results[0]
        assert result.matches == (OsMatch(name=f"System of {one}", accuracy=100),)
        assert result.open_ports == (25, 80)
        assert [port for port, _ in result.ports] == [22, 25, 80, 443]
        _, second = fake.calls
        assert second[second.index("-p") + 1] == "22,25"

    async def test_a_host_that_nmap_gave_up_says_so(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """A host timeout of nmap is a result of its own."""
        fake.hosts = {str(HOST): GIVE_UP}

        async with OsEngine(permission=permission, program=fake.program) as engine:
            assert (await engine.detect(HOST)).timed_out

    @pytest.mark.parametrize("ports", [(), tuple(range(1, 27))])
    def test_no_more_ports_than_nmap_lists(
        self, permission: FakePermission, ports: tuple[int, ...]
    ) -> None:
        """Ports that nmap only counts would look as if they had not been asked."""
        with pytest.raises(ConfigError, match="1 to 25 ports"):
            OsEngine(permission=permission, ports=ports)


class TestSharing:
    async def test_hosts_that_come_together_share_processes(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """One port scan for all, OS detection for few at a time, each host's own result."""
        addresses = hosts(50)
        fake.hosts = {str(address): [22] for address in addresses[::2]}

        async with OsEngine(permission=permission, program=fake.program) as engine:
            results = await detect_all(engine, addresses)

        first, *others = fake.scanned(addresses)
        assert first == addresses
        assert sum(map(len, others)) == 25
        assert max(map(len, others)) <= HOSTS_PER_OS_SCAN
        assert len(others) < 25
        for address, result in zip(addresses, results, strict=True):
            assert isinstance(result, OsResult)
            names = [match.name for match in result.matches]
            assert names == ([f"System of {address}"] if str(address) in fake.hosts else [])

    async def test_ip_versions_do_not_mix(self, fake: FakeNmap, permission: FakePermission) -> None:
        """A process of nmap speaks one version only."""
        addresses = [HOST, ip_address("2001:db8::1"), *hosts(2)]

        async with OsEngine(permission=permission, program=fake.program) as engine:
            results = await detect_all(engine, addresses)

        assert all(isinstance(result, OsResult) for result in results)
        assert sorted(map(len, fake.scanned(addresses))) == [1, 3]
        for call in fake.calls:
            assert ("-6" in call) == ("2001:db8::1" in call)

    async def test_two_askers_for_one_address_are_served_by_one_scan(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """An address is named to nmap once, whoever asks for it."""
        async with OsEngine(permission=permission, program=fake.program) as engine:
            results = await detect_all(engine, [HOST, HOST])

        assert all(isinstance(result, OsResult) for result in results)
        assert [call.count(str(HOST)) for call in fake.calls] == [1]

    async def test_a_result_comes_before_the_others_are_done(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """A host that hangs does not hold back the results of its company."""
        quick, slow = hosts(2)
        fake.hosts = {str(slow): HANG}
        os.mkfifo(fake.folder / "alive")

        async with (
            OsEngine(permission=permission, program=fake.program) as engine,
            asyncio.TaskGroup() as group,
        ):
            quick_task = group.create_task(engine.detect(quick))
            slow_task = group.create_task(engine.detect(slow))
            with await asyncio.to_thread((fake.folder / "alive").open, "rb") as alive:
                await asyncio.to_thread(alive.readline)
                assert isinstance(await quick_task, OsResult)
                assert not slow_task.done()
                slow_task.cancel()


class TestSafety:
    async def test_a_forbidden_address_never_reaches_nmap(self, fake: FakeNmap) -> None:
        """Others go on, without it."""
        addresses = hosts(3)
        rules = FakePermission(refused=frozenset({addresses[1]}))

        async with OsEngine(permission=rules, program=fake.program) as engine:
            results = await detect_all(engine, addresses)

        assert [isinstance(result, RefusedByScope) for result in results] == [False, True, False]
        assert fake.scanned(addresses) == [[addresses[0], addresses[2]]]

    @pytest.mark.parametrize(("times", "scans"), [(1, 0), (2, 1)])
    async def test_the_rules_are_asked_again_before_each_stage(
        self, fake: FakeNmap, times: int, scans: int
    ) -> None:
        """Whoever opts out while waiting gets no further packet."""
        fake.hosts = {str(HOST): [22]}

        async with OsEngine(
            permission=ClosingPermission(times), program=fake.program, ports=(22,)
        ) as engine:
            (result,) = await detect_all(engine, [HOST])

        assert isinstance(result, RefusedByScope)
        assert fake.called_for(HOST) == scans

    async def test_who_is_dropped_is_asked_no_more(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """The process that asks a dropped host ends at once, and its company gets another one."""
        dropped, *others = hosts(3)
        fake.hosts = {str(dropped): HANG}
        os.mkfifo(fake.folder / "alive")

        async with (
            OsEngine(permission=permission, program=fake.program) as engine,
            asyncio.TaskGroup() as group,
        ):
            task = group.create_task(engine.detect(dropped))
            company = group.create_task(detect_all(engine, others))
            with await asyncio.to_thread((fake.folder / "alive").open, "rb") as alive:
                assert await asyncio.to_thread(alive.readline) == b"up\n"
                task.cancel()
                async with asyncio.timeout(10):
                    assert await asyncio.to_thread(alive.read) == b""
            results = await company

        assert all(isinstance(result, OsResult) for result in results)
        assert fake.scanned([dropped, *others]) == [[dropped, *others], others]


class TestTrouble:
    async def test_a_poisonous_host_takes_no_other_down(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """Whom a crash left unfinished gets another process, at last one of its own."""
        addresses = hosts(40)
        poison = addresses[7]
        fake.hosts = {str(address): [22] for address in addresses} | {str(poison): DIE}

        async with OsEngine(permission=permission, program=fake.program) as engine:
            results = await detect_all(engine, addresses)

        failed = [r for r in results if not isinstance(r, OsResult)]
        assert [str(error) for error in failed] == ["nmap died of signal 9"]
        assert isinstance(results[7], ProbeUnavailable)

    async def test_a_host_that_nmap_leaves_out_is_not_measured(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """Silence of nmap about a host is no result about the host."""
        fake.hosts = {str(HOST): OMIT}

        async with OsEngine(permission=permission, program=fake.program) as engine:
            with pytest.raises(ProbeUnavailable, match="nmap left the host out"):
                await engine.detect(HOST)

    async def test_a_hanging_nmap_is_killed(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """No host can hold a process longer than its limit."""
        fake.hosts = {str(HOST): HANG}
        os.mkfifo(fake.folder / "alive")

        async with (
            OsEngine(permission=permission, program=fake.program, seconds=0.4) as engine,
            asyncio.TaskGroup() as group,
        ):
            said = group.create_task(asyncio.to_thread((fake.folder / "alive").read_bytes))
            with pytest.raises(ProbeUnavailable, match=r"nmap was killed after 0\.5 s"):
                await engine.detect(HOST)

        assert said.result() == b"up\n"

    async def test_leaving_the_engine_stops_everything(
        self, fake: FakeNmap, permission: FakePermission
    ) -> None:
        """No process stays, and nobody waits for ever."""
        fake.hosts = {str(HOST): HANG}
        os.mkfifo(fake.folder / "alive")

        async with asyncio.TaskGroup() as group:
            async with OsEngine(permission=permission, program=fake.program) as engine:
                waiter = group.create_task(detect_all(engine, [HOST]))
                alive = await asyncio.to_thread((fake.folder / "alive").open, "rb")
                assert await asyncio.to_thread(alive.readline) == b"up\n"
            with alive:
                assert await asyncio.to_thread(alive.read) == b""

        (result,) = waiter.result()
        assert str(result) == "OS detection was stopped"

    async def test_without_nmap(self, tmp_path: Path, permission: FakePermission) -> None:
        """A missing program is our trouble, said once per target."""
        async with OsEngine(permission=permission, program=str(tmp_path / "nmap")) as engine:
            results = await detect_all(engine, hosts(2))

        assert [str(result) for result in results] == ["nmap is not installed"] * 2

    async def test_without_rights(self, fake: FakeNmap, permission: FakePermission) -> None:
        """Without raw sockets each target is told so, and nmap is not tried again and again."""
        fake.problem = "Couldn't open a raw socket. Error: Operation not permitted (1)\nQUITTING!"

        async with OsEngine(permission=permission, program=fake.program) as engine:
            results = await detect_all(engine, hosts(40))

        assert {str(result).partition(":")[0] for result in results} == {"no raw socket"}
        assert len(fake.calls) == 1
