"""Tests of the verdict."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from botprobe.classify.alternatives import alternatives
from botprobe.classify.classifier import (
    ACTIVE_FAMILIES,
    MAX_CHANGES,
    form_opinion,
    judge,
    not_probed,
)
from botprobe.classify.mailfunction import SmtpFunction, mail_function
from botprobe.classify.receipt import read_receipts
from botprobe.classify.subject import read_subject
from botprobe.classify.weights import NEVER_LATE, probability_of
from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.outcome import Measured, NotMeasured
from botprobe.model.results import (
    OpenDoor,
    OsResult,
    ProxyProtocol,
    ProxyResult,
    RouterTraffic,
    TrafficResult,
    WindowsAnswer,
    WindowsResult,
)
from botprobe.model.target import Target
from botprobe.model.verdict import Family, Label, Verdict
from tests.classify.builders import (
    ALIVE,
    CLOSED,
    DEAD,
    DYNAMIC_NAME,
    FILTERED,
    LINUX,
    NAMED_BY_OPERATOR,
    PRINTER,
    REFUSES,
    ROUTER,
    SERVER,
    SEVEN,
    SILENT,
    TAKES_MAIL,
    XP,
    delivered,
    measured,
    named,
    sealed,
    seen,
    shipped_weights,
    system,
)
from tests.classify.strategies import FACTS, LAGS, TARGETS

WEIGHTS = shipped_weights()
DYNAMIC = named(DYNAMIC_NAME)
HOUR = 3600.0
RULES = st.sampled_from(sorted(WEIGHTS.rules))


def verdict_on(facts: Facts, target: Target = NAMED_BY_OPERATOR, lag: float = 5) -> Verdict:
    """The verdict of the shipped table."""
    return judge(facts, target, WEIGHTS, lag)


class TestMissionRule:
    @pytest.mark.parametrize(
        ("facts", "decided"),
        [
            (Facts(os=system(XP), smtp=CLOSED), True),
            (Facts(os=system(XP), smtp=FILTERED), True),
            (Facts(os=system(XP), smtp=SILENT), True),
            (Facts(os=system(XP), smtp=REFUSES), False),
            (Facts(os=system(XP), smtp=TAKES_MAIL), False),
            (Facts(os=system(XP)), None),
            (Facts(os=system(SEVEN, SERVER), smtp=CLOSED), None),
            (Facts(os=system(), smtp=CLOSED), None),
            (Facts(smtp=CLOSED), None),
            (Facts(), None),
            (Facts(os=system(LINUX)), False),
            (Facts(os=system(SERVER), smtp=CLOSED), False),
            (Facts(smtp=TAKES_MAIL), False),
            (Facts(os=system(XP, opened=(25,)), smtp=CLOSED), None),
            (Facts(os=system(XP, opened=range(20, 32), closed=()), smtp=SILENT), None),
        ],
    )
    def test_is_decided_only_by_what_was_measured(
        self, facts: Facts, *, decided: bool | None
    ) -> None:
        """Client Windows and no mail service; open where either half is, unless one denies it."""
        assert verdict_on(facts).client_windows_without_mail_service is decided


class TestLabel:
    @pytest.mark.parametrize(
        ("facts", "target", "label"),
        [
            (Facts(os=system(XP), smtp=CLOSED), NAMED_BY_OPERATOR, Label.BOT),
            (Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC), delivered(), Label.BOT),
            (
                Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC),
                seen((Trust.CLAIMED, None)),
                Label.SUSPECTED_BOT,
            ),
            (
                Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC),
                seen((Trust.CLAIMED, None), (Trust.BOUNDARY, None)),
                Label.BOT,
            ),
            (Facts(os=system(XP), smtp=SILENT, dns=DYNAMIC), delivered(), Label.BOT),
            # A stack that editions share is suspicious, and a bot only with a second family.
            (
                Facts(os=system(SEVEN, SERVER), smtp=CLOSED, dns=DYNAMIC),
                delivered(),
                Label.SUSPECTED_BOT,
            ),
            (
                Facts(os=system(SEVEN, SERVER), smtp=CLOSED, dns=DYNAMIC),
                delivered("localhost"),
                Label.BOT,
            ),
            (Facts(os=system(SEVEN, SERVER), smtp=CLOSED), NAMED_BY_OPERATOR, Label.UNKNOWN),
            # Without a look for its mail server nobody is a bot.
            (Facts(os=system(XP), dns=DYNAMIC), delivered("localhost"), Label.SUSPECTED_BOT),
            # Mail servers, whatever they look like otherwise.
            (Facts(os=system(LINUX), smtp=TAKES_MAIL, dns=DYNAMIC), delivered(), Label.MAIL_SERVER),
            (Facts(os=system(XP), smtp=TAKES_MAIL, dns=DYNAMIC), delivered(), Label.MAIL_SERVER),
            (Facts(os=system(LINUX), smtp=REFUSES), delivered(), Label.MAIL_SERVER),
            (Facts(os=system(ROUTER), smtp=TAKES_MAIL), delivered(), Label.MAIL_SERVER),
            # Servers of something else.
            (Facts(os=system(SERVER), smtp=CLOSED), delivered(), Label.OTHER_SERVER),
            (Facts(os=system(LINUX), smtp=CLOSED, dns=named()), delivered(), Label.OTHER_SERVER),
            # Somebody behind it.
            (Facts(os=system(ROUTER), smtp=CLOSED, dns=DYNAMIC), delivered(), Label.NAT_OR_SHARED),
            (
                Facts(os=system(ROUTER), smtp=CLOSED, dns=DYNAMIC),
                delivered("localhost"),
                Label.SUSPECTED_BOT,
            ),
            # Silence.
            (Facts(ping=DEAD, os=sealed(), smtp=FILTERED), delivered(), Label.UNREACHABLE),
            (
                Facts(ping=DEAD, os=NotMeasured("no raw socket"), smtp=FILTERED),
                delivered(),
                Label.UNKNOWN,
            ),
            (Facts(ping=ALIVE, os=sealed(), smtp=FILTERED), NAMED_BY_OPERATOR, Label.UNKNOWN),
            # nmap gave up before it had tried a port: nobody knows whether one would answer.
            (
                Facts(ping=DEAD, os=measured(OsResult(timed_out=True)), smtp=FILTERED),
                NAMED_BY_OPERATOR,
                Label.UNKNOWN,
            ),
            # Nobody answered, so nobody was found to have no mail server.
            (
                Facts(ping=DEAD, os=sealed(), smtp=FILTERED, dns=DYNAMIC),
                delivered("localhost"),
                Label.SUSPECTED_BOT,
            ),
            # However bad a HELO is, it is one family.
            (Facts(smtp=CLOSED), delivered("localhost", "203.0.113.9"), Label.SUSPECTED_BOT),
            # A stack without a service serves nothing.
            (Facts(os=system(LINUX, opened=()), smtp=CLOSED), NAMED_BY_OPERATOR, Label.UNKNOWN),
            (Facts(os=system(PRINTER), smtp=CLOSED), NAMED_BY_OPERATOR, Label.UNKNOWN),
            (Facts(), NAMED_BY_OPERATOR, Label.UNKNOWN),
        ],
    )
    def test_hosts_are_called_what_they_showed(
        self, facts: Facts, target: Target, label: Label
    ) -> None:
        """One line for each kind of host that the labels are made for."""
        assert verdict_on(facts, target).label is label

    @pytest.mark.parametrize("smtp", [CLOSED, SILENT, REFUSES, TAKES_MAIL])
    def test_liar_is_neither_bot_nor_mail_server(self, smtp: Measured[object]) -> None:
        """Who answers on every port is believed on none."""
        liar = system(XP, opened=range(20, 32), closed=())
        verdict = verdict_on(Facts(ping=ALIVE, os=liar, smtp=smtp), delivered())  # type: ignore[arg-type]  # a union of builders

        assert verdict.label is Label.NAT_OR_SHARED
        assert "answers-everywhere" in {item.rule for item in verdict.evidence}
        assert not [change for change in verdict.would_change if "Windows" in change]

    def test_services_of_two_systems_are_nobodys_in_particular(self) -> None:
        """One says Windows 7, another Server 2022: a router passes the ports on."""
        facts = Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC)
        answers = (
            WindowsAnswer(port=3389, script="rdp-ntlm-info", version="10.0.20348"),
            WindowsAnswer(port=445, script="smb-os-discovery", product="Windows 7 Professional"),
        )
        verdict = verdict_on(replace(facts, windows=measured(WindowsResult(answers=answers))))

        assert verdict.label is Label.NAT_OR_SHARED
        assert verdict.client_windows_without_mail_service is None
        assert "hides-a-windows" in {item.rule for item in verdict.evidence}

    def test_strong_contrary_evidence_prevents_a_bot(self) -> None:
        """A client Windows where an MX points is at most suspected."""
        facts = Facts(
            os=system(XP), smtp=CLOSED, dns=named("www.firm.example", mx_points_here=True)
        )

        assert verdict_on(facts, delivered("localhost")).label is Label.SUSPECTED_BOT

    def test_users_who_logged_in_are_not_called_bots(self) -> None:
        """Their computers are client systems without a mail server by nature."""
        facts = Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC)

        assert verdict_on(facts, delivered("PC", auth="bob")).label is not Label.BOT

    def test_an_open_proxy_is_called_one(self) -> None:
        """Whatever else speaks for a bot, the proof is of another thing."""
        door = OpenDoor(port=1080, protocol=ProxyProtocol.SOCKS5, seen_from="198.18.10.1")
        bot = Facts(ping=ALIVE, os=system(XP), smtp=CLOSED)
        proxy = replace(bot, proxy=measured(ProxyResult(open=(door,))))

        assert verdict_on(bot, delivered("localhost")).label is Label.BOT
        assert verdict_on(proxy, delivered("localhost")).label is Label.OPEN_PROXY

    def test_not_probed_says_why(self) -> None:
        """A refusal is a verdict of its own and knows nothing: its probability is the prior's."""
        verdict = not_probed("on the opt-out list", WEIGHTS)

        assert verdict.label is Label.NOT_PROBED
        assert verdict.probability == pytest.approx(0.26)
        assert probability_of(verdict.prior) == verdict.probability
        assert verdict.rules == WEIGHTS.label
        assert "on the opt-out list" in verdict.would_change[0]


