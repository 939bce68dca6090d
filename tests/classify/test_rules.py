"""Tests of the rules: what each finds, and what it keeps silent about."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address, ip_address

import pytest

from botprobe.classify.rules import RULES
from botprobe.model.facts import Facts
from botprobe.model.mail import Trust
from botprobe.model.outcome import NotMeasured
from botprobe.model.results import (
    DnsblAnswer,
    DnsblResult,
    MailLogTraffic,
    OpenDoor,
    OsResult,
    PassiveResult,
    PortState,
    ProxyProtocol,
    ProxyResult,
    ProxyRole,
    ProxyTraffic,
    RouterTraffic,
    TrafficResult,
    WindowsAnswer,
    WindowsResult,
)
from botprobe.model.target import Target
from tests.classify.builders import (
    ALIVE,
    CLOSED,
    DEAD,
    DYNAMIC_NAME,
    FILTERED,
    LINUX,
    MAIL_NAME,
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
    smtp,
    subject_of,
    system,
)

NOTHING = NotMeasured("not asked")
NO_FACTS = Facts()
WEIGHTS = shipped_weights()


def found(facts: Facts = NO_FACTS, target: Target = NAMED_BY_OPERATOR) -> set[str]:
    """The names of the rules that apply."""
    subject = subject_of(facts, target)
    return {rule.name for rule in RULES if rule.find(subject) is not None}


def credit(
    value: int, *, fetched: int = 0, nat: bool | None = None, one_way: bool = False
) -> RouterTraffic:
    """What a router counted."""
    return RouterTraffic(
        credit=value, smtp_packets=200, pop_imap_packets=fetched, nat=nat, one_way=one_way
    )


class TestAllRules:
    def test_nothing_measured_is_no_evidence(self) -> None:
        """A host of which nothing is known has nothing against it and nothing for it."""
        blocked = Facts(ping=NOTHING, os=NOTHING, smtp=NOTHING, dns=NOTHING)

        assert found() == set()
        assert found(blocked) == set()

    def test_names_are_unique(self) -> None:
        """A verdict names its rules."""
        assert len({rule.name for rule in RULES}) == len(RULES)

    def test_clauses_are_short(self) -> None:
        """A HELO is the sender's own text of any length, and reports quote it."""
        subject = subject_of(Facts(), delivered("x" * 5000))
        clauses = [clause for rule in RULES if (clause := rule.find(subject)) is not None]

        assert any("HELO" in clause for clause in clauses)
        assert all(len(clause) < 300 for clause in clauses)


class TestSystem:
    @pytest.mark.parametrize(
        ("facts", "rules"),
        [
            (Facts(os=system(XP)), {"client-windows"}),
            (Facts(os=system(SEVEN, SERVER)), {"ambiguous-windows"}),
            (Facts(os=system(SERVER)), {"server-windows"}),
            (Facts(os=system(LINUX)), {"other-system"}),
            (Facts(os=system(ROUTER)), {"gateway"}),
            (Facts(os=system(PRINTER)), {"device"}),
            (Facts(os=system(XP, LINUX)), set()),
            (Facts(os=system()), set()),
        ],
    )
    def test_each_kind_of_system_has_its_rule(self, facts: Facts, rules: set[str]) -> None:
        """Exactly one rule speaks of the system, and none where the matches disagree."""
        assert found(facts) == rules

    def test_liar_is_named_and_not_believed(self) -> None:
        """A host with every port open gives no evidence but that."""
        facts = Facts(os=system(XP, opened=range(20, 32), closed=()), smtp=TAKES_MAIL)

        assert found(facts) == {"answers-everywhere"}

    def test_liar_is_known_though_a_packet_was_lost(self) -> None:
        """On a bad line one of a dozen answers goes missing, and the port seems filtered."""
        ports = tuple((port, PortState.OPEN) for port in range(20, 31))
        lost = measured(OsResult(ports=(*ports, (31, PortState.FILTERED))))
        firewalled = measured(
            OsResult(ports=(*ports, (31, PortState.FILTERED), (32, PortState.FILTERED)))
        )

        assert found(Facts(os=lost)) == {"answers-everywhere"}
        assert found(Facts(os=firewalled)) == set()

    def test_busy_server_is_no_liar(self) -> None:
        """One closed port among a dozen makes the others believable."""
        facts = Facts(os=system(SERVER, opened=range(20, 31), closed=(5900,)))

        assert found(facts) == {"server-windows"}

    def test_few_ports_make_no_liar(self) -> None:
        """Who was asked for three ports and has them open has told no lie."""
        facts = Facts(os=system(SERVER, opened=(80, 443, 3389), closed=()))

        assert found(facts) == {"server-windows"}


