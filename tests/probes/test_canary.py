"""Tests of the canary: silence of a target must never be our own blocked way out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

from botprobe.errors import ProbeUnavailable, RefusedByScope
from botprobe.model.results import PortState, Reply, SmtpResult
from botprobe.model.target import Target
from botprobe.probes.base import NoGauges
from botprobe.probes.canary import Canary, EgressState, GuardedSmtpProbe

GREETS = SmtpResult(port=PortState.OPEN, greeting=Reply(220, ("mx.example",)))
REFUSES = SmtpResult(port=PortState.OPEN, greeting=Reply(554, ("no",)))
SILENT = SmtpResult(port=PortState.OPEN, broke="no greeting in time")
CLOSED = SmtpResult(port=PortState.CLOSED)
FILTERED = SmtpResult(port=PortState.FILTERED)

HOST = Target(ip_address("198.18.10.1"))
HOST_6, SIXTH = Target(ip_address("2001:db8:10::1")), Target(ip_address("2001:db8:4::25"))
FIRST, SECOND = Target(ip_address("198.18.4.25")), Target(ip_address("198.18.4.26"))


@dataclass(slots=True)
class FakeSmtpProbe:
    """Answers from a table, and remembers whom it asked and how many at a time."""

    hosts: Mapping[Target, SmtpResult | Exception]
    asked: list[Target] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0
    most_under_way: int = 0

    async def run(self, target: Target) -> SmtpResult:
        """Answer after a turn of the loop."""
        self.asked.append(target)
        self.called.set()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        answer = self.hosts[target]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(slots=True)
class FakeGauges(NoGauges):
    """Remembers what it is told of canaries."""

    canaries: dict[int, bool] = field(default_factory=dict)

    def canary(self, place: int, *, greets: bool) -> None:
        """Remember it."""
        self.canaries[place] = greets


class TestEgress:
    async def test_unknown_without_canaries(self) -> None:
        """Nothing is proven where nobody was named."""
        egress = await Canary((), FakeSmtpProbe({})).egress()

        assert egress.state is EgressState.UNKNOWN
        assert "no canary is configured" in egress.because

    async def test_each_ip_version_has_its_own_way_out(self) -> None:
        """A greeting over IPv4 says nothing about IPv6, nor does a block."""
        probe = FakeSmtpProbe({FIRST: GREETS, SIXTH: FILTERED})
        canary = Canary((FIRST, SIXTH), probe)

        states = [(await canary.egress(version)).state for version in (4, 6)]

        assert states == [EgressState.OPEN, EgressState.BLOCKED]
        assert probe.asked == [FIRST, SIXTH]

    @pytest.mark.parametrize("greeting", [GREETS, REFUSES])
    async def test_open_if_the_first_greets(self, greeting: SmtpResult) -> None:
        """One greeting is enough, be it a refusal, and the others are left in peace."""
        probe = FakeSmtpProbe({FIRST: greeting})

        egress = await Canary((FIRST, SECOND), probe).egress()

        assert egress.state is EgressState.OPEN
        assert probe.asked == [FIRST]

    async def test_tells_how_each_canary_fares(self) -> None:
        """A canary is known by its place among all, whatever its version of IP."""
        gauges = FakeGauges()
        probe = FakeSmtpProbe({FIRST: FILTERED, SIXTH: GREETS, SECOND: GREETS})
        canary = Canary((FIRST, SIXTH, SECOND), probe, gauges=gauges)

        for version in (4, 6):
            await canary.egress(version)

        assert gauges.canaries == {1: False, 2: True, 3: True}

    async def test_open_if_any_greets(self) -> None:
        """A canary that is down for a day blocks nothing."""
        probe = FakeSmtpProbe({FIRST: FILTERED, SECOND: GREETS})

        assert (await Canary((FIRST, SECOND), probe).egress()).state is EgressState.OPEN

    @pytest.mark.parametrize(
        "answer", [FILTERED, CLOSED, SILENT, RefusedByScope("no"), ProbeUnavailable("no route")]
    )
    async def test_blocked_if_none_greets(self, answer: SmtpResult | Exception) -> None:
        """Refusal, silence and trouble of our own all mean that no greeting gets through."""
        probe = FakeSmtpProbe({FIRST: answer, SECOND: FILTERED})

        egress = await Canary((FIRST, SECOND), probe).egress()

        assert egress.state is EgressState.BLOCKED
        assert egress.because.startswith("egress blocked: none of 2 canaries answers on 25")
        assert str(FIRST) in egress.because

    async def test_many_askers_cause_one_check(self) -> None:
        """However many targets are silent at once, the canary is asked once."""
        probe = FakeSmtpProbe({FIRST: GREETS})
        canary = Canary((FIRST,), probe)

        states = await asyncio.gather(*(canary.egress() for _ in range(50)))

        assert {egress.state for egress in states} == {EgressState.OPEN}
        assert probe.asked == [FIRST]

    async def test_an_old_answer_is_asked_again(self) -> None:
        """The way out may have been blocked since."""
        probe = FakeSmtpProbe({FIRST: GREETS})
        canary = Canary((FIRST,), probe, max_age=-1)
        assert (await canary.egress()).state is EgressState.OPEN

        probe.hosts = {FIRST: FILTERED}

        assert (await canary.egress()).state is EgressState.BLOCKED

    async def test_an_unfinished_check_renews_nothing(self) -> None:
        """Whoever gives up waiting leaves an old answer as old as it was."""
        now = [0.0]
        probe = FakeSmtpProbe({FIRST: GREETS})
        canary = Canary((FIRST,), probe, max_age=10, clock=lambda: now[0])
        await canary.egress()
        now[0], probe.hosts = 11.0, {FIRST: FILTERED}
        probe.called.clear()

        async with asyncio.TaskGroup() as group:
            impatient = group.create_task(canary.egress())
            await probe.called.wait()
            impatient.cancel()

        assert (await canary.egress()).state is EgressState.BLOCKED

    async def test_checks_do_not_overlap(self) -> None:
        """The canary sees one session of ours at a time."""
        probe = FakeSmtpProbe({FIRST: GREETS})
        canary = Canary((FIRST,), probe, max_age=-1)

        await asyncio.gather(*(canary.egress() for _ in range(5)))

        assert probe.most_under_way == 1


class TestGuardedSmtpProbe:
    @pytest.mark.parametrize("greeting", [GREETS, REFUSES])
    async def test_a_greeting_proves_itself(self, greeting: SmtpResult) -> None:
        """Who greets needs no canary."""
        probe = FakeSmtpProbe({HOST: greeting})
        guarded = GuardedSmtpProbe(probe=probe, canary=Canary((), probe))

        assert await guarded.run(HOST) == greeting

    @pytest.mark.parametrize("answer", [CLOSED, FILTERED, SILENT])
    async def test_silence_counts_while_a_canary_greets(self, answer: SmtpResult) -> None:
        """With the way out proven, no server is what it looks like."""
        probe = FakeSmtpProbe({HOST: answer, FIRST: GREETS})
        guarded = GuardedSmtpProbe(probe=probe, canary=Canary((FIRST,), probe))

        assert await guarded.run(HOST) == answer

    @pytest.mark.parametrize("answer", [CLOSED, FILTERED, SILENT])
    @pytest.mark.parametrize(
        ("canaries", "reason"), [((), "no canary is configured"), ((FIRST,), "egress blocked")]
    )
    async def test_silence_is_no_result_without_proof(
        self, answer: SmtpResult, canaries: Sequence[Target], reason: str
    ) -> None:
        """No answer is never no server: a reset or a drop may come from our own provider."""
        probe = FakeSmtpProbe({HOST: answer, FIRST: FILTERED})
        guarded = GuardedSmtpProbe(probe=probe, canary=Canary(canaries, probe))

        with pytest.raises(ProbeUnavailable, match=reason):
            await guarded.run(HOST)

    async def test_canaries_of_the_other_ip_version_prove_nothing(self) -> None:
        """Where IPv6 was never seen to leave, silence over IPv6 may be ours."""
        probe = FakeSmtpProbe({HOST_6: FILTERED, FIRST: GREETS})
        guarded = GuardedSmtpProbe(probe=probe, canary=Canary((FIRST,), probe))

        with pytest.raises(ProbeUnavailable, match="no canary is configured for IPv6"):
            await guarded.run(HOST_6)

    async def test_the_canary_is_asked_after_the_silence(self) -> None:
        """A way out that was blocked in between is noticed."""
        probe = FakeSmtpProbe({HOST: FILTERED, FIRST: GREETS})

        await GuardedSmtpProbe(probe=probe, canary=Canary((FIRST,), probe)).run(HOST)

        assert probe.asked == [HOST, FIRST]