class TestCaps:
    def test_one_family_counts_no_more_than_its_cap(self) -> None:
        """Two lies at the door are one kind of evidence, and are shown to add up to the cap."""
        verdict = verdict_on(Facts(), delivered("localhost", "203.0.113.9"))
        weights = {item.rule: item.weight for item in verdict.evidence}

        assert set(weights) == {"delivered", "helo-localhost", "helo-foreign-address"}
        assert sum(weights.values()) == pytest.approx(WEIGHTS.caps[Family.RECEIPT])
        assert (
            weights["helo-foreign-address"] > weights["helo-localhost"] > weights["delivered"] > 0
        )


class TestLateProbe:
    def test_weakens_the_verdict_on_a_dynamic_address(self) -> None:
        """Three days later the line may be somebody else's."""
        facts = Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC)
        early, late = (verdict_on(facts, delivered(), lag) for lag in (5, 72 * HOUR))

        assert early.label is Label.BOT
        assert late.label is not Label.BOT
        assert late.probability < early.probability
        assert any("probed late" in item.because for item in late.evidence)

    def test_nobody_is_called_a_bot_too_late(self) -> None:
        """A look for the mail server two days later is a look at somebody else's."""
        facts = Facts(os=system(SEVEN, SERVER), smtp=CLOSED, dns=DYNAMIC)
        early, late = (verdict_on(facts, delivered("localhost"), lag) for lag in (5, 48 * HOUR))

        assert early.label is Label.BOT
        assert late.label is Label.SUSPECTED_BOT

    def test_unknown_delay_names_no_bot(self) -> None:
        """A delivery without a date may be as old as the last customer; unknown is not none."""
        facts = Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC)
        undated = judge(facts, delivered("localhost"), WEIGHTS, None)

        assert undated.label is Label.SUSPECTED_BOT
        assert "a probe at the time of delivery would make it bot" in undated.would_change
        assert judge(facts, NAMED_BY_OPERATOR, WEIGHTS, None).label is Label.BOT

    def test_unknown_delay_leaves_a_lasting_address_alone(self) -> None:
        """Where nobody moves, no date is needed."""
        facts = Facts(os=system(XP), smtp=CLOSED, dns=named("www.firm.example"))

        assert judge(facts, delivered("localhost"), WEIGHTS, None).label is Label.BOT

    def test_weakens_what_the_delivery_said(self) -> None:
        """Who said HELO as localhost last month need not be who has the line today."""
        early, late = (
            sum(item.weight for item in verdict.evidence if item.family is Family.RECEIPT)
            for lag in (5, 72 * HOUR)
            for verdict in [verdict_on(Facts(dns=DYNAMIC), delivered("localhost"), lag)]
        )

        assert 0 < late < early / 4

    @pytest.mark.parametrize("at", [datetime(2026, 10, 22, tzinfo=UTC), None])
    def test_forgets_deliveries_of_former_customers(self, at: datetime | None) -> None:
        """The HELO of a delivery long before the newest, or without a date, is not the host's."""
        newest = delivered("mail.firm.example", at=datetime(2026, 11, 22, tzinfo=UTC))
        former = delivered("localhost", at=at)
        both = replace(newest, sightings=newest.sightings + former.sightings)
        facts = Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC)

        assert verdict_on(facts, both).evidence == verdict_on(facts, newest).evidence

    def test_forgets_nothing_where_the_delay_does_not_matter(self) -> None:
        """An operator may say that addresses do not change hands, whatever their names."""
        mails = (
            delivered("localhost", at=datetime(2006, 1, 1, tzinfo=UTC)),
            delivered("mail.firm.example", at=datetime(2026, 1, 1, tzinfo=UTC)),
        )
        target = Target(mails[0].address, tuple(one for mail in mails for one in mail.sightings))
        timeless = replace(WEIGHTS, lag=NEVER_LATE)
        verdict = judge(Facts(dns=DYNAMIC), target, timeless, 1e9)

        assert "helo-localhost" in {item.rule for item in verdict.evidence}
        assert not [item for item in verdict.evidence if "late" in item.because]

    def test_leaves_a_lasting_address_alone(self) -> None:
        """A confirmed name that no provider made up stays where it is."""
        facts = Facts(os=system(XP), smtp=CLOSED, dns=named("www.firm.example"))
        early, late = (verdict_on(facts, delivered(), lag) for lag in (5, 72 * HOUR))

        assert early == replace(late, would_change=early.would_change)

    def test_unconfirmed_name_proves_no_lasting_address(self) -> None:
        """A name that leads nowhere may be as old as the last customer."""
        facts = Facts(os=system(XP), smtp=CLOSED, dns=named("www.firm.example", confirmed=False))
        early, late = (verdict_on(facts, delivered(), lag) for lag in (5, 72 * HOUR))

        assert late.probability < early.probability

    def test_keeps_what_excuses(self) -> None:
        """A mail server that answers late has not answered less."""
        facts = Facts(smtp=TAKES_MAIL, dns=DYNAMIC)
        weights = {
            item.weight
            for lag in (5, 72 * HOUR)
            for item in verdict_on(facts, delivered(), lag).evidence
            if item.rule == "speaks-smtp"
        }

        assert weights == {WEIGHTS.rules["speaks-smtp"]}


