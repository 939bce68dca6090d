"""From hops to targets, from a target to its case."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from botprobe.errors import ProbeUnavailable, RefusedByScope
from botprobe.model.facts import NOT_ASKED, Facts
from botprobe.model.mail import (
    Boundary,
    BoundaryBasis,
    Hop,
    HopStatus,
    IpAddress,
    Mail,
    Trust,
)
from botprobe.model.observation import Observation
from botprobe.model.origin import Origin
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.results import (
    MailLogTraffic,
    OsResult,
    PingResult,
    TrafficResult,
    WindowsResult,
)
from botprobe.model.target import Target
from botprobe.model.verdict import Label, Verdict
from botprobe.pipeline import Account, Candidate, Pipeline, Probes, candidates
from botprobe.scope.addresses import Scope
from botprobe.scope.budget import Budget, Limits
from botprobe.scope.parties import AutonomousSystem, Domain
from tests.cases import HOST, NOON, bot_case, sighting
from tests.fakes import FakeProbe, FakeStore, FakeWatcher, silent_probes

LAB = Scope(allow=(ip_network("198.18.0.0/15"),))


def mail_with(*hops: tuple[Trust | None, str | None], file: str = "new/1.mail") -> Mail:
    """Return a mail whose chain has these hops, newest first."""
    return Mail(
        file=file,
        delivered_at=NOON,
        boundary=Boundary(
            basis=BoundaryBasis.CONFIG,
            hop=next((n for n, (trust, _) in enumerate(hops) if trust is Trust.BOUNDARY), None),
        ),
        hops=tuple(
            Hop(
                index=index,
                status=HopStatus.PARSED,
                raw="",
                trust=trust,
                ip=ip_address(ip) if ip else None,
            )
            for index, (trust, ip) in enumerate(hops)
        ),
    )


class FakeJudge:
    """A judge who knows nothing, and says so."""

    def __call__(self, facts: Facts, target: Target, lag_seconds: float | None) -> Verdict:
        """Judge a host that was asked."""
        return Verdict(label=Label.UNKNOWN, probability=0.5)

    def not_probed(self, reason: str) -> Verdict:
        """Judge a host that was not."""
        return Verdict(label=Label.NOT_PROBED, probability=0.25, would_change=(reason,))


def pipeline_with(
    store: FakeStore | None = None,
    probes: Probes | None = None,
    scope: Scope = LAB,
    *,
    fresh: bool = False,
) -> Pipeline:
    """Return a pipeline of fakes in which it is always noon."""
    kept = store or FakeStore()
    return Pipeline(
        probes=probes or silent_probes(),
        scope=scope,
        budget=Budget(Limits()),
        store=kept,
        dossier=kept,
        ledger=kept,
        account=Account(owner="trap:1"),
        judge=FakeJudge(),
        watcher=FakeWatcher(),
        fresh=fresh,
        now=lambda: NOON,
    )


class TestCandidates:
    def test_takes_the_outside_hops_of_a_mail(self) -> None:
        """Our own hosts and hops without an address are nobody to probe."""
        mail = mail_with(
            (Trust.OWN, "198.18.0.5"),
            (Trust.BOUNDARY, "198.18.10.1"),
            (None, None),
            (Trust.CLAIMED, "198.18.10.2"),
        )

        found = candidates([mail], "all", 4)

        assert [str(item.target) for item in found] == ["198.18.10.1", "198.18.10.2"]
        assert all(item.refused is None for item in found)

    @pytest.mark.parametrize(
        ("choice", "probed"),
        [
            ("boundary", {"198.18.10.1"}),
            ("all", {"198.18.10.1", "198.18.10.2"}),
            ("all,forged", {"198.18.10.1", "198.18.10.2", "198.18.10.3", "198.18.10.4"}),
        ],
    )
    def test_asks_whom_the_choice_names(self, choice: str, probed: set[str]) -> None:
        """The others stay in the result, with the reason why they are not probed."""
        mail = mail_with(
            (Trust.BOUNDARY, "198.18.10.1"),
            (Trust.CLAIMED, "198.18.10.2"),
            (Trust.FORGED, "198.18.10.3"),
            (Trust.SYNTHETIC, "198.18.10.4"),
        )

        found = candidates([mail], choice, 4)

        assert len(found) == 4
        assert {str(item.target) for item in found if item.refused is None} == probed

    def test_an_originating_field_is_asked_only_where_it_is_the_boundary(self) -> None:
        """Anybody can write X-Originating-IP, and so have an innocent host called a bot."""
        written_by_anybody = mail_with(
            (Trust.BOUNDARY, "198.18.10.9"), (Trust.SYNTHETIC, str(HOST))
        )
        webmail = replace(
            mail_with((Trust.OWN, "198.18.0.5"), (Trust.SYNTHETIC, str(HOST))),
            boundary=Boundary(basis=BoundaryBasis.CONFIG, hop=1),
        )

        assert candidates([written_by_anybody], "all", 4)[1].refused == "the hop is synthetic"
        (asked,) = candidates([webmail], "all", 4)
        assert asked.refused is None
        assert asked.target.sightings[0].trust is Trust.BOUNDARY

    def test_one_mail_causes_few_probes_and_its_boundary_is_one_of_them(self) -> None:
        """A header stuffed with a hundred victims does not make us probe them."""
        claimed = [(Trust.CLAIMED, f"198.18.11.{number}") for number in range(100)]
        mail = mail_with(*claimed, (Trust.BOUNDARY, "198.18.10.1"))

        found = candidates([mail], "all", 4)
        allowed = [str(item.target) for item in found if item.refused is None]

        assert len(found) == 101
        assert len(allowed) == 4
        assert allowed[0] == "198.18.10.1"

    def test_one_address_of_many_mails_is_one_target(self) -> None:
        """Ten thousand mails of one bot are one investigation and ten thousand sightings."""
        mails = [mail_with((Trust.BOUNDARY, str(HOST)), file=f"new/{n}") for n in range(10)]

        (only,) = candidates(mails, "all", 4)

        assert [seen.file for seen in only.target.sightings] == [f"new/{n}" for n in range(10)]

    def test_a_sighting_keeps_what_the_verdict_needs(self) -> None:
        """Who logged in must not be judged as a stranger: HELO, login and times go along."""
        mail = mail_with((Trust.BOUNDARY, str(HOST)))
        (hop,) = mail.hops
        mail = replace(mail, hops=(structs.replace(hop, helo="laptop", auth="anna", at=NOON),))

        (seen,) = candidates([mail], "all", 4)[0].target.sightings

        assert (seen.helo, seen.auth, seen.at, seen.delivered_at) == ("laptop", "anna", NOON, NOON)

    def test_permission_of_one_mail_is_enough(self) -> None:
        """An address that one mail may not have probed is probed for another that may."""
        forged = mail_with((Trust.FORGED, str(HOST)))
        honest = mail_with((Trust.BOUNDARY, str(HOST)))

        assert candidates([forged], "all", 4)[0].refused == "the hop is forged"
        assert candidates([forged, honest], "all", 4)[0].refused is None
        assert candidates([honest, forged], "all", 4)[0].refused is None

    @given(st.lists(st.lists(st.sampled_from(Trust), max_size=8), max_size=5), st.integers(0, 4))
    def test_no_mail_exceeds_its_share(self, chains: list[list[Trust]], most: int) -> None:
        """Whatever the headers say, probes are bounded by mails times the limit."""
        mails = [
            mail_with(*[(trust, f"198.18.{n}.{i}") for i, trust in enumerate(chain)])
            for n, chain in enumerate(chains)
        ]

        allowed = [item for item in candidates(mails, "all", most) if item.refused is None]

        assert len(allowed) <= most * len(mails)


class TestInvestigate:
    async def test_asks_every_probe_and_keeps_each_outcome(self) -> None:
        """A probe that cannot measure does not stop the others."""
        probes = replace(silent_probes(), os=FakeProbe(ProbeUnavailable("no raw socket")))

        case = await pipeline_with(probes=probes).investigate(Candidate(Target(HOST)))

        assert case.refused is None
        assert case.facts.os == NotMeasured("no raw socket")
        assert isinstance(case.facts.ping, Measured)
        assert case.facts.ping.result == PingResult(sent=3, received=0)

    async def test_one_answer_may_call_for_another_question(self) -> None:
        """What the stack leaves open is asked of the services, with the stack's result at hand."""
        told = WindowsResult()
        seen: list[OsResult] = []

        def follow_up(result: OsResult) -> FakeProbe[WindowsResult]:
            seen.append(result)
            return FakeProbe(told)

        probes = replace(silent_probes(), windows=follow_up)

        case = await pipeline_with(probes=probes).investigate(Candidate(Target(HOST)))

        assert isinstance(case.facts.os, Measured)
        assert isinstance(case.facts.windows, Measured)
        assert seen == [case.facts.os.result]
        assert case.facts.windows.result is told

    async def test_nothing_follows_from_what_was_not_measured(self) -> None:
        """Without a stack there is no question about it, and what is off is not asked."""
        unable = FakeProbe[OsResult](ProbeUnavailable("no raw socket"))
        never = FakeProbe[WindowsResult](WindowsResult())
        probes = replace(silent_probes(), os=unable, windows=lambda _: never)

        case = await pipeline_with(probes=probes).investigate(Candidate(Target(HOST)))

        assert case.facts.windows == case.facts.dnsbl == case.facts.proxy == NOT_ASKED
        assert never.asked == []

    async def test_takes_what_the_observers_saw(self) -> None:
        """The dossier is a fact like what a probe found; an empty one is not measured."""
        store = FakeStore()
        saw = MailLogTraffic(connects=900, accepted=0)
        await store.observe([Observation(address=HOST, seen=NOON, saw=saw)])

        case = await pipeline_with(store).investigate(Candidate(Target(HOST)))
        other = await pipeline_with().investigate(Candidate(Target(HOST)))

        assert case.facts.traffic == Measured(TrafficResult(maillog=saw), NOON, 0.0)
        assert other.facts.traffic == NotMeasured("nothing observed")

    async def test_another_place_is_a_witness(self) -> None:
        """Where there are several places, the look before is a fact; alone, there is nothing."""
        store = FakeStore()
        await store.add_case(replace(bot_case(), vantage="lisbon", started=NOON))
        pipeline = replace(pipeline_with(store), now=lambda: NOON, fresh=True)

        case = await replace(pipeline, vantage="vienna").investigate(Candidate(Target(HOST)))
        alone = await pipeline.investigate(Candidate(Target(HOST)))

        assert isinstance(case.facts.elsewhere, Measured)
        assert case.facts.elsewhere.result.vantage == "lisbon"
        assert alone.facts.elsewhere is NOT_ASKED

    async def test_a_refused_address_is_asked_nothing(self) -> None:
        """Outside of the scope no probe is even started."""
        probes = silent_probes()
        pipeline = pipeline_with(probes=probes, scope=Scope())

        case = await pipeline.investigate(Candidate(Target(HOST)))

        assert case.refused == "benchmarking, RFC 2544"
        assert case.verdict.label is Label.NOT_PROBED
        assert isinstance(probes.ping, FakeProbe)
        assert probes.ping.asked == []

    async def test_a_host_in_its_cool_down_is_judged_by_what_it_answered_before(self) -> None:
        """The earlier facts stand, and what the new mail says of the host counts as well."""
        known = bot_case()
        pipeline = pipeline_with(store=FakeStore(kept=[known]))
        pipeline.budget.remember([(HOST, NOON - timedelta(hours=1))])
        later = replace(sighting(), delivered_at=NOON + timedelta(minutes=30))

        case = await pipeline.investigate(Candidate(Target(HOST, (later,))))

        assert case.facts == known.facts
        assert case.target.sightings == (later,)
        assert case.verdict.label is Label.UNKNOWN  # the judge of this test says so of everybody
        assert case.lag_seconds == -1800
        assert "cool-down" in (case.refused or "")

    async def test_fresh_probes_again(self) -> None:
        """An operator may ask again by name."""
        pipeline = pipeline_with(fresh=True)
        pipeline.budget.remember([(HOST, NOON)])

        assert (await pipeline.investigate(Candidate(Target(HOST)))).refused is None

    async def test_counts_the_lag_from_the_newest_delivery(self) -> None:
        """The delay between delivery and probe is part of the case; the future is no delay."""
        times = (NOON - timedelta(hours=2), NOON - timedelta(minutes=1), None)
        seen = tuple(replace(sighting(), delivered_at=time) for time in times)
        future = (replace(sighting(), delivered_at=NOON + timedelta(days=1)),)
        skewed = (replace(sighting(), delivered_at=NOON + timedelta(minutes=1)),)

        case = await pipeline_with().investigate(Candidate(Target(HOST, seen)))
        strange = await pipeline_with().investigate(Candidate(Target(HOST, future)))

        assert case.lag_seconds == 60
        assert strange.lag_seconds is None
        skew = await pipeline_with().investigate(Candidate(Target(HOST, skewed)))
        assert skew.lag_seconds == 0

    async def test_a_forged_line_of_today_does_not_freshen_an_old_delivery(self) -> None:
        """Where we saw the host deliver, only that counts for the lag."""
        old = replace(sighting(), delivered_at=NOON - timedelta(days=30))
        forged = replace(sighting(), trust=Trust.FORGED, delivered_at=NOON)

        case = await pipeline_with().investigate(Candidate(Target(HOST, (old, forged))))

        assert case.lag_seconds == timedelta(days=30).total_seconds()

    async def test_tells_the_watcher(self) -> None:
        """Progress can be shown: start, each probe, end."""
        pipeline = pipeline_with()
        await pipeline.investigate(Candidate(Target(HOST)))

        assert isinstance(pipeline.watcher, FakeWatcher)
        assert pipeline.watcher.told[0] == f"started {HOST}"
        assert pipeline.watcher.told[-1] == f"finished {HOST} unknown"
        assert len(pipeline.watcher.told) == 6

    async def test_keeps_the_reason_of_a_refused_candidate(self) -> None:
        """What a mail may not cause is a case without facts."""
        case = await pipeline_with().investigate(Candidate(Target(HOST), "the hop is forged"))

        assert case.verdict == FakeJudge().not_probed("the hop is forged")
        assert case.facts == Facts()


