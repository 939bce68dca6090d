"""Workers that share a store: who lives, and what is left of who does not."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import psycopg
import pytest

from botprobe.errors import BotprobeError, StoreError
from botprobe.model.work import Presence, Rank
from botprobe.scope.budget import surrounding
from botprobe.store.database import SqlStore
from botprobe.store.postgres import PostgresStore, conninfo
from tests.cases import HOST
from tests.postgres import Server
from tests.store.conftest import NewStore
from tests.store.test_hosts import DAY, EVERYBODY, LEASE, arrival, case_of, claim_all

AT_ONCE = timedelta(seconds=-1)
LONG = timedelta(hours=1)


def _index_blocks_read(url: str) -> int:
    """Return how many blocks of the host table's indexes were ever read."""
    with psycopg.connect(url, autocommit=True) as connection:
        # A process of the server adds its counts when it ends.
        for _ in range(500):
            others = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'botprobe'"
            if connection.execute(others).fetchone() is None:
                break
            connection.execute("SELECT pg_sleep(0.01)")
        row = connection.execute(
            "SELECT sum(idx_blks_hit + idx_blks_read) FROM pg_statio_user_indexes"
            " WHERE relid = 'host'::regclass"
        ).fetchone()
    return 0 if row is None else int(row[0])


def presence(owner: str) -> Presence:
    """Return what a worker says of itself."""
    return Presence(owner=owner, vantage="here", concurrency=9, under_way=1, finished=7)


class TestPresence:
    async def test_the_claims_of_the_living_stay(self, store: SqlStore) -> None:
        """Who has been heard keeps its claims; who never said a word has none."""
        await store.take([arrival("1", HOST), arrival("2", ip_address("198.18.11.1"))], DAY)
        await store.beat(presence("alive"))
        (kept,) = await store.claim("alive", LEASE, 1, EVERYBODY)
        (lost,) = await store.claim("never heard of", LEASE, 1, EVERYBODY)

        buried = await store.bury(LONG)
        (taken_over,) = await claim_all(store)

        assert buried == 1
        assert taken_over.target.address == lost.target.address
        assert await store.finish(kept, case_of(kept), None)

    async def test_what_the_dead_held_goes_on_elsewhere(self, store: SqlStore) -> None:
        """A silent worker's host is claimed by another, and the dead adds no second verdict."""
        await store.take([arrival("1", HOST)], DAY)
        await store.beat(presence("dead"))
        (before,) = await store.claim("dead", LEASE, 1, EVERYBODY)

        await store.bury(AT_ONCE)
        (after,) = await claim_all(store, "heir")
        late = await store.finish(before, case_of(before), None)
        done = await store.finish(after, case_of(after), None)

        assert (late, done) == (False, True)
        assert (after.attempt, after.tries) == (2, 2)
        assert len(await store.cases(HOST)) == 1

    async def test_who_leaves_leaves_nothing_claimed(self, store: SqlStore) -> None:
        """A worker that ends hands everything back, and is no longer shown."""
        await store.take([arrival("1", HOST)], DAY)
        await store.beat(presence("me"))
        await claim_all(store, "me")

        await store.leave("me")

        assert (await store.queue_status()).workers == ()
        assert await store.waiting() == 1


class TestQueueStatus:
    async def test_counts_by_rank(self, store: SqlStore) -> None:
        """What is due, claimed and planned is told apart, and who works stands beside it."""
        later = ip_address("198.18.11.2")
        await store.take(
            [arrival("1", HOST), arrival("2", later), arrival("3", ip_address("198.18.11.3"))], DAY
        )
        await store.beat(presence("me"))
        first, second = await store.claim("me", LEASE, 2, EVERYBODY)
        await store.finish(second, case_of(second), second.due + DAY)

        status = await store.queue_status()

        assert first.rank is Rank.FRESH
        assert [(one.rank, one.due, one.claimed, one.planned) for one in status.ranks] == [
            (Rank.FRESH, 1, 1, 0),
            (Rank.LATER, 0, 0, 1),
        ]
        assert status.ranks[0].oldest is not None
        assert [one.presence for one in status.workers] == [presence("me")]
        assert status.workers[0].silent < 60

    async def test_counts_what_fails(self, store: SqlStore) -> None:
        """Hosts that are tried again are told apart from hosts that were given up."""
        await store.take([arrival("1", HOST), arrival("2", ip_address("198.18.11.2"))], DAY)
        again, given_up = await claim_all(store)
        case = case_of(given_up)
        await store.put_back(again, timedelta(0))
        await store.claim("other", LEASE, 1, EVERYBODY)

        status = await store.queue_status()

        assert case.refused is None
        assert (status.retried, status.given_up) == (1, 0)


class TestPlaces:
    async def test_another_place_looks_first(self, store: SqlStore) -> None:
        """A later look waits a while for other eyes; without any, the same ones look again."""
        await store.take([arrival("1", HOST)], DAY)
        (claim,) = await store.claim("one", LEASE, 1, EVERYBODY, vantage="vienna")
        case = replace(case_of(claim), vantage="vienna")
        await store.finish(claim, case, datetime.now(UTC) - timedelta(minutes=1))

        same = await store.claim("one", LEASE, 1, EVERYBODY, vantage="vienna")
        (other,) = await store.claim("two", LEASE, 1, EVERYBODY, vantage="lisbon")
        await store.finish(other, replace(case, vantage="lisbon"), datetime.now(UTC) - LONG)
        (late,) = await store.claim("two", LEASE, 1, EVERYBODY, vantage="lisbon")

        assert list(same) == []
        assert (other.rank, late.target.address) == (Rank.LATER, HOST)
        assert [one.vantage for one in await store.cases(HOST)] == ["vienna", "lisbon"][::-1]


