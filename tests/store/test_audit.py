"""The audit log and the budgets that are counted from it, of every store."""

import asyncio
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.model.audit import Decide, Grant
from botprobe.scope.budget import Budget, Limits, surrounding
from botprobe.store.audit import place_of
from botprobe.store.database import SqlStore
from tests.cases import bot_case

SOON = timedelta(minutes=1)


def grant(ip: str, owner: str = "trap:1", *, claimed: bool = True) -> Grant:
    """Ask for the investigation of an address."""
    address = ip_address(ip)
    return Grant(
        address=address,
        network=surrounding(address),
        owner=owner,
        source="198.18.0.1",
        asked=("tcp 25: greeting, EHLO, QUIT",),
        rule="boundary hop of a mail",
        mails=("new/1 <1@spam.example>",),
        claimed=claimed,
    )


def rule(limits: Limits = Limits(), *, fresh: bool = False) -> Decide:  # noqa: B008  # frozen
    """Return the rule of a budget with these limits."""
    return partial(Budget(limits).decide, fresh=fresh)


class TestSpend:
    async def test_what_was_granted_can_be_shown(self, store: SqlStore) -> None:
        """Each grant is written down with its reason, before anything is sent."""
        assert await store.spend(grant("198.18.10.1"), rule()) is None

        [row] = await store.audit(ip_network("198.18.10.0/24"), None, None, 10)

        assert str(row.address) == "198.18.10.1"
        assert (row.rule, row.source, row.owner) == (
            "boundary hop of a mail",
            "198.18.0.1",
            "trap:1",
        )
        assert row.mails == ("new/1 <1@spam.example>",)
        assert row.asked == ("tcp 25: greeting, EHLO, QUIT",)
        assert abs(datetime.now(UTC) - row.at) < SOON

    @pytest.mark.parametrize(
        ("limits", "reason"),
        [
            (Limits(per_network_per_day=2), "budget of 198.18.10.0/24 for a day is spent"),
            (Limits(per_hour=2), "budget of the hour is spent"),
            (Limits(per_day=2), "budget of the day is spent"),
            (Limits(total=2), "budget of the store is spent"),
        ],
    )
    async def test_no_cap_is_exceeded(self, store: SqlStore, limits: Limits, reason: str) -> None:
        """The third is one too many, whoever asks, and nothing is written of it."""
        asked = [
            await store.spend(grant(f"198.18.10.{n}", f"trap:{n}"), rule(limits))
            for n in range(1, 4)
        ]

        assert asked == [None, None, reason]
        assert len(await store.audit(ip_network("198.18.0.0/16"), None, None, 10)) == 2

    async def test_requests_at_the_same_time_are_decided_one_by_one(self, store: SqlStore) -> None:
        """Those that share a transaction see each other."""
        asked = await asyncio.gather(
            *(store.spend(grant(f"198.18.{n}.1"), rule(Limits(per_hour=5))) for n in range(20))
        )

        assert asked.count(None) == 5

    async def test_the_cool_down_is_that_of_the_store(self, store: SqlStore) -> None:
        """A case that another process kept cools an address down; a planned look does not wait."""
        case = replace(bot_case(), started=datetime.now(UTC))
        await store.add_case(case)
        asked = grant(str(case.target.address))

        refused = await store.spend(asked, rule())

        assert refused is not None
        assert refused.startswith("cool-down: probed at ")
        assert await store.spend(asked, rule(fresh=True)) is None

    async def test_nobody_probes_what_another_process_is_at(self, store: SqlStore) -> None:
        """Two scans of the same mails ask each host once; one that died is no obstacle."""
        alive = f"{socket.gethostname()}:1"
        dead = f"{socket.gethostname()}:{2**22 + 1}"
        await store.spend(grant("198.18.10.1", alive), rule())
        await store.spend(grant("198.18.10.2", dead), rule())

        refused = await store.spend(grant("198.18.10.1", claimed=False), rule())

        assert refused is not None
        assert refused.startswith(f"under way: {alive} probes it since")
        assert await store.spend(grant("198.18.10.2", claimed=False), rule()) is None

    async def test_counts_what_is_spent(self, store: SqlStore) -> None:
        """For the screen, and for how much a worker may claim."""
        for number in range(3):
            await store.spend(grant(f"198.18.10.{number}"), rule())

        spent = await store.spent()

        assert (spent.hour, spent.day, spent.total) == (3, 3, 3)


class TestAudit:
    async def test_a_network_is_one_range_of_addresses(self, store: SqlStore) -> None:
        """IPv4 and IPv6, up to the last address and no further."""
        for ip in ("198.18.9.255", "198.18.10.0", "198.18.10.255", "198.18.11.0", "2001:db8::7"):
            await store.spend(grant(ip), rule())

        async def found(network: IPv4Network | IPv6Network) -> set[str]:
            return {str(row.address) for row in await store.audit(network, None, None, 10)}

        assert await found(ip_network("198.18.10.0/24")) == {"198.18.10.0", "198.18.10.255"}
        assert await found(ip_network("2001:db8::/32")) == {"2001:db8::7"}
        assert await found(ip_network("198.18.11.0/32")) == {"198.18.11.0"}

    async def test_times_bound_it(self, store: SqlStore) -> None:
        """Since is the first moment, until is past the last."""
        await store.spend(grant("198.18.10.1"), rule())
        network, now = ip_network("198.18.10.1"), datetime.now(UTC)

        assert len(await store.audit(network, now - SOON, now + SOON, 10)) == 1
        assert await store.audit(network, now + SOON, None, 10) == []
        assert await store.audit(network, None, now - SOON, 10) == []

    @given(st.lists(st.ip_addresses(), min_size=2, max_size=2))
    def test_places_sort_as_addresses_do(self, pair: list[object]) -> None:
        """Within a family, so that any network is one range."""
        one, other = (ip_address(str(each)) for each in pair)
        if one.version == other.version:
            assert (place_of(one) < place_of(other)) == (int(one) < int(other))


_SPENDER = """
import asyncio, sys
from pathlib import Path
from botprobe.store.sqlite import SqliteStore
from tests.store.test_audit import Limits, grant, rule

async def main() -> None:
    async with SqliteStore(Path(sys.argv[1])) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        asked = [
            await store.spend(grant(f"198.18.{n}.{sys.argv[2]}"), rule(Limits(per_hour=30)))
            for n in range(20)
        ]
        print(asked.count(None))

asyncio.run(main())
"""


@pytest.mark.timeout(60)
def test_two_processes_share_one_budget(tmp_path: Path) -> None:
    """Two that spend at the same time never spend more than one could."""
    path = tmp_path / "cases.sqlite"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _SPENDER, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for number in (1, 2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    with ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda process: process.communicate("go\n", 40)[0], processes))

    granted = [int(count) for count in said]

    assert sum(granted) == 30
    assert min(granted) >= 10