class TestObservedAtAnotherTime:
    def test_fades_where_the_address_may_be_anothers(self) -> None:
        """What a router saw last month says little of who has the line today."""
        traffic = TrafficResult(
            router=RouterTraffic(credit=900, smtp_packets=900, pop_imap_packets=0)
        )
        today = measured(traffic)
        before = replace(today, started=today.started - timedelta(days=10))

        def weight(traffic: Measured[TrafficResult], facts: Facts) -> float:
            verdict = verdict_on(replace(facts, traffic=traffic), delivered(), lag=0)
            return sum(one.weight for one in verdict.evidence if one.family is Family.TRAFFIC)

        dynamic, lasting = Facts(ping=ALIVE, dns=DYNAMIC), Facts(ping=ALIVE, dns=named("www.a.b"))

        assert weight(today, dynamic) == WEIGHTS.rules["sends-without-fetching"]
        assert 0 < weight(before, dynamic) < 0.01
        assert weight(before, lasting) == WEIGHTS.rules["sends-without-fetching"]


class TestWouldChange:
    def test_names_the_nearest_changes_first(self) -> None:
        """Each is a label that the altered facts were given."""
        changes = verdict_on(Facts(os=system(XP), smtp=CLOSED), delivered()).would_change

        assert "a mail server on port 25 would make it mail-server" in changes
        assert 0 < len(changes) <= MAX_CHANGES

    def test_says_what_was_not_measured(self) -> None:
        """What could not be asked is where the next look should go."""
        changes = verdict_on(Facts(os=system(XP), dns=DYNAMIC), delivered()).would_change

        assert "a closed port 25 (not measured so far) would make it bot" in changes

    def test_a_delivery_to_us_is_one(self) -> None:
        """Who is named by others only is told what is missing, and is never called a bot."""
        facts = Facts(os=system(XP), smtp=CLOSED, dns=DYNAMIC)
        verdict = verdict_on(facts, seen((Trust.CLAIMED, None)))

        assert verdict.client_windows_without_mail_service
        assert "a delivery that a server of ours saw would make it bot" in verdict.would_change
        assert any("no server of ours saw it deliver" in item.because for item in verdict.evidence)

    def test_a_timely_probe_is_one(self) -> None:
        """A verdict that only the delay has weakened says so."""
        facts = Facts(os=system(SERVER), smtp=CLOSED, dns=DYNAMIC)
        late = verdict_on(
            replace(facts, os=system(SEVEN, SERVER)), delivered(), lag=200 * HOUR
        ).would_change

        assert "a probe at the time of delivery would make it suspected-bot" in late


