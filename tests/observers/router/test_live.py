"""The loop on the router: who is asked, who is acted on, and how often."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from botprobe.errors import ProbeUnavailable, StoreError
from botprobe.model.mail import IpAddress
from botprobe.observers.router.credit import Action, CreditRule, Hypothesis
from botprobe.observers.router.kernel import Details, Traffic
from botprobe.observers.router.ledger import Ledger
from botprobe.observers.router.live import Confirm, LiveRouter
from botprobe.observers.router.table import Judgement, Standing

BOT, OTHER = ip_address("198.18.0.10"), ip_address("198.18.0.11")


@dataclass
class FakeKernel:
    """Counts what it is told to, and is slow to block."""

    now: Traffic
    more: Details = field(default_factory=Details)
    gone: bool = False
    traffic_read: int = 0
    details_read: int = 0
    blocked: list[IpAddress] = field(default_factory=list)

    async def sent(self) -> Mapping[IpAddress, int]:
        """Tell one half of the counters."""
        if self.gone:
            raise ProbeUnavailable("the table was taken away")
        return {address: sent for address, (sent, _) in self.now.counted.items()}

    async def traffic(self) -> Traffic:
        """Tell the counters."""
        self.traffic_read += 1
        return self.now

    async def details(self) -> Details:
        """Take a moment to tell the rest."""
        self.details_read += 1
        await asyncio.sleep(0.01)
        return self.more

    async def block(self, addresses: Iterable[IpAddress], seconds: int) -> None:
        """Block after a while, as nft does."""
        assert seconds > 0
        await asyncio.sleep(0.01)
        self.blocked += addresses


@dataclass
class Notes:
    """Keeps what it is told."""

    judged: list[Judgement] = field(default_factory=list)
    acts: list[IpAddress] = field(default_factory=list)
    unsure: list[IpAddress] = field(default_factory=list)

    def table(self, judged: list[Judgement]) -> None:
        """Keep the table."""
        self.judged = judged

    def acted(self, judged: Judgement, action: Action) -> None:
        """Keep a block."""
        assert action is Action.DROP
        self.acts.append(judged.entry.address)

    def unconfirmed(self, address: IpAddress) -> None:
        """Keep who could not be asked."""
        self.unsure.append(address)

    @property
    def standings(self) -> dict[IpAddress, Standing]:
        """Who stands how."""
        return {one.entry.address: one.standing for one in self.judged}


@dataclass
class Scene:
    """A router with two hosts over the threshold."""

    answer: bool | None = False
    trouble: StoreError | None = None
    action: Action = Action.DROP
    asked: list[IpAddress] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    kernel: FakeKernel = field(
        default_factory=lambda: FakeKernel(Traffic(counted={BOT: (200, 0), OTHER: (200, 0)}))
    )

    def router(self, *, confirm: bool = True) -> LiveRouter:
        """Make the router."""

        async def ask(address: IpAddress) -> bool | None:
            self.asked.append(address)
            if self.trouble is not None:
                raise self.trouble
            return self.answer

        asking: Confirm | None = ask if confirm else None
        return LiveRouter(
            kernel=self.kernel,
            ledger=Ledger(rule=CreditRule()),
            confirm=asking,
            screen=self.notes,
            clock=lambda: asyncio.get_running_loop().time(),
            action=self.action,
            every=0.001,
        )

    def run(self, *, confirm: bool = True) -> None:
        """Let it look for a tenth of a second."""
        asyncio.run(self.router(confirm=confirm).run(0.1))


class TestLiveRouter:
    def test_each_is_asked_once_and_blocked_once(self) -> None:
        """Two answers come while the kernel is still busy with the first block."""
        scene = Scene()

        scene.run()

        assert sorted(map(str, scene.asked)) == [str(BOT), str(OTHER)]
        assert sorted(map(str, scene.kernel.blocked)) == [str(BOT), str(OTHER)]
        assert sorted(map(str, scene.notes.acts)) == [str(BOT), str(OTHER)]

    def test_who_takes_mail_is_a_mail_server_and_left_alone(self) -> None:
        """A greeting on port 25 outweighs every credit."""
        scene = Scene(answer=True)

        scene.run()

        assert not scene.kernel.blocked
        assert set(scene.notes.standings.values()) == {Standing.MAIL_SERVER}

    def test_who_cannot_be_asked_is_left_alone(self) -> None:
        """Not measured is no evidence; the operator is told, once for each."""
        scene = Scene(answer=None)

        scene.run()

        assert not scene.kernel.blocked
        assert sorted(map(str, scene.notes.unsure)) == [str(BOT), str(OTHER)]

    def test_nobody_is_blocked_while_excuses_may_be_missing(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The kernel's sets are full: whoever fetches now is taken for one who only sends."""
        scene = Scene()
        scene.kernel.more = Details(full=frozenset({4}))

        scene.run()

        assert not scene.kernel.blocked
        assert set(scene.notes.standings.values()) == {Standing.UNKNOWN}
        assert caplog.text.count("more IPv4 hosts than the kernel's sets hold") == 1

    def test_a_network_without_a_known_address_cannot_be_asked(self) -> None:
        """Nobody is at the first address of a /64, so silence there says nothing."""
        network = ip_address("2001:db8:c:10::")
        scene = Scene(kernel=FakeKernel(Traffic(counted={network: (200, 0)})))

        scene.run()

        assert (scene.asked, scene.kernel.blocked, scene.notes.unsure) == ([], [], [network])

    @pytest.mark.parametrize(
        ("action", "blocked"), [(Action.ACCEPT, set()), (Action.DROP, {BOT, OTHER})]
    )
    def test_credit_alone_decides_where_nobody_is_asked(
        self, action: Action, blocked: set[IpAddress]
    ) -> None:
        """And a report touches nobody."""
        scene = Scene(action=action)

        scene.run(confirm=False)

        assert set(scene.kernel.blocked) == blocked
        assert set(scene.notes.standings.values()) == {Standing.SUSPECT}

    def test_what_excuses_a_host_is_read_before_it_is_acted_on(self) -> None:
        """A table is shown seldom, but no block rests on what was known at the last one."""
        scene = Scene()
        router = scene.router(confirm=False)

        async def two_looks() -> None:
            known, scene.kernel.now = scene.kernel.now, Traffic()
            await router.look()
            scene.kernel.now = known
            scene.kernel.more = Details(servers=frozenset({OTHER}))
            await router.look()

        asyncio.run(two_looks())

        assert scene.kernel.blocked == [BOT]

    def test_no_block_is_taken_for_ended_before_the_kernel_ends_it(self) -> None:
        """Linux before 6.12 leaves an element's time alone that is added again while it lives."""
        scene = Scene()
        router = scene.router(confirm=False)

        async def look() -> float:
            await router.look()
            return asyncio.get_running_loop().time() + router.block_seconds

        ends = asyncio.run(look())

        assert router.ledger.is_blocked(BOT, ends - 0.005)

    def test_no_more_is_read_than_a_judgement_needs(self) -> None:
        """Mailboxes for who may be over the threshold by what he sent, the rest for who is."""
        scene = Scene(kernel=FakeKernel(Traffic(counted={BOT: (100, 0)})))
        looks = ((100, 0), (110, 0), (200, 40), (205, 40), (350, 40), (360, 40))

        async def play() -> list[tuple[int, int]]:
            router, read = scene.router(confirm=False), []
            for counted in looks:
                scene.kernel.now = Traffic(counted={BOT: counted})
                await router.look()
                read.append((scene.kernel.traffic_read, scene.kernel.details_read))
            return read

        assert asyncio.run(play()) == [(1, 1), (1, 1), (2, 1), (2, 1), (3, 2), (3, 2)]
        assert scene.kernel.blocked == [BOT]

    def test_a_table_that_was_taken_away_is_one_plain_error(self) -> None:
        """Somebody else said ``router off``; what is known is shown all the same."""
        scene = Scene(action=Action.ACCEPT)

        async def play() -> None:
            router = scene.router(confirm=False)
            await router.look()
            scene.kernel.gone = True
            await router.run(1)

        with pytest.raises(ProbeUnavailable, match="taken away"):
            asyncio.run(play())
        assert set(scene.notes.standings.values()) == {Standing.SUSPECT}

    def test_a_question_that_cannot_be_written_down_is_not_asked(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The disk is full: nobody is blocked, and the router goes on."""
        scene = Scene(trouble=StoreError("disk I/O error"))

        scene.run()

        assert not scene.kernel.blocked
        assert sorted(map(str, scene.notes.unsure)) == [str(BOT), str(OTHER)]
        assert f"{BOT} was not asked: disk I/O error" in caplog.text


class TestLedger:
    def test_a_block_that_ended_is_renewed_only_if_the_host_sends_again(self) -> None:
        """Whoever fell silent was perhaps cleaned."""
        ledger = Ledger(rule=CreditRule())
        ledger.update(Traffic(counted={BOT: (200, 0)}), 10)
        ledger.block(BOT, 20)
        ledger.update(Traffic(counted={BOT: (200, 0)}), 30)
        silent = ledger.wants_block(BOT, 30)
        ledger.update(Traffic(counted={BOT: (201, 0)}), 40)

        assert (silent, ledger.wants_block(BOT, 40)) == (False, True)

    def test_one_way_packets_have_their_time(self) -> None:
        """A host of which no answer was seen was last seen when its counter grew."""
        ledger = Ledger(rule=CreditRule())
        for packets, now in ((200, 10), (300, 20), (300, 30)):
            ledger.learn(Details(one_way={OTHER: packets}), now)

        (judged,) = ledger.judged()
        assert (judged.standing, judged.entry.last) == (Standing.ONE_WAY, 20)

    def test_a_counter_that_begins_anew_gives_no_credit_twice(self) -> None:
        """The kernel forgets an element and counts from zero."""
        ledger = Ledger(rule=CreditRule())
        ledger.update(Traffic(counted={BOT: (60, 0)}), 1)
        first = ledger.judged()[0].entry.credit
        ledger.update(Traffic(counted={BOT: (30, 0)}), 2)

        assert (first, ledger.judged()[0].entry.credit) == (60, 90)

    def test_whom_the_kernel_has_forgotten_is_forgotten(self) -> None:
        """Behind the address may be somebody else by now."""
        ledger = Ledger(rule=CreditRule())
        ledger.update(Traffic(counted={BOT: (200, 0)}), 1)
        ledger.update(Traffic(gone=frozenset([BOT])), 2)

        assert (ledger.judged(), ledger.judged_over(), ledger.to_ask(2, 1)) == ([], [], [])

    def test_who_fetches_comes_back_below_the_threshold(self) -> None:
        """And is news again when above it another time."""
        ledger, news = Ledger(rule=CreditRule()), []
        for sent, fetched in ((200, 0), (210, 50), (400, 50)):
            ledger.update(Traffic(counted={BOT: (sent, fetched)}), 1)
            news.append((ledger.has_news, len(ledger.judged_over())))
            ledger.learn(Details(), 1)

        assert news == [(True, 1), (False, 0), (True, 1)]

    def test_a_sampled_answer_earns_nothing_to_whom_has_not_asked(self) -> None:
        """Whoever forges a server's answers from outside must not have a victim blocked."""
        ledger = Ledger(rule=CreditRule(sampling=5))
        ledger.update(Traffic(counted={BOT: (100, 0), OTHER: (100, 0)}), 1)
        ledger.learn(Details(one_way={BOT: 90, OTHER: 20}), 1)

        credit = {one.entry.address: one.entry.credit for one in ledger.judged()}
        assert credit == {BOT: 450, OTHER: 100}
        assert [one.entry.address for one in ledger.judged_over()] == [BOT]
        assert ledger.to_ask(1, 60) == [BOT]
        assert {one.entry.one_way for one in ledger.judged()} == {0}

    def test_a_sampled_mail_of_a_mailbox_user_is_no_evidence(self) -> None:
        """At one of 500 a packet is 500 credits, more than the floor and the threshold together."""
        ledger = Ledger(rule=CreditRule(sampling=500))
        for now, counted in enumerate(((0, 300), (3, 300))):
            ledger.update(Traffic(counted={OTHER: counted}), now)
        ledger.learn(Details(one_way={OTHER: 6}), 2)

        assert [one.standing for one in ledger.judged()] == [Standing.NORMAL]
        assert ledger.to_ask(2, 60) == []

    def test_sampled_packets_without_answers_are_one_way(self) -> None:
        """Although an answer or two were counted, of a mail that he sent himself."""
        ledger = Ledger(rule=CreditRule(sampling=5))
        ledger.update(Traffic(counted={BOT: (100, 0), OTHER: (2, 0)}), 1)
        ledger.learn(Details(one_way={BOT: 130, OTHER: 80}), 1)

        standings = {one.entry.address: one.standing for one in ledger.judged()}
        assert standings == {BOT: Standing.SUSPECT, OTHER: Standing.ONE_WAY}

    def test_the_sequential_test_counts_sampled_connections_once(self) -> None:
        """Connections are told as an estimate, but each that was seen is one piece of evidence."""
        ledger = Ledger(rule=CreditRule(sampling=500))
        ledger.update(Traffic(counted={BOT: (100, 0), OTHER: (100, 0)}), 1)
        ledger.learn(Details(opened={BOT: 12, OTHER: 2}, collected={OTHER: 1}), 1)

        judged = {one.entry.address: one for one in ledger.judged()}
        assert judged[BOT].test is Hypothesis.BOT
        assert judged[OTHER].test is Hypothesis.UNDECIDED
        assert (judged[BOT].entry.sends, judged[OTHER].entry.fetches) == (6_000, 500)

    def test_the_first_packets_of_many_connections_are_no_asymmetric_route(self) -> None:
        """They have no answer yet: who sends much, and fetches, is an ordinary host."""
        ledger = Ledger(rule=CreditRule())
        ledger.update(Traffic(counted={BOT: (1_600, 900), OTHER: (100, 30)}), 1)
        ledger.learn(Details(one_way={BOT: 200, OTHER: 200}), 1)

        standings = {one.entry.address: one.standing for one in ledger.judged()}
        assert standings == {BOT: Standing.NORMAL, OTHER: Standing.ONE_WAY}
