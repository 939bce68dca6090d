"""Tests of the nmap program's handling: arguments, fitness, database, and how it ends."""

import asyncio
import os
import sys
from datetime import date
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import ProbeUnavailable
from botprobe.model.mail import IpAddress
from botprobe.probes.osdetect_nmap import (
    nmap_version,
    os_database,
    os_scan,
    port_scan,
    require_raw_socket,
    run_nmap,
)
from tests.probes.fakenmap import DIE, FLOOD, GARBAGE, HANG, FakeNmap

HOSTS = [ip_address(f"198.18.0.{number}") for number in (1, 2, 3)]


@pytest.fixture
def fake(tmp_path: Path) -> FakeNmap:
    """A well-behaved nmap of a supported version."""
    return FakeNmap(folder=tmp_path)


class TestArguments:
    @given(
        st.lists(st.ip_addresses(v=6), min_size=1, max_size=20, unique=True)
        | st.lists(st.ip_addresses(v=4), min_size=1, max_size=20, unique=True),
        st.sets(st.integers(1, 65535), min_size=1, max_size=12),
    )
    def test_the_addresses_stand_last_and_nothing_else_is_free(
        self, addresses: list[IpAddress], ports: set[int]
    ) -> None:
        """Only the canonical text of addresses and numbers of ports get into the arguments."""
        for scan in (port_scan, os_scan):
            arguments = scan(addresses, ports)

            assert arguments[-len(addresses) :] == tuple(str(address) for address in addresses)
            listed = arguments[arguments.index("-p") + 1].split(",")
            assert [int(port) for port in listed] == sorted(ports)
            assert ("-6" in arguments) == (addresses[0].version == 6)
            assert {"--privileged", "-n", "-Pn"} <= set(arguments)

    def test_a_zone_is_left_out(self) -> None:
        """The text after the percent sign comes from whoever wrote the address."""
        assert os_scan([ip_address("2001:db8::1%-iL x")], [25])[-1] == "2001:db8::1"


class TestVersion:
    @pytest.mark.parametrize(
        ("said", "version"),
        [
            ("Nmap version 7.80 ( https://nmap.org )", (7, 80)),
            ("Nmap version 7.95SVN ( https://nmap.org )\nPlatform: x", (7, 95)),
            ("Nmap version 7.99 ( https://nmap.org )", (7, 99)),
        ],
    )
    async def test_supported_versions(
        self, fake: FakeNmap, said: str, version: tuple[int, int]
    ) -> None:
        """What Debian, Ubuntu and nmap.org ship is accepted."""
        fake.version = said

        assert await nmap_version(fake.program) == version

    @pytest.mark.parametrize(
        ("said", "complaint"),
        [
            ("Nmap version 7.70 ( https://nmap.org )", "nmap 7.70 is too old"),
            ("BusyBox v1.36", "does not tell its version"),
            ("", "does not tell its version"),
        ],
    )
    async def test_others_are_refused(self, fake: FakeNmap, said: str, complaint: str) -> None:
        """An nmap whose output we never saw is not trusted."""
        fake.version = said

        with pytest.raises(ProbeUnavailable, match=complaint):
            await nmap_version(fake.program)

    async def test_a_missing_program(self, tmp_path: Path) -> None:
        """Without nmap there is no OS detection, and the reason says so."""
        with pytest.raises(ProbeUnavailable, match="nmap is not installed"):
            await nmap_version(str(tmp_path / "nmap"))

    async def test_a_program_that_may_not_be_run(self, tmp_path: Path) -> None:
        """A file without the right to run is told from a missing one."""
        (tmp_path / "nmap").write_text("")

        with pytest.raises(ProbeUnavailable, match="nmap cannot be run: Permission denied"):
            await nmap_version(str(tmp_path / "nmap"))


class TestRawSocket:
    async def test_allowed(self, fake: FakeNmap) -> None:
        """The trial scan goes to our own loopback and nowhere else."""
        await require_raw_socket(fake.program)

        (call,) = (fake.folder / "calls").read_text().splitlines()
        assert call.endswith(" -p 9 127.0.0.1")

    async def test_refused(self, fake: FakeNmap) -> None:
        """What nmap complains of is the reason that the operator reads."""
        fake.problem = "Couldn't open a raw socket. Error: Operation not permitted (1)\nQUITTING!"

        with pytest.raises(ProbeUnavailable, match="no raw socket: nmap said: Couldn't open a raw"):
            await require_raw_socket(fake.program)


