"""Suspects of observers on their way to a worker."""

from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from botprobe.scope.addresses import Scope
from botprobe.service.suspects import hand_over
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST
from tests.store.test_hosts import claim_all

LAB = Scope(allow=(ip_network("198.18.0.0/15"),))
PRIVATE = ip_address("10.1.2.3")
DAY = timedelta(days=1)


class TestInvestigate:
    async def test_queues_whom_the_scope_allows(self, tmp_path: Path) -> None:
        """Whoever must not be probed is never due, whatever a log says of it."""
        mapped = ip_address(f"::ffff:{HOST}")
        async with SqliteStore(tmp_path / "cases.sqlite") as store:
            first = await hand_over(
                {mapped: "drove it", PRIVATE: "drove it"}, store=store, scope=LAB, cooldown=DAY
            )
            again = await hand_over({HOST: "drove it"}, store=store, scope=LAB, cooldown=DAY)
            claims = await claim_all(store)

        assert first.due == (HOST,)
        assert [address for address, _ in first.refused] == [PRIVATE]
        assert (again.due, again.known) == ((), (HOST,))
        assert [claim.target.address for claim in claims] == [HOST]
