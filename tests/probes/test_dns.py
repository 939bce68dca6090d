"""Tests of the DNS probe against a scripted name server on loopback."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.errors import ProbeUnavailable, RefusedByScope
from botprobe.model.results import PtrName
from botprobe.model.target import Target
from botprobe.probes.dns import MAX_NAMES, DnsProbe, mail_domains, shown
from tests.probes.conftest import FakePermission
from tests.probes.nameserver import NameServer

HOST = Target(ip_address("198.18.0.1"))
REVERSE = "1.0.18.198.in-addr.arpa."
SILENCE = "silence"


@pytest.fixture
def probe(server: NameServer, permission: FakePermission) -> DnsProbe:
    """A probe that asks the scripted server and has little patience."""
    return DnsProbe(
        permission=permission,
        nameservers=server.nameservers,
    )


class TestMailDomains:
    @pytest.mark.parametrize(
        ("name", "domains"),
        [
            ("mx.example.", ("mx.example",)),
            ("mx.isp.example.", ("mx.isp.example", "isp.example")),
            (
                "a.b.c.d.co.jp.",
                ("a.b.c.d.co.jp", "c.d.co.jp", "d.co.jp", "co.jp"),
            ),
            ("localhost.", ("localhost",)),
        ],
    )
    def test_the_name_itself_and_then_short_parents(
        self, name: str, domains: tuple[str, ...]
    ) -> None:
        """No top-level domain is ever asked, however long or short the name."""
        assert tuple(map(shown, mail_domains(dns.name.from_text(name)))) == domains

    @given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=8))
    def test_any_name_gives_few_domains_above_it(self, labels: list[bytes]) -> None:
        """A name of any bytes causes at most four questions, and is printable as text."""
        name = dns.name.Name([*labels, b""])

        domains = mail_domains(name)

        assert domains[0] == name
        assert len(domains) <= 4
        assert all(name.is_subdomain(domain) and len(domain) > 1 for domain in domains)
        assert all(shown(domain).isprintable() for domain in domains)


class TestDnsProbe:
    async def test_a_mail_server_by_its_names(self, probe: DnsProbe, server: NameServer) -> None:
        """The name is confirmed, and the exchanger above it points here."""
        server.zone = {
            (REVERSE, "PTR"): ["mx.isp.example."],
            ("mx.isp.example.", "A"): ["198.18.0.9", "198.18.0.1"],
            ("isp.example.", "MX"): ["20 backup.example.", "10 mx.isp.example."],
        }

        result = await probe.run(HOST)

        assert result.names == (
            PtrName(
                name="mx.isp.example",
                confirmed=True,
                mx=("mx.isp.example", "backup.example"),
                mx_points_here=True,
            ),
        )

    async def test_a_name_that_does_not_point_back_is_not_confirmed(
        self, probe: DnsProbe, server: NameServer
    ) -> None:
        """Whoever holds the address can write any name into its PTR record."""
        server.zone = {
            (REVERSE, "PTR"): ["mx.big-provider.example."],
            ("mx.big-provider.example.", "A"): ["198.18.0.2"],
        }

        (name,) = (await probe.run(HOST)).names

        assert (name.confirmed, name.mx, name.mx_points_here) == (False, (), False)

    @pytest.mark.parametrize("answer", [dns.rcode.NXDOMAIN, []])
    async def test_no_record_is_a_result(
        self, probe: DnsProbe, server: NameServer, answer: list[str] | dns.rcode.Rcode
    ) -> None:
        """An address without a name was measured."""
        server.zone = {(REVERSE, "PTR"): answer}

        assert (await probe.run(HOST)).names == ()

    @pytest.mark.parametrize("answer", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, SILENCE])
    async def test_a_failing_resolver_is_no_result(
        self, probe: DnsProbe, server: NameServer, answer: str | dns.rcode.Rcode
    ) -> None:
        """No answer from the resolver is never "no PTR"."""
        server.zone = {(REVERSE, "PTR"): answer}

        with pytest.raises(ProbeUnavailable, match="no answer from the resolver"):
            await probe.run(HOST)

    @pytest.mark.parametrize("answer", [dns.rcode.SERVFAIL, SILENCE])
    async def test_a_broken_forward_zone_leaves_confirmation_unknown(
        self, probe: DnsProbe, server: NameServer, answer: str | dns.rcode.Rcode
    ) -> None:
        """What the resolver could not tell is neither yes nor no; the name itself stays."""
        server.zone = {
            (REVERSE, "PTR"): ["host.broken.example."],
            ("host.broken.example.", "A"): answer,
        }

        (name,) = (await probe.run(HOST)).names

        assert name == PtrName(name="host.broken.example", confirmed=None, mx_points_here=None)

    async def test_a_delegated_reverse_zone(self, probe: DnsProbe, server: NameServer) -> None:
        """A PTR behind a CNAME (RFC 2317) is found."""
        server.zone = {
            (REVERSE, "PTR"): [
                f"{REVERSE} CNAME 1.0-63.0.18.198.in-addr.arpa.",
                "1.0-63.0.18.198.in-addr.arpa. PTR host.customer.example.",
            ],
        }

        (name,) = (await probe.run(HOST)).names

        assert name.name == "host.customer.example"

    async def test_an_ipv6_address(self, probe: DnsProbe, server: NameServer) -> None:
        """IPv6 addresses are confirmed by AAAA records."""
        target = Target(ip_address("2001:db8::1"))
        reverse = "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa."
        server.zone = {
            (reverse, "PTR"): ["six.example."],
            ("six.example.", "AAAA"): ["2001:db8:0:0::1"],
        }

        (name,) = (await probe.run(target)).names

        assert name.confirmed

    async def test_a_null_mx_ends_the_search(self, probe: DnsProbe, server: NameServer) -> None:
        """A host that takes no mail (RFC 7505) does not get the exchangers above it."""
        server.zone = {
            (REVERSE, "PTR"): ["pc.isp.example."],
            ("pc.isp.example.", "A"): ["198.18.0.1"],
            ("pc.isp.example.", "MX"): ["0 ."],
            ("isp.example.", "MX"): ["10 mx.isp.example."],
        }

        (name,) = (await probe.run(HOST)).names

        assert name.mx == ()
        assert ("isp.example.", "MX") not in server.asked

    async def test_a_flood_of_names_is_cut(self, probe: DnsProbe, server: NameServer) -> None:
        """However many names an address has, few are kept and followed."""
        server.zone = {(REVERSE, "PTR"): [f"n{number}.example." for number in range(20)]}

        result = await probe.run(HOST)

        assert len(result.names) == MAX_NAMES
        assert len(server.asked) <= 1 + MAX_NAMES * 3

    async def test_hostile_bytes_in_a_name_come_out_as_escapes(
        self, probe: DnsProbe, server: NameServer
    ) -> None:
        """A terminal or a report never sees a control character from the DNS."""
        server.zone = {(REVERSE, "PTR"): ["\\027[2J\\255.example."]}

        (name,) = (await probe.run(HOST)).names

        assert name.name == "\\027[2J\\255.example"

    async def test_a_loop_of_aliases_ends(self, probe: DnsProbe, server: NameServer) -> None:
        """A name that is an alias of itself costs a few questions, and nothing hangs."""
        server.zone = {(REVERSE, "PTR"): [f"{REVERSE} CNAME {REVERSE}"]}

        with suppress(ProbeUnavailable):
            assert (await probe.run(HOST)).names == ()
        assert len(server.asked) <= 20

    async def test_a_long_chain_of_aliases_ends(self, probe: DnsProbe, server: NameServer) -> None:
        """Nobody follows an owner through hundreds of names, in one answer or in many."""
        chain = [f"{n}.{REVERSE} CNAME {n + 1}.{REVERSE}" for n in range(300)]
        server.zone = {(REVERSE, "PTR"): [f"{REVERSE} CNAME 0.{REVERSE}", *chain]}

        with suppress(ProbeUnavailable):
            assert (await probe.run(HOST)).names == ()
        assert len(server.asked) <= 20

    @pytest.mark.parametrize(
        ("owner", "target"),
        [
            ("HERE", "HERE"),  # a name that is a pointer to itself
            ("NEXT HERE", "HERE"),  # two that point to each other
            ("0161 HERE", "HERE"),  # a label, and then the same again
            ("QUESTION", "TARGET"),
            ("QUESTION", "0161 TARGET"),
            ("QUESTION", "ffff"),  # beyond the end
        ],
    )
    async def test_pointers_that_run_in_circles_end(
        self, probe: DnsProbe, server: NameServer, owner: str, target: str
    ) -> None:
        """Compression (RFC 1035, 4.1.4) may only point back: such an answer is none."""
        question = dns.name.from_text(REVERSE).to_wire() or b""
        here = 12 + len(question) + 4
        places = {"QUESTION": 12, "HERE": here, "NEXT": here + 2}

        def wire(words: str) -> bytes:
            return b"".join(
                (0xC000 | places[word]).to_bytes(2) if word in places else bytes.fromhex(word)
                for word in words.split()
            )

        places["TARGET"] = here + len(wire(owner)) + 10
        record = wire(owner) + bytes.fromhex("000c 0001 0000003c")
        record += len(wire(target)).to_bytes(2) + wire(target)
        counts = bytes.fromhex("8180 0001 0001 0000 0000")
        server.zone = {
            (REVERSE, "PTR"): counts + question + bytes.fromhex("000c 0001") + record,
        }

        async with asyncio.timeout(5):
            with pytest.raises(ProbeUnavailable, match="no answer from the resolver"):
                await probe.run(HOST)

    async def test_a_forbidden_address_is_not_looked_up(
        self, probe: DnsProbe, server: NameServer
    ) -> None:
        """The safety rules are asked first, and their refusal goes up."""
        rules = FakePermission(refused=frozenset({HOST.address}))

        with pytest.raises(RefusedByScope):
            await replace(probe, permission=rules).run(HOST)

        assert server.asked == []

    async def test_no_resolver_configured(
        self, permission: FakePermission, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A machine without a resolver cannot measure."""

        def read_nothing(_: object, __: object) -> None:
            raise dns.resolver.NoResolverConfiguration

        monkeypatch.setattr("dns.resolver.BaseResolver.read_resolv_conf", read_nothing)

        with pytest.raises(ProbeUnavailable, match="no resolver is configured"):
            await DnsProbe(permission=permission).run(HOST)