class TestDatabase:
    def test_age_and_gaps(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The doctor can say how old the database is and what it takes for something else."""
        monkeypatch.setenv("NMAPDIR", str(tmp_path))
        (tmp_path / "nmap-os-db").write_text(
            "# $Id: nmap-os-db 38353 2022-02-18 17:38:46Z dmiller $\n"
            "Fingerprint Microsoft Windows 11 21H2\nClass x\n\n"
            "Fingerprint Microsoft Windows Server 2016 or Server 2019\n"
        )

        database = os_database()

        assert database.updated == date(2022, 2, 18)
        assert database.fingerprints == 2
        assert database.lacks == ("Windows Server 2019", "Windows Server 2022")

    def test_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A broken installation is said, not guessed around."""
        monkeypatch.setattr("botprobe.probes.osdetect_nmap._data_folders", lambda _: [tmp_path])

        with pytest.raises(ProbeUnavailable, match="nmap-os-db is missing"):
            os_database()


class TestRun:
    async def run(self, fake: FakeNmap, seconds: float = 10) -> tuple[list[IpAddress], str]:
        """Scan the three hosts; give those that were heard of, and how it ended."""
        heard: list[IpAddress] = []
        arguments = port_scan(HOSTS, [25])
        problem = await run_nmap(
            fake.program, arguments, lambda address, _: heard.append(address), seconds=seconds
        )
        return heard, problem

    async def test_all_hosts_are_heard(self, fake: FakeNmap) -> None:
        """A run to the end hands over every host."""
        heard, _ = await self.run(fake)

        assert heard == HOSTS

    @pytest.mark.timeout(60)  # a flood is bounded by its length; a busy machine takes its time
    @pytest.mark.parametrize(
        ("behaviour", "problem"),
        [
            (DIE, "nmap died of signal 9"),
            (GARBAGE, "not nmap's XML"),
            (FLOOD, "a host without end"),
        ],
    )
    async def test_hosts_before_a_bad_end_are_kept(
        self, fake: FakeNmap, behaviour: str, problem: str
    ) -> None:
        """A crash, garbage and endless output cost only what was not finished."""
        fake.hosts = {"198.18.0.2": behaviour}

        heard, said = await self.run(fake, seconds=50)

        assert heard == HOSTS[:1]
        assert problem in said

    @pytest.mark.parametrize("output", ["", "<?xml version='1.0'?>", "<nmaprun version='7.93'>"])
    async def test_an_nmap_that_says_nothing_heard_of_nobody(
        self, tmp_path: Path, output: str
    ) -> None:
        """Whether it ends well or ill, there is a reason, and no host has a result."""
        program = tmp_path / "nmap"
        program.write_text(f'#!/bin/sh\nprintf %s "{output}"\n')
        program.chmod(0o755)
        heard: list[IpAddress] = []

        said = await run_nmap(
            str(program), port_scan(HOSTS, [25]), lambda ip, _: heard.append(ip), seconds=10
        )

        assert heard == []
        assert said

    async def test_a_complaint_is_the_reason(self, fake: FakeNmap) -> None:
        """The program's own first complaint is kept, within bounds, and warnings are none."""
        warning = "Warning: You specified a highly aggressive --min-hostgroup.\n"
        fake.problem = warning + "Failed to open device eth0\nQUITTING!" + "x" * 100_000

        assert await self.run(fake) == ([], "nmap said: Failed to open device eth0")

    async def test_a_hanging_nmap_dies_with_its_group(self, fake: FakeNmap) -> None:
        """Beyond its time limit neither nmap nor a child of it lives on."""
        fake.hosts = {"198.18.0.2": HANG}
        os.mkfifo(fake.folder / "alive")

        async with asyncio.TaskGroup() as group:
            run = group.create_task(self.run(fake, seconds=0.5))
            said = await asyncio.to_thread((fake.folder / "alive").read_bytes)

        assert said == b"up\n"  # and then the end: nobody holds the pipe any longer
        assert run.result() == (HOSTS[:1], "nmap was killed after 0.5 s")

    async def test_a_cancelled_run_leaves_nobody_behind(self, fake: FakeNmap) -> None:
        """Cancellation kills the whole process group at once."""
        fake.hosts = {"198.18.0.2": HANG}
        os.mkfifo(fake.folder / "alive")

        async with asyncio.TaskGroup() as group:
            run = group.create_task(self.run(fake))
            with await asyncio.to_thread((fake.folder / "alive").open, "rb") as alive:
                assert await asyncio.to_thread(alive.readline) == b"up\n"
                run.cancel()
                assert await asyncio.to_thread(alive.read) == b""

    async def test_no_nmap_outlives_a_killed_botprobe(self, tmp_path: Path) -> None:
        """Whoever ends botprobe by SIGKILL ends its probing, too: the kernel sees to it."""
        program = tmp_path / "nmap"
        program.write_text(f"#!/bin/sh\nexec 9>{tmp_path}/alive\necho up >&9\nexec sleep 15\n")
        program.chmod(0o755)
        os.mkfifo(tmp_path / "alive")
        scan = (
            "import asyncio, sys; from botprobe.probes.osdetect_nmap import run_nmap;"
            "asyncio.run(run_nmap(sys.argv[1], [], print, seconds=15))"
        )
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", scan, str(program))

        with await asyncio.to_thread((tmp_path / "alive").open, "rb") as alive:
            assert await asyncio.to_thread(alive.readline) == b"up\n"
            parent.kill()
            async with asyncio.timeout(5):
                assert await asyncio.to_thread(alive.read) == b""
        await parent.wait()