class TestService:
    @pytest.mark.parametrize(
        ("facts", "rules"),
        [
            (Facts(smtp=CLOSED), {"port-closed"}),
            (Facts(smtp=FILTERED, ping=ALIVE), {"port-filtered"}),
            (Facts(smtp=SILENT), {"no-greeting"}),
            (Facts(smtp=REFUSES), {"greets"}),
            (Facts(smtp=smtp(PortState.OPEN, 421)), {"greets"}),
            (Facts(smtp=TAKES_MAIL), {"speaks-smtp"}),
        ],
    )
    def test_each_grade_has_its_rule(self, facts: Facts, rules: set[str]) -> None:
        """Exactly one rule speaks of port 25."""
        assert found(facts) == rules

    def test_own_name_outweighs_speaking(self) -> None:
        """The best grade is one rule, not two."""
        facts = Facts(smtp=TAKES_MAIL, dns=named(MAIL_NAME, mx_points_here=True))

        assert {"serves-own-name"} == found(facts) & {"serves-own-name", "speaks-smtp"}

    def test_silence_of_a_dead_host_proves_nothing(self) -> None:
        """A host that is off has no closed door, it has no door."""
        assert found(Facts(smtp=FILTERED, ping=DEAD, os=sealed())) == set()
        assert found(Facts(smtp=FILTERED)) == set()

    def test_closed_port_is_a_sign_of_life(self) -> None:
        """Only a host that is up can say no."""
        facts = Facts(smtp=FILTERED, ping=DEAD, os=system(opened=(), closed=(113,)))

        assert found(facts) == {"port-filtered"}

    def test_port_that_nmap_saw_open_is_not_closed(self) -> None:
        """Rate limits close doors for a moment; that is no lack of a mail server."""
        facts = Facts(smtp=CLOSED, os=system(opened=(25, 80)))

        assert found(facts) == {"unsteady-port"}


class TestAddress:
    @pytest.mark.parametrize(
        ("facts", "rules"),
        [
            (Facts(dns=named()), {"no-ptr"}),
            (Facts(dns=named(DYNAMIC_NAME)), {"dynamic-name"}),
            (Facts(dns=named("host-198-18-10-1.isp.example")), {"generic-name"}),
            (Facts(dns=named("static-1.isp.example")), {"static-name", "forward-confirmed"}),
            (Facts(dns=named(MAIL_NAME)), {"mail-name", "forward-confirmed"}),
            (Facts(dns=named("www.firm.example")), {"forward-confirmed"}),
            (
                Facts(dns=named("www.firm.example", mx_points_here=True)),
                {"forward-confirmed", "mx-points-here"},
            ),
        ],
    )
    def test_each_kind_of_name_has_its_rule(self, facts: Facts, rules: set[str]) -> None:
        """A provider's name speaks against a server, a confirmed hand-made one for it."""
        assert found(facts) == rules

    @pytest.mark.parametrize("confirmed", [False, None])
    def test_unconfirmed_name_excuses_nobody(self, confirmed: bool | None) -> None:
        """Whoever holds an address can call it mail.bank.example."""
        assert found(Facts(dns=named(MAIL_NAME, confirmed=confirmed))) == set()
        assert found(Facts(dns=named(DYNAMIC_NAME, confirmed=confirmed))) == {"dynamic-name"}

    def test_best_of_several_names_counts(self) -> None:
        """A host that is named for mail may have a line's name as well."""
        assert "dynamic-name" not in found(Facts(dns=named(DYNAMIC_NAME, MAIL_NAME)))


