"""Tests of the block list probe against a scripted name server on loopback."""

from ipaddress import IPv4Address, ip_address

import dns.name
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import ProbeUnavailable, RefusedByScope
from botprobe.model.results import DnsblAnswer
from botprobe.model.target import Target
from botprobe.probes.base import NoGauges
from botprobe.probes.dnsbl import DnsblProbe, query_name, read_answer
from tests.probes.conftest import FakePermission
from tests.probes.nameserver import NameServer

ZONE, OTHER = "bl.example", "other.example"
HOST = Target(ip_address("198.18.0.1"))
LISTED = "1.0.18.198.bl.example."
TEST_LISTED = {("2.0.0.127.bl.example.", "A"): ["127.0.0.2"]}


@pytest.fixture
def probe(server: NameServer, permission: FakePermission) -> DnsblProbe:
    """A probe that asks one list."""
    return DnsblProbe(permission=permission, zones=(ZONE,), nameservers=server.nameservers)


class TestReadAnswer:
    @pytest.mark.parametrize(
        "records",
        [["127.255.255.252"], ["127.255.255.254"], ["127.255.255.255"], ["127.255.255.1"]],
    )
    def test_a_refusal_is_no_listing(self, records: list[str]) -> None:
        """Nine programs of the field took "query refused" for "listed"."""
        answer = read_answer(ZONE, ["127.0.0.2", *records])

        assert answer.codes == ()
        assert answer.failed is not None
        assert records[0] in answer.failed

    def test_a_parked_domain_is_no_list(self) -> None:
        """Whoever buys an expired zone answers every name with a web server."""
        answer = read_answer(ZONE, ["198.18.9.9"])

        assert answer == DnsblAnswer(zone=ZONE, failed="198.18.9.9 is no answer of a block list")

    def test_keeps_all_codes(self) -> None:
        """A list that joins others gives several answers at the same time."""
        answer = read_answer(ZONE, ["127.0.0.11", "127.0.0.4"])

        assert answer.codes == (IPv4Address("127.0.0.4"), IPv4Address("127.0.0.11"))
        assert answer.failed is None

    @given(st.lists(st.integers(0, 2**32 - 1).map(IPv4Address).map(str), max_size=40))
    def test_is_a_listing_or_a_failure_and_bounded(self, records: list[str]) -> None:
        """Codes that are kept come from 127.0.0.0/8, and there are few of them."""
        answer = read_answer(ZONE, records)

        assert len(answer.codes) <= 16
        assert answer.failed is None or not answer.codes
        assert all(str(code).startswith("127.") for code in answer.codes)


class TestQueryName:
    @pytest.mark.parametrize(
        ("address", "name"),
        [
            ("198.18.0.1", "1.0.18.198.bl.example."),
            ("2001:db8::1", f"1{'.0' * 23}.8.b.d.0.1.0.0.2.bl.example."),
            ("::ffff:7f00:2", f"2.0.0.0.0.0.f.7.f.f.f.f{'.0' * 20}.bl.example."),
        ],
    )
    def test_reverses_the_address(self, address: str, name: str) -> None:
        """RFC 5782: octets or nibbles, last one first, the test points of IPv6 included."""
        asked = query_name(ip_address(address), dns.name.from_text(ZONE))

        assert asked.to_text() == name