class TestOwners:
    @pytest.mark.parametrize(
        ("origin", "refused"),
        [
            (Origin(names=("dsl-1.example.net",)), "opted out"),
            (Origin(names=("mx.example.org",), asn=64500), "opted out"),
            (Origin(names=("mx.example.org",)), None),
            (Origin(names=(), asn=64501), None),
            (Origin(names=None, asn=64501), "opt-out unknown: no resolver tells its name"),
            (Origin(names=None, asn=64500), "opted out"),
        ],
    )
    async def test_owners_are_asked_for_before_anything_is_sent(
        self, origin: Origin, refused: str | None
    ) -> None:
        """By name and by AS; where the resolver is silent, nobody is probed who may have asked."""
        asked = []

        async def origin_of(address: IpAddress) -> Origin:
            asked.append(address)
            return origin

        scope = replace(LAB, opted_out=(Domain("example.net"), AutonomousSystem(64500)))
        ping = FakeProbe(PingResult(sent=1, received=1))
        pipeline = pipeline_with(probes=replace(silent_probes(), ping=ping), scope=scope)
        pipeline = replace(pipeline, origin_of=origin_of)

        case = await pipeline.investigate(Candidate(Target(HOST)))

        assert asked == [HOST]
        assert case.refused == refused
        assert len(ping.asked) == (refused is None)
        assert scope.origins == {}

    async def test_nobody_is_looked_up_without_need(self) -> None:
        """The resolver learns of no address that is refused anyway, or that no entry asks for."""
        looked_up = []

        async def origin_of(address: IpAddress) -> Origin:
            looked_up.append(address)
            return Origin()

        refused = replace(LAB, opted_out=(ip_network(f"{HOST}/32"), Domain("example.net")))
        pipelines = [
            replace(pipeline_with(scope=scope), origin_of=origin_of) for scope in (LAB, refused)
        ]
        cases = [await each.investigate(Candidate(Target(HOST))) for each in pipelines]

        assert [case.refused for case in cases] == [None, "opted out"]
        assert looked_up == []

    async def test_the_socket_refuses_whom_nobody_looked_up(self) -> None:
        """An owner that opts out meanwhile is not asked because the look-up came before."""
        scope = replace(LAB, opted_out=(Domain("example.net"),))

        with pytest.raises(RefusedByScope, match="nobody looked up whose it is"):
            scope.require(HOST)
        scope.learn(HOST, Origin(names=()))
        scope.require(HOST)