class TestProperties:
    @given(FACTS, TARGETS, LAGS)
    def test_is_total_and_deterministic(
        self, facts: Facts, target: Target, lag: float | None
    ) -> None:
        """Any facts have a verdict, and always the same one."""
        verdict = judge(facts, target, WEIGHTS, lag)

        assert verdict == judge(facts, target, WEIGHTS, lag)
        assert 0 < verdict.probability < 1
        assert verdict.rules == WEIGHTS.label

    @given(FACTS, TARGETS, LAGS)
    def test_evidence_adds_up_and_is_sorted(
        self, facts: Facts, target: Target, lag: float | None
    ) -> None:
        """Prior and evidence are the whole of the probability, heaviest first, within the caps."""
        verdict = judge(facts, target, WEIGHTS, lag)
        sizes = [abs(item.weight) for item in verdict.evidence]
        total = verdict.prior + sum(item.weight for item in verdict.evidence)

        assert verdict.probability == pytest.approx(probability_of(total))
        assert sizes == sorted(sizes, reverse=True)
        for family, cap in WEIGHTS.caps.items():
            vote = sum(item.weight for item in verdict.evidence if item.family is family)
            assert abs(vote) <= cap + 1e-9

    @given(FACTS, TARGETS, LAGS)
    def test_bot_rests_on_what_was_measured(
        self, facts: Facts, target: Target, lag: float | None
    ) -> None:
        """A bot was asked for mail service, has none, and something seen speaks against it."""
        verdict = judge(facts, target, WEIGHTS, lag)
        if verdict.label is not Label.BOT:
            return
        against = {item.family for item in verdict.evidence if item.weight > 0}

        assert mail_function(facts) is SmtpFunction.NONE
        assert against & (ACTIVE_FAMILIES | {Family.RECEIPT})

    @given(FACTS, TARGETS, LAGS)
    def test_nobody_is_a_bot_on_the_word_of_others(
        self, facts: Facts, target: Target, lag: float | None
    ) -> None:
        """A host that mails name is called a bot only if a server of ours saw it deliver."""
        trusts = {sighting.trust for sighting in target.sightings}
        if trusts and Trust.BOUNDARY not in trusts:
            assert judge(facts, target, WEIGHTS, lag).label is not Label.BOT

    @given(FACTS, TARGETS, LAGS, st.sampled_from([field.name for field in fields(Facts)]))
    def test_knowing_less_never_makes_a_bot_but_by_losing_an_excuse(
        self, facts: Facts, target: Target, lag: float | None, forgotten: str
    ) -> None:
        """If forgetting an outcome makes a bot, it held evidence that did not speak for one."""
        before = judge(facts, target, WEIGHTS, lag)
        less = replace(facts, **{forgotten: NotMeasured("forgotten")})
        after = judge(less, target, WEIGHTS, lag)
        kept = {item.rule for item in after.evidence}
        lost = [item for item in before.evidence if item.rule not in kept]

        if after.label is Label.BOT and before.label is not Label.BOT:
            assert any(item.weight <= 0 for item in lost)

    @given(FACTS, TARGETS, RULES, st.floats(0.01, 3))
    def test_probability_rises_with_each_weight(
        self, facts: Facts, target: Target, rule: str, more: float
    ) -> None:
        """A rule that counts more for a bot never makes one less likely."""
        heavier = dict(WEIGHTS.rules)
        heavier[rule] += more
        before = judge(facts, target, WEIGHTS)
        after = judge(facts, target, replace(WEIGHTS, rules=heavier))

        assert after.probability >= before.probability - 1e-12

    @given(FACTS, TARGETS)
    def test_delay_never_makes_a_bot(self, facts: Facts, target: Target) -> None:
        """A later probe is no better than a timely one."""
        timely, late = (judge(facts, target, WEIGHTS, lag) for lag in (0.0, 40 * HOUR))

        assert late.probability <= timely.probability + 1e-12

    @given(FACTS, TARGETS)
    def test_changes_are_real(self, facts: Facts, target: Target) -> None:
        """No change is named that would leave the label as it is."""
        verdict = judge(facts, target, WEIGHTS)

        assert not [
            change for change in verdict.would_change if change.endswith(f"it {verdict.label}")
        ]