class TestDnsblProbe:
    async def test_says_what_the_list_says(self, probe: DnsblProbe, server: NameServer) -> None:
        """A listed host is listed under its codes."""
        server.zone = {**TEST_LISTED, (LISTED, "A"): ["127.0.0.4", "127.0.0.10"]}

        result = await probe.run(HOST)

        codes = (IPv4Address("127.0.0.4"), IPv4Address("127.0.0.10"))
        assert result.answers == (DnsblAnswer(zone=ZONE, codes=codes),)

    async def test_not_listed_is_an_answer(self, probe: DnsblProbe, server: NameServer) -> None:
        """NXDOMAIN of a list that works means clean."""
        server.zone = TEST_LISTED

        result = await probe.run(HOST)

        assert result.answers == (DnsblAnswer(zone=ZONE),)

    @pytest.mark.parametrize(
        ("zone", "problem"),
        [
            ({}, "does not list its test point 127.0.0.2"),
            ({**TEST_LISTED, ("1.0.0.127.bl.example.", "A"): ["127.0.0.2"]}, "lists 127.0.0.1"),
            ({("2.0.0.127.bl.example.", "A"): ["127.255.255.254"]}, "public resolvers"),
            ({("2.0.0.127.bl.example.", "A"): dns.rcode.SERVFAIL}, "failed or refused"),
            ({("2.0.0.127.bl.example.", "A"): "silence"}, "in time"),
        ],
    )
    async def test_a_list_that_fails_its_test_is_never_asked(
        self,
        probe: DnsblProbe,
        server: NameServer,
        zone: dict[tuple[str, str], list[str]],
        problem: str,
    ) -> None:
        """An expired list lists everybody: nothing follows from what it says of the host."""
        server.zone = {**zone, (LISTED, "A"): ["127.0.0.4"]}

        with pytest.raises(ProbeUnavailable, match=problem):
            await probe.run(HOST)
        assert (LISTED, "A") not in server.asked

    async def test_one_broken_list_does_not_hide_the_other(
        self, server: NameServer, permission: FakePermission
    ) -> None:
        """Each list is measured, or not, on its own."""
        server.zone = TEST_LISTED
        probe = DnsblProbe(
            permission=permission, zones=(ZONE, OTHER), nameservers=server.nameservers
        )

        good, bad = (await probe.run(HOST)).answers

        assert (good.zone, good.failed) == (ZONE, None)
        assert bad.zone == OTHER
        assert bad.failed is not None

    async def test_tests_a_list_once_for_many_hosts(
        self, probe: DnsblProbe, server: NameServer
    ) -> None:
        """Block lists count queries: the self-test is not repeated for each host."""
        server.zone = TEST_LISTED

        await probe.run(HOST)
        await probe.run(Target(ip_address("198.18.0.2")))

        assert server.asked.count(("2.0.0.127.bl.example.", "A")) == 1

    async def test_tests_again_when_the_hour_is_over(
        self, server: NameServer, permission: FakePermission
    ) -> None:
        """A list may expire while we run."""
        probe = DnsblProbe(
            permission=permission, zones=(ZONE,), nameservers=server.nameservers, retest_seconds=0
        )
        server.zone = TEST_LISTED
        await probe.run(HOST)
        server.zone = {}

        with pytest.raises(ProbeUnavailable, match="test point"):
            await probe.run(HOST)

    async def test_tests_again_soon_if_the_test_got_no_answer(
        self, server: NameServer, permission: FakePermission
    ) -> None:
        """One lost packet takes no list away for an hour."""
        probe = DnsblProbe(
            permission=permission, zones=(ZONE,), nameservers=server.nameservers, retry_seconds=0
        )
        server.zone = {("2.0.0.127.bl.example.", "A"): dns.rcode.SERVFAIL}
        with pytest.raises(ProbeUnavailable, match="failed or refused"):
            await probe.run(HOST)
        server.zone = TEST_LISTED

        assert (await probe.run(HOST)).answers == (DnsblAnswer(zone=ZONE),)

    async def test_a_list_that_failed_its_test_is_left_alone(
        self, server: NameServer, permission: FakePermission
    ) -> None:
        """What was answered holds for the hour, be it good or bad."""
        probe = DnsblProbe(
            permission=permission, zones=(ZONE,), nameservers=server.nameservers, retry_seconds=0
        )
        server.zone = {}

        for _ in range(2):
            with pytest.raises(ProbeUnavailable, match="test point"):
                await probe.run(HOST)

        assert server.asked.count(("2.0.0.127.bl.example.", "A")) == 1

    async def test_says_which_lists_are_fit(
        self, server: NameServer, permission: FakePermission
    ) -> None:
        """The doctor names a broken list before anybody relies on it."""
        server.zone = TEST_LISTED
        probe = DnsblProbe(
            permission=permission, zones=(ZONE, OTHER), nameservers=server.nameservers
        )

        assert await probe.problems() == {
            ZONE: None,
            OTHER: "it does not list its test point 127.0.0.2",
        }

    async def test_asks_nothing_about_a_refused_host(
        self, probe: DnsblProbe, server: NameServer
    ) -> None:
        """Who opted out is not mentioned to third parties either."""
        probe.permission = FakePermission(refused=frozenset({HOST.address}))

        with pytest.raises(RefusedByScope):
            await probe.run(HOST)
        assert server.asked == []

    async def test_tells_of_each_answer_that_cannot_be_used(
        self, server: NameServer, permission: FakePermission
    ) -> None:
        """The operator sees a list that refuses us, though the other one answers."""
        told: list[tuple[str, str]] = []

        class Gauges(NoGauges):
            def list_failed(self, zone: str, because: str) -> None:
                told.append((zone, because))

        server.zone = {**TEST_LISTED, ("2.0.0.127.other.example.", "A"): ["127.255.255.254"]}
        probe = DnsblProbe(
            permission=permission,
            zones=(ZONE, OTHER),
            nameservers=server.nameservers,
            gauges=Gauges(),
        )

        await probe.run(HOST)

        assert told == [(OTHER, "it does not answer public resolvers (127.255.255.254)")]
