"""The host table: each host is asked by one worker at a time, and no plan is lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from botprobe.model.facts import Facts
from botprobe.model.mail import IpAddress, Trust
from botprobe.model.verdict import Case, Label, Verdict
from botprobe.model.work import Arrival, Claim, Plan, Rank
from botprobe.store.database import SqlStore
from tests.cases import HOST, bot_case
from tests.test_pipeline import mail_with

OTHER = ip_address("198.18.11.1")
DAY = timedelta(days=1)
LEASE = timedelta(minutes=5)
NOT_PROBED = Verdict(label=Label.NOT_PROBED, probability=0.26)
EVERYBODY = tuple(Rank)


def arrival(
    name: str,
    *addresses: IpAddress,
    rank: Rank = Rank.FRESH,
    refused: str | None = None,
    at: datetime | None = None,
) -> Arrival:
    """Return a mail that asks for the addresses."""
    hops = [(Trust.BOUNDARY, str(address)) for address in addresses]
    plans = [Plan(address=address, rank=rank, refused=refused) for address in addresses]
    return Arrival(
        key=name,
        mail=replace(mail_with(*hops, file=f"new/{name}"), message_id=name),
        arrived=at or datetime.now(UTC),
        plans=tuple(plans),
    )


def case_of(claim: Claim) -> Case:
    """Return what an investigation of the claimed host found."""
    return replace(bot_case(), target=claim.target, started=datetime.now(UTC))


async def claim_all(store: SqlStore, owner: str = "me") -> Sequence[Claim]:
    """Claim all who are due."""
    return await store.claim(owner, LEASE, 1000, EVERYBODY)


class TestTake:
    async def test_a_file_is_taken_once(self, store: SqlStore) -> None:
        """The same file, noticed again, is no second sighting."""
        once = arrival("1", HOST)

        first = await store.take([once], DAY)
        again = await store.take([once, once], DAY)
        history = await store.history(HOST)

        assert (list(first), list(again)) == ([once], [])
        assert await store.untaken(["1", "2"]) == {"2"}
        assert history is not None
        assert history.sightings == 1

    async def test_a_mail_that_comes_twice_at_once_is_kept_once(self, store: SqlStore) -> None:
        """Two files with the same words are one mail, and both are taken."""
        one = arrival("1", HOST)

        taken = await store.take([one, replace(one, key="2"), arrival("3", HOST)], DAY)

        assert [arrival.key for arrival in taken] == ["1", "2", "3"]
        assert await store.untaken(["1", "2", "3"]) == set()
        (claim,) = await claim_all(store)
        assert [one.message_id for one in claim.target.sightings] == ["3", "1"]

    async def test_ten_thousand_mails_are_one_investigation(self, store: SqlStore) -> None:
        """A host that sends and sends is due once, and every mail is a sighting."""
        await store.take([arrival(str(number), HOST) for number in range(500)], DAY)

        claims = await claim_all(store)
        history = await store.history(HOST)

        assert [claim.target.address for claim in claims] == [HOST]
        assert history is not None
        assert history.sightings == 500

    async def test_a_claim_knows_the_newest_mails_only(self, store: SqlStore) -> None:
        """What is held in memory for one host has a bound."""
        await store.take([arrival(str(number), HOST) for number in range(100)], DAY)

        (claim,) = await claim_all(store)

        assert 0 < len(claim.target.sightings) <= 20
        assert claim.target.sightings[0].file == "new/99"
        assert claim.target.sightings[0].trust is Trust.BOUNDARY

    async def test_within_the_cool_down_a_host_is_only_counted(self, store: SqlStore) -> None:
        """A host that was just investigated is not due again; after the cool-down it is."""
        await store.take([arrival("1", HOST)], DAY)
        (claim,) = await claim_all(store)
        await store.finish(claim, case_of(claim), None)

        await store.take([arrival("2", HOST)], DAY)
        during = await claim_all(store)
        await store.take([arrival("3", HOST)], timedelta(0))
        after = await claim_all(store)

        assert list(during) == []
        assert [claim.target.address for claim in after] == [HOST]

    async def test_what_a_mail_must_not_cause_is_kept_with_its_reason(
        self, store: SqlStore
    ) -> None:
        """A forged hop makes nobody due, until a mail comes that may."""
        await store.take([arrival("1", HOST, refused="the hop is forged")], DAY)
        forged, due = await store.history(HOST), await claim_all(store)
        await store.take([arrival("2", HOST)], DAY)
        named, due_now = await store.history(HOST), await claim_all(store)

        assert forged is not None
        assert (forged.refused, list(due)) == ("the hop is forged", [])
        assert named is not None
        assert (named.refused, len(due_now)) == (None, 1)

    async def test_a_fresh_boundary_hop_overtakes(self, store: SqlStore) -> None:
        """A host of the backlog that mails us now is asked now."""
        await store.take([arrival("1", HOST, OTHER, rank=Rank.BACKLOG)], DAY)
        await store.take([arrival("2", OTHER, rank=Rank.FRESH)], DAY)

        claims = await store.claim("me", LEASE, 1, EVERYBODY)

        assert [claim.target.address for claim in claims] == [OTHER]


class TestClaim:
    async def test_nobody_is_claimed_twice(self, store: SqlStore) -> None:
        """Many workers at the same time share the hosts."""
        hosts = [ip_address(f"198.18.{n // 200}.{n % 200 + 1}") for n in range(300)]
        await store.take([arrival(str(host), host) for host in hosts], DAY)

        shares = await asyncio.gather(
            *(store.claim(f"worker {n}", LEASE, 40, EVERYBODY) for n in range(10))
        )

        claimed = [claim.target.address for share in shares for claim in share]
        assert sorted(claimed) == sorted(hosts)

    async def test_the_first_ranks_and_the_oldest_go_first(self, store: SqlStore) -> None:
        """Order is by rank, then by the time of arrival."""
        now = datetime.now(UTC)
        named = [
            ("198.18.10.4", Rank.BACKLOG, now - DAY),
            ("198.18.10.3", Rank.CLAIMED, now),
            ("198.18.10.2", Rank.FRESH, now),
            ("198.18.10.1", Rank.FRESH, now - LEASE),
        ]
        arrivals = [arrival(ip, ip_address(ip), rank=rank, at=at) for ip, rank, at in named]
        await store.take(arrivals, DAY)

        claims = await claim_all(store)

        assert [str(claim.target)[-1] for claim in claims] == ["1", "2", "3", "4"]

    async def test_some_places_are_for_fresh_hosts_only(self, store: SqlStore) -> None:
        """A tarpit of the backlog cannot take the place of a bot that mails us now."""
        backlog = [ip_address(f"198.18.10.{number}") for number in range(1, 6)]
        await store.take([arrival(str(ip), ip, rank=Rank.BACKLOG) for ip in backlog], DAY)

        before = await store.claim("me", LEASE, 4, EVERYBODY, reserve=2)
        await store.take([arrival("now", OTHER)], DAY)
        after = await store.claim("me", LEASE, 2, EVERYBODY, reserve=2)

        assert len(before) == 2
        assert [claim.target.address for claim in after] == [OTHER]

    async def test_waiting_are_all_who_could_be_claimed(self, store: SqlStore) -> None:
        """Planned looks wait when their time has come, suspects at once."""
        await store.take([arrival("1", HOST), arrival("2", OTHER)], DAY)
        for claim in await claim_all(store):
            await store.put_back(claim, DAY if claim.target.address == HOST else None)
        await store.suspect({ip_address("198.18.12.1"): "seen"}, DAY)

        assert await store.waiting() == 2
        assert len(await claim_all(store)) == 2

    async def test_a_host_is_due_though_the_clock_was_set_back(self, store: SqlStore) -> None:
        """A step of the clock delays nobody whose mail has arrived."""
        tomorrow = datetime.now(UTC) + DAY
        await store.take([arrival("1", HOST, at=tomorrow)], DAY)

        assert len(await claim_all(store)) == 1

    async def test_the_lease_of_another_ends_but_not_our_own(self, store: SqlStore) -> None:
        """A dead worker's host is given away; a step of the clock makes us ask nobody twice."""
        await store.take([arrival("1", HOST)], DAY)
        past = timedelta(seconds=-1)
        (mine,) = await store.claim("me", past, 10, EVERYBODY)

        own = await store.claim("me", past, 10, EVERYBODY)
        (other,) = await store.claim("another", LEASE, 10, EVERYBODY)

        assert list(own) == []
        assert other.attempt > mine.attempt

    async def test_a_restart_resumes_what_was_under_way(self, store: SqlStore) -> None:
        """After a crash all claims end, and the hosts are due as before."""
        await store.take([arrival("1", HOST)], DAY)
        await claim_all(store)

        recovered = await store.recover()
        (claim,) = await claim_all(store, "successor")

        assert (recovered, claim.attempt, claim.tries) == (1, 2, 2)