class TestRoom:
    async def test_a_network_is_asked_by_few_at_a_time(self, new_store: NewStore) -> None:
        """Of a /24 and of a /48; who is due after a crowd comes before it in the same claim."""
        crowd = [ip_address(f"198.18.10.{number}") for number in range(1, 10)]
        crowd += [ip_address(f"2001:db8:1:{number}::1") for number in range(9)]
        others = [ip_address("198.18.100.1"), ip_address("2001:db8:10::1")]
        async with new_store(3) as store:
            for hosts in (crowd, others):
                await store.take([arrival(str(host), host) for host in hosts], DAY)
            first = await store.claim("one", LEASE, 8, EVERYBODY)
            second = await store.claim("one", LEASE, 8, EVERYBODY)
            await store.finish(first[0], case_of(first[0]), None)
            await store.put_back(first[1])
            third = await store.claim("one", LEASE, 8, EVERYBODY)

        networks = Counter(str(surrounding(claim.target.address)) for claim in first)
        assert networks == {
            "198.18.10.0/24": 3,
            "2001:db8:1::/48": 3,
            "198.18.100.0/24": 1,
            "2001:db8:10::/48": 1,
        }
        assert list(second) == []
        assert {surrounding(claim.target.address) for claim in third} == {
            surrounding(claim.target.address) for claim in first[:2]
        }
        assert len(third) == 2

    @pytest.mark.postgres
    async def test_workers_together_count(self, postgres: Server) -> None:
        """All workers together hold no more claims in a /24 than allowed; others go on."""
        url = postgres.new_database()
        crowd = [ip_address(f"198.18.10.{number}") for number in range(1, 10)]
        async with (
            PostgresStore(url, per_network=3, make_tables=True) as store,
            PostgresStore(url, per_network=3) as other,
        ):
            await store.take([arrival(str(host), host) for host in crowd], DAY)
            await store.take([arrival("far", ip_address("198.18.11.1"))], DAY)
            first = await store.claim("one", LEASE, 2, EVERYBODY)
            second = await other.claim("two", LEASE, 9, EVERYBODY)
            third = await other.claim("two", LEASE, 9, EVERYBODY)
            await store.finish(first[0], case_of(first[0]), None)
            fourth = await other.claim("two", LEASE, 9, EVERYBODY)

        assert [len(claims) for claims in (first, second, third, fourth)] == [2, 2, 0, 1]
        assert str(second[1].target) == "198.18.11.1"

    @pytest.mark.postgres
    async def test_planned_looks_cost_nothing_until_they_are_due(self, postgres: Server) -> None:
        """Whoever counts or claims who is due reads none of the thousands who are not."""
        url = postgres.new_database()
        async with PostgresStore(url, make_tables=True) as store:
            await store.take([arrival("1", HOST)], DAY)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO host (ip, first_seen, last_seen, sightings, rank, due, attempt, tries)"
                " SELECT host('10.0.0.0'::inet + n), 0, 0, 1, 4, 1e12, 1, 0"
                " FROM generate_series(1, 20000) n"
            )
            connection.execute("ANALYZE")
        before = _index_blocks_read(url)

        async with PostgresStore(url) as store:
            for _ in range(10):  # after a few times, the server plans without the values
                waiting = await store.waiting()
                claims = await claim_all(store)
                for claim in claims:
                    await store.put_back(claim)

        assert (waiting, len(claims)) == (1, 1)
        assert _index_blocks_read(url) - before < 500

    @pytest.mark.postgres
    async def test_an_empty_database_is_one_clear_error(self, postgres: Server) -> None:
        """A mistyped name gets no tables; whoever is to make them is told how."""
        url = postgres.new_database()

        with pytest.raises(StoreError, match="run botprobe store init"):
            async with PostgresStore(url):
                pass

    @pytest.mark.postgres
    @pytest.mark.postgres
    async def test_a_client_that_is_gone_holds_no_lock_for_long(self, postgres: Server) -> None:
        """The server ends its transaction within seconds, unless the operator chose otherwise."""
        url = postgres.new_database()
        longer = url.replace("options=", "options=-cidle_in_transaction_session_timeout%3D60s%20")

        def shown(url: str) -> list[str]:
            names = ("idle_in_transaction_session_timeout", "search_path")
            with psycopg.connect(conninfo(url)) as connection:
                rows = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]
            return [str(row[0]) for row in rows if row]

        assert shown(url)[0] == "15s"
        assert shown(url)[1].startswith("botprobe_")
        assert shown(longer)[0] == "1min"

    async def test_no_error_shows_the_password(self) -> None:
        """Whatever is wrong with the address or the server, the secret stays one."""
        for url in (
            "postgresql://me:hunter2@127.0.0.1:1/x",
            "postgresql://me:hunter2@127.0.0.1:x/x?hunter2=1",
            "postgresql://me@127.0.0.1:1/x?password=hunter2",
        ):
            with pytest.raises(BotprobeError) as caught:
                async with PostgresStore(url):
                    pass
            assert "hunter2" not in str(caught.value)
