"""What observers write about addresses, and whom they want to be probed."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address

from botprobe.model.observation import Observation
from botprobe.model.results import MailLogTraffic, ProxyRole, ProxyTraffic, RouterTraffic
from botprobe.model.work import Rank
from botprobe.store.database import SqlStore
from tests.cases import HOST, NOON
from tests.store.test_hosts import DAY, arrival, case_of, claim_all

OTHER = ip_address("2001:db8::7")
WHY = "drove the abnormal load of 2026-10-05"
LOG = MailLogTraffic(
    connects=900, accepted=1, rejects=(("user-unknown", 899),), driver_days=(date(2026, 10, 5),)
)
ROUTER = RouterTraffic(credit=18_147, smtp_packets=18_147, pop_imap_packets=0, nat=False)
PROXY = ProxyTraffic(role=ProxyRole.ORDERED, mails=422, peers=("198.18.20.1",))


class TestObservations:
    async def test_come_back_whole_newest_first(self, store: SqlStore) -> None:
        """Each observer's document survives the store; other addresses are not mixed in."""
        seen = [
            Observation(address=HOST, seen=NOON, saw=LOG),
            Observation(address=HOST, seen=NOON + timedelta(hours=1), saw=ROUTER),
            Observation(address=HOST, seen=NOON + timedelta(hours=2), saw=PROXY),
        ]
        elsewhere = Observation(address=OTHER, seen=NOON, saw=LOG)

        await store.observe([*seen, elsewhere])

        assert await store.observations(HOST, 10) == seen[::-1]
        assert await store.observations(HOST, 2) == seen[:0:-1]
        assert await store.observations(OTHER, 10) == [elsewhere]

    async def test_the_same_moment_again_replaces(self, store: SqlStore) -> None:
        """A log that is read twice, or has grown within its last hour, is one observation."""
        first = Observation(address=HOST, seen=NOON, saw=ROUTER)
        better = Observation(
            address=HOST, seen=NOON, saw=RouterTraffic(credit=5, smtp_packets=5, pop_imap_packets=0)
        )

        await store.observe([first])
        await store.observe([first, better])

        assert await store.observations(HOST, 10) == [better]

    async def test_the_latest_of_each_observer(self, store: SqlStore) -> None:
        """A router that tells every minute does not hide what the mail log told last week."""
        log = Observation(address=HOST, seen=NOON - timedelta(days=7), saw=LOG)
        told = [
            Observation(address=HOST, seen=NOON + timedelta(minutes=minute), saw=ROUTER)
            for minute in range(5)
        ]

        await store.observe([*told, log])

        assert await store.latest_observations(HOST) == [log, told[-1]]
        assert await store.latest_observations(OTHER) == []

    async def test_many_are_kept_in_pages(self, store: SqlStore) -> None:
        """Ten thousand clients of a log do not lock the store for long, and none is lost."""
        many = [
            Observation(address=ip_address(f"198.18.{n // 250}.{n % 250}"), seen=NOON, saw=LOG)
            for n in range(2_500)
        ]

        await store.observe(many)

        assert await store.observations(many[0].address, 9) == [many[0]]
        assert await store.observations(many[-1].address, 9) == [many[-1]]


class TestSuspect:
    async def test_makes_an_unknown_address_due(self, store: SqlStore) -> None:
        """A worker finds it like any other host, behind whoever handed us a mail."""
        await store.take([arrival("1", OTHER)], DAY)

        due = await store.suspect({HOST: WHY}, DAY)

        assert list(due) == [HOST]
        claims = await claim_all(store)
        assert [(claim.target.address, claim.rank) for claim in claims] == [
            (OTHER, Rank.FRESH),
            (HOST, Rank.SUSPECT),
        ]
        (suspicion,) = await store.suspicions(HOST, 10)
        assert suspicion.why == WHY

    async def test_leaves_alone_whoever_is_due(self, store: SqlStore) -> None:
        """A fresh host stays fresh, and nobody is due twice."""
        await store.take([arrival("1", HOST)], DAY)

        assert await store.suspect({HOST: WHY}, DAY) == []

        (claim,) = await claim_all(store)
        assert claim.rank is Rank.FRESH

    async def test_heeds_the_cooldown(self, store: SqlStore) -> None:
        """Who was looked at lately is not looked at again because of a log."""
        await store.suspect({HOST: WHY}, DAY)
        (claim,) = await claim_all(store)
        await store.finish(claim, case_of(claim), None)

        assert await store.suspect({HOST: WHY}, DAY) == []
        assert await claim_all(store) == []
        assert list(await store.suspect({HOST: WHY}, timedelta(0))) == [HOST]

    async def test_hastens_a_later_look(self, store: SqlStore) -> None:
        """A second look of next week is made now if the host is suspected."""
        await store.take([arrival("1", HOST)], DAY)
        (claim,) = await claim_all(store)
        await store.finish(claim, case_of(claim), datetime.now(UTC) + 7 * DAY)
        assert await claim_all(store) == []

        await store.suspect({HOST: WHY}, timedelta(0))

        (claim,) = await claim_all(store)
        assert claim.rank is Rank.SUSPECT

    async def test_does_not_disturb_a_claim(self, store: SqlStore) -> None:
        """Who is being asked right now is not asked a second time."""
        await store.suspect({HOST: WHY}, DAY)
        (claim,) = await claim_all(store)

        assert await store.suspect({HOST: WHY}, DAY) == []
        assert await store.finish(claim, case_of(claim), None)

    async def test_two_observers_at_once_make_one_look(self, store: SqlStore) -> None:
        """However many suspect a host, it is due once; each reason is kept."""
        due = await asyncio.gather(*(store.suspect({HOST: f"reason {n}"}, DAY) for n in range(5)))

        assert sorted(map(len, due)) == [0, 0, 0, 0, 1]
        assert len(await store.suspicions(HOST, 10)) == 5

    async def test_a_fresh_mail_hurries_a_suspect(self, store: SqlStore) -> None:
        """Who hands us a mail while it is only suspected is asked at once."""
        await store.suspect({HOST: WHY}, DAY)

        await store.take([arrival("1", HOST)], DAY)

        (claim,) = await claim_all(store)
        assert claim.rank is Rank.FRESH