class TestReceipt:
    def test_boundary_and_claims_are_told_apart(self) -> None:
        """Our own server's eyes are one thing, a line that anybody may write another."""
        assert found(target=delivered()) == {"delivered"}
        assert found(target=seen((Trust.CLAIMED, None), (Trust.SYNTHETIC, None))) == {
            "only-claimed"
        }
        assert found(target=NAMED_BY_OPERATOR) == set()

    @pytest.mark.parametrize(
        ("helo", "rule"),
        [
            ("localhost", "helo-localhost"),
            ("203.0.113.9", "helo-foreign-address"),
            ("[10.0.0.7]", "helo-private-address"),
            ("198.18.10.1", "helo-bare-address"),
            ("[198.18.10.1]", "helo-literal"),
            ("gmail.com", "helo-freemail"),
            ("WIN-1ABCDE2FGHI", "helo-unqualified"),
            (DYNAMIC_NAME, "helo-dynamic"),
            ("TRAP.example", "helo-recipient"),
        ],
    )
    def test_each_form_of_helo_has_its_rule(self, helo: str, rule: str) -> None:
        """Each form gives one piece of evidence."""
        assert found(target=delivered(helo)) == {"delivered", rule}

    def test_helo_of_a_claimed_hop_is_no_evidence(self) -> None:
        """Below the boundary the HELO may be forged like everything else."""
        assert found(target=seen((Trust.CLAIMED, "localhost"))) == {"only-claimed"}

    def test_own_confirmed_name_is_good_evidence(self) -> None:
        """It must be the name of every mail, and confirmed."""
        name = "www.firm.example"
        dns, unconfirmed = named(name), named(name, confirmed=False)

        assert "helo-is-name" in found(Facts(dns=dns), delivered(name, name.upper()))
        assert "helo-is-name" not in found(Facts(dns=dns), delivered(name, "other.example"))
        assert "helo-is-name" not in found(Facts(dns=unconfirmed), delivered(name))

    def test_confirmed_name_of_a_line_is_still_a_line(self) -> None:
        """Bots ask the DNS for their name."""
        rules = found(Facts(dns=named(DYNAMIC_NAME)), delivered(DYNAMIC_NAME))

        assert "helo-dynamic" in rules
        assert "helo-is-name" not in rules

    def test_many_names_are_evidence(self) -> None:
        """One server has one name."""
        one, many = delivered("a.example", "b.example"), delivered("a.a", "b.b", "c.c")

        assert "helo-varies" not in found(target=one)
        assert "helo-varies" in found(target=many)

    def test_logged_in_users_may_say_what_they_like(self) -> None:
        """A mail program's HELO to its submission server is nobody's business."""
        helos = ("localhost", "gmail.com", "trap.example")

        assert found(target=delivered(*helos, auth="bob")) == {"delivered", "authenticated"}

    def test_one_mail_without_login_is_enough_to_look_at(self) -> None:
        """The stolen account does not excuse what else came."""
        logged_in, direct = (
            delivered("localhost", auth=auth).sightings[0] for auth in ("bob", None)
        )
        target = replace(NAMED_BY_OPERATOR, sightings=(logged_in, direct))

        assert "authenticated" not in found(target=target)
        assert "helo-localhost" in found(target=target)

    def test_ipv6_clients_are_judged_alike(self) -> None:
        """The HELO literal of IPv6 carries a tag."""
        target = replace(delivered("[IPv6:2001:db8::9]"), address=ip_address("2001:db8::9"))

        assert found(target=target) == {"delivered", "helo-literal"}


class TestReputation:
    LISTED = measured(
        DnsblResult(
            answers=(
                DnsblAnswer(
                    zone="zen.spamhaus.org",
                    codes=tuple(IPv4Address(f"127.0.0.{last}") for last in (2, 4, 10)),
                ),
            )
        )
    )

    def test_each_listing_has_its_rule(self) -> None:
        """One answer may list a host as several things."""
        assert found(Facts(dnsbl=self.LISTED), delivered()) == {
            "delivered",
            "listed-as-exploited",
            "listed-as-spam-source",
            "listed-by-policy",
        }

    @pytest.mark.parametrize(
        "target",
        [NAMED_BY_OPERATOR, seen((Trust.CLAIMED, None)), delivered(auth="bob")],
    )
    def test_lines_are_listed_for_those_who_deliver(self, target: Target) -> None:
        """A customer who hands mail to a relay, or logs in, may be on PBL and XBL."""
        rules = found(Facts(dnsbl=self.LISTED), target)

        assert "listed-as-spam-source" in rules
        assert not rules & {"listed-as-exploited", "listed-by-policy"}