class TestReuse:
    # Ten times two opinions: on a busy machine the usual limit is too short.
    @settings(deadline=None)
    @given(FACTS, TARGETS, LAGS)
    def test_what_is_taken_over_is_what_a_fresh_look_finds(
        self, facts: Facts, target: Target, lag: float | None
    ) -> None:
        """An opinion on altered facts is the same, whether it builds on a former one or not."""
        receipts = read_receipts(target, WEIGHTS.holds_after)
        former = form_opinion(read_subject(facts, receipts, WEIGHTS.zones), WEIGHTS, lag)
        for other in alternatives(facts, target, lag):
            seen_so = read_receipts(other.target, WEIGHTS.holds_after)
            like = read_subject(other.facts, seen_so, WEIGHTS.zones, former.subject)
            fresh = read_subject(other.facts, seen_so, WEIGHTS.zones)

            assert form_opinion(like, WEIGHTS, lag, former) == form_opinion(fresh, WEIGHTS, lag)

    def test_altered_facts_keep_all_others(self) -> None:
        """Each alternative differs from the facts in one outcome."""
        facts = Facts(**{field.name: NotMeasured(field.name) for field in fields(Facts)})
        for other in alternatives(facts, NAMED_BY_OPERATOR, 0):
            changed = [
                f.name
                for f in fields(Facts)
                if getattr(other.facts, f.name) is not getattr(facts, f.name)
            ]

            assert len(changed) == 1