class TestFinish:
    async def test_only_the_current_claim_may_finish(self, store: SqlStore) -> None:
        """A worker that was believed dead adds no second verdict."""
        await store.take([arrival("1", HOST)], DAY)
        (late,) = await store.claim("slow", timedelta(seconds=-1), 10, EVERYBODY)
        (current,) = await claim_all(store)

        done = await store.finish(current, case_of(current), None)
        twice = await store.finish(current, case_of(current), None)
        outdated = await store.finish(late, case_of(late), None)

        assert (done, twice, outdated) == (True, False, False)
        assert len(await store.cases(HOST)) == 1

    async def test_plans_the_next_look(self, store: SqlStore) -> None:
        """A later look waits for its time, and knows when the first one was."""
        await store.take([arrival("1", HOST)], DAY)
        (claim,) = await claim_all(store)
        case = case_of(claim)
        await store.finish(claim, case, datetime.now(UTC) + DAY)
        too_early = await claim_all(store)
        await store.take([arrival("2", HOST)], timedelta(0))
        (sooner,) = await claim_all(store)
        await store.finish(sooner, case_of(sooner), datetime.now(UTC) - LEASE)
        (later,) = await claim_all(store)

        assert list(too_early) == []
        assert (sooner.rank, later.rank) == (Rank.FRESH, Rank.LATER)
        assert later.first_looked == case.started

    async def test_a_refusal_is_no_look(self, store: SqlStore) -> None:
        """Who was refused is decided for the cool-down, and was never looked at."""
        await store.take([arrival("1", HOST)], DAY)
        (claim,) = await claim_all(store)
        refused = replace(case_of(claim), refused="opted out", facts=Facts(), verdict=NOT_PROBED)
        await store.finish(claim, refused, None)
        await store.take([arrival("2", HOST)], timedelta(0))
        (again,) = await claim_all(store)

        assert again.first_looked is None

    async def test_what_is_put_back_is_due_as_before(self, store: SqlStore) -> None:
        """Stopping costs nobody a try; a failure waits for its next one."""
        await store.take([arrival("1", HOST)], DAY)
        (claim,) = await claim_all(store)
        await store.put_back(claim)
        (again,) = await claim_all(store)
        await store.put_back(again, DAY)

        assert (again.tries, again.rank, again.due) == (1, Rank.FRESH, claim.due)
        assert list(await claim_all(store)) == []
        assert await store.waiting() == 0

    async def test_counts_who_waits(self, store: SqlStore) -> None:
        """Who is being asked waits no longer, nor who is due tomorrow."""
        await store.take([arrival("1", HOST, OTHER)], DAY)
        before = await store.waiting()
        await store.claim("me", LEASE, 1, EVERYBODY)

        assert (before, await store.waiting()) == (2, 1)