class TestPassive:
    NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("seen_by_p0f", "rules"),
        [
            (PassiveResult(system="Windows", flavor="7 or 8"), {"passive-windows"}),
            (PassiveResult(system="Linux", flavor="3.x"), {"passive-other"}),
            (PassiveResult(system="Windows", fuzzy=True), set()),
            (PassiveResult(), set()),
        ],
    )
    def test_packets_of_the_delivery_have_their_rule(
        self, seen_by_p0f: PassiveResult, rules: set[str]
    ) -> None:
        """What p0f named well counts, for hosts that delivered to us."""
        facts = Facts(passive=measured(replace(seen_by_p0f, last_seen=self.NOON)))

        assert found(facts, delivered(at=self.NOON)) - {"delivered"} == rules
        assert found(facts) == set()

    @pytest.mark.parametrize(
        ("last_seen", "delivered_at", "counts"),
        [
            (NOON, NOON + timedelta(minutes=9), True),
            (NOON, NOON - timedelta(minutes=9), True),
            (NOON, NOON - timedelta(hours=1), False),
            (NOON, NOON + timedelta(days=30), False),
            (NOON, None, False),
            (None, NOON, False),
        ],
    )
    def test_packets_of_another_time_are_another_hosts(
        self, last_seen: datetime | None, delivered_at: datetime | None, *, counts: bool
    ) -> None:
        """Only what p0f saw about the time of a delivery is said of who delivered."""
        facts = Facts(passive=measured(PassiveResult(system="Windows", last_seen=last_seen)))

        assert ("passive-windows" in found(facts, delivered(at=delivered_at))) is counts


class TestProxy:
    def test_a_word_that_came_through_is_proof(self) -> None:
        """Only an open door is evidence; that none was found says nothing."""
        door = OpenDoor(port=3128, protocol=ProxyProtocol.HTTP_CONNECT, seen_from="198.18.0.1")

        assert found(Facts(proxy=measured(ProxyResult(open=(door,))))) == {"open-proxy"}
        assert found(Facts(proxy=measured(ProxyResult()))) == set()


class TestHidesAWindows:
    def test_foreign_stack_before_a_windows_is_named(self) -> None:
        """Two systems at one address are no single host."""
        answer = WindowsAnswer(port=3389, script="rdp-ntlm-info", version="5.1.2600")
        windows = measured(WindowsResult(answers=(answer,)))

        assert found(Facts(os=system(LINUX), windows=windows)) == {
            "other-system",
            "hides-a-windows",
        }


REFUSED = MailLogTraffic(connects=100, accepted=2, rejects=(("user unknown", 98),))


class TestTraffic:
    @pytest.mark.parametrize(
        ("traffic", "rules"),
        [
            (TrafficResult(), set()),
            (TrafficResult(maillog=REFUSED), {"mostly-refused"}),
            (TrafficResult(maillog=replace(REFUSED, accepted=90)), set()),
            (TrafficResult(maillog=replace(REFUSED, rejects=(("x", 9),))), set()),
            (
                TrafficResult(
                    maillog=MailLogTraffic(
                        connects=9, accepted=9, driver_days=(date(2026, 11, 20),), mx_queries=7
                    )
                ),
                {"drove-load", "asks-for-mx"},
            ),
            (TrafficResult(router=credit(151)), {"sends-without-fetching"}),
            (TrafficResult(router=credit(150)), set()),
            (TrafficResult(router=credit(900, nat=True)), set()),
            (TrafficResult(router=credit(900, one_way=True)), set()),
            (TrafficResult(router=credit(-20, fetched=30)), {"fetches-its-mail"}),
            (TrafficResult(router=credit(-20, fetched=30, nat=True)), set()),
            (TrafficResult(router=credit(-3, fetched=1)), set()),
            (
                TrafficResult(proxytrace=ProxyTraffic(role=ProxyRole.ORDERED, mails=3)),
                {"ordered-by-proxy"},
            ),
            (
                TrafficResult(proxytrace=ProxyTraffic(role=ProxyRole.CARRIED, mails=3)),
                {"carried-as-proxy"},
            ),
        ],
    )
    def test_of_each_observer_has_its_signs(self, traffic: TrafficResult, rules: set[str]) -> None:
        """Counts of several hosts, or of one direction, are nobody's; few packets are none."""
        assert found(Facts(traffic=measured(traffic))) == rules
