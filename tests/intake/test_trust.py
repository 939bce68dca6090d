"""How far each hop can be believed, and where the outside begins."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.intake.networks import parse_networks
from botprobe.intake.received import parse_received
from botprobe.intake.trust import Judgement, TrustSettings, is_named, judge_hops
from botprobe.model.mail import BoundaryBasis, Hop, HopStatus, Trust
from tests.intake.writerlines import DATE, IGNORED, LINES

OWN = TrustSettings(own_hosts=frozenset(("mx.example.org",)))
NETWORKS = TrustSettings(trusted_networks=parse_networks(("192.0.2.0/24",)))


def line(peer: str, by: str = "mx.example.org", *, rdns: str = "unknown", more: str = "") -> str:
    """A line of Postfix."""
    return f"from helo.example ({rdns} [{peer}]) by {by} (Postfix) with ESMTP{more} id 1; {DATE}"


def chain(*values: str, settings: TrustSettings | None = None) -> Judgement:
    """Judge lines, newest first."""
    hops = [parse_received(value, index) for index, value in enumerate(values)]
    return judge_hops(hops, settings or TrustSettings())


def trusts(judgement: Judgement) -> list[Trust | None]:
    """The trust of each hop."""
    return [hop.trust for hop in judgement.hops]


class TestInference:
    def test_the_newest_line_is_ours_and_its_peer_the_boundary(self) -> None:
        """Our own server wrote the line on top; what stands below is a claim."""
        judged = chain(line("198.51.100.1"), line("203.0.113.66"))

        assert trusts(judged) == [Trust.BOUNDARY, Trust.CLAIMED]
        assert (judged.boundary.basis, judged.boundary.hop) == (BoundaryBasis.FIRST_HOP, 0)

    @pytest.mark.parametrize("inside", ["10.0.0.5", "127.0.0.1", "100.64.0.7"])
    def test_a_private_peer_is_one_of_us(self, inside: str) -> None:
        """The walk goes on through our own machines, carrier-grade NAT included."""
        judged = chain(line(inside), line("198.51.100.1"), line("203.0.113.66"))

        assert trusts(judged) == [Trust.OWN, Trust.BOUNDARY, Trust.CLAIMED]
        assert judged.boundary.basis is BoundaryBasis.PRIVATE

    def test_a_private_hop_below_the_boundary_extends_nothing(self) -> None:
        """A forged inside relay is still below the outside."""
        judged = chain(line("198.51.100.1"), line("10.0.0.9"), line("203.0.113.66"))

        assert judged.boundary.hop == 0

    def test_teredo_is_outside(self) -> None:
        """The standard library calls it private; a walk on that word meets the forged line."""
        judged = chain(line("IPv6:2001:0:53aa:64c:38dd:7ff:fe1e:1234"), line("203.0.113.66"))

        assert judged.boundary.hop == 0

    def test_an_authenticated_client_is_the_boundary(self) -> None:
        """Below it may stand what a stolen account wrote."""
        judged = chain(line("198.51.100.1", more="SA"), line("203.0.113.66"))

        assert (judged.boundary.basis, judged.boundary.hop) == (BoundaryBasis.AUTH, 0)
        assert trusts(judged) == [Trust.BOUNDARY, Trust.CLAIMED]

    def test_a_host_of_the_whole_mailbox_is_ours(self) -> None:
        """A relay that hands over nearly every mail is passed, if its name is confirmed."""
        settings = TrustSettings(mailbox_hosts=frozenset(("relay.example.org",)))

        judged = chain(
            line("198.51.100.1", rdns="relay.example.org"), line("192.0.2.7"), settings=settings
        )

        assert (judged.boundary.basis, judged.boundary.hop) == (BoundaryBasis.MAILBOX, 1)

    def test_a_fetched_mailbox_is_passed(self) -> None:
        """The line of a fetcher is ours, and the provider wrote the next one."""
        fetched = (
            f"from pop.example.net [198.51.100.1] by localhost with POP3 (fetchmail-6); {DATE}"
        )

        judged = chain(fetched, line("192.0.2.7", by="mx.example.net"), settings=OWN)

        assert judged.boundary.hop == 1


class TestFailsClosed:
    @pytest.mark.parametrize(
        "newest",
        [
            "not a form at all",
            'from attacker.example "open; by mx.example.org; x',
            "from helo.example (unknown [unknown]) by mx.example.org (Postfix) with ESMTP; x",
            "from helo.example by mx.example.org with SMTP; x",
            "from [203.0.113.66] (unknown) by mx.example.org (Postfix) id 1; x",
            "by mx.example.org (Postfix) id 1 for <u@example.org>; x",
            "by mx.example.org (Postfix, from userid 1000) id 1; x",
            "(qmail 12345 invoked by uid 89); x",
            "from u by mx.example.org with local (Exim 4.97) id 1; x",
        ],
    )
    @pytest.mark.parametrize("settings", [TrustSettings(), OWN, NETWORKS])
    def test_what_stands_below_a_doubtful_line_is_not_believed(
        self, newest: str, settings: TrustSettings
    ) -> None:
        """The boundary is unknown then, and never the address of the next line."""
        judged = chain(newest, line("203.0.113.66"), settings=settings)

        assert (judged.boundary.basis, judged.boundary.hop) == (BoundaryBasis.NONE, None)
        assert judged.boundary.note
        assert Trust.BOUNDARY not in trusts(judged)

    def test_a_line_of_a_host_that_is_not_ours(self) -> None:
        """Where the operator named the own hosts, nobody else writes the newest line."""
        judged = chain(line("203.0.113.66", by="mx.example.net"), settings=OWN)

        assert judged.boundary.hop is None
        assert "mx.example.net" in judged.boundary.note

    def test_a_chain_without_an_outside_peer(self) -> None:
        """Mail from inside has no source outside."""
        judged = chain(line("10.0.0.5"))

        assert judged.boundary.hop is None
        assert "inside" in judged.boundary.note

    def test_an_empty_chain(self) -> None:
        """No line, no boundary."""
        assert chain().boundary.basis is BoundaryBasis.NONE

    @given(
        st.lists(st.sampled_from(LINES) | st.text(max_size=80), max_size=6),
        st.sampled_from([TrustSettings(), OWN, NETWORKS]),
    )
    def test_a_boundary_always_has_an_address(
        self, values: list[str], settings: TrustSettings
    ) -> None:
        """Whatever the chain, the boundary is unknown or has an address; all hops are kept."""
        judged = chain(*values, settings=settings)

        assert [hop.index for hop in judged.hops] == list(range(len(values)))
        if judged.boundary.hop is not None:
            assert judged.hops[judged.boundary.hop].ip is not None
            assert judged.hops[judged.boundary.hop].trust is Trust.BOUNDARY


class TestHandedOn:
    @pytest.mark.parametrize(
        "inner",
        [
            f"by mx.example.org with LMTP id 1; {DATE}",
            f"from mx.example.org by imap.example.org with LMTP id 1; {DATE}",
            f"by 2002:a05:6a06:1:0:2:3:4 with SMTP id w6csp1; {DATE}",
            f"by 10.27.97.72 with SMTP id w6csp1; {DATE}",
            f"(qmail 12345 invoked from network); {DATE}",
        ],
    )
    def test_a_delivery_inside_of_one_system_is_passed(self, inner: str) -> None:
        """LMTP, Gmail's stores and qmail's queue stand between our line and the mailbox."""
        judged = chain(inner, line("198.51.100.1"), settings=OWN)

        assert judged.boundary.hop == 1
        assert judged.hops[0].status is HopStatus.IGNORED

    def test_lmtp_over_the_network_is_passed(self) -> None:
        """RFC 2033 keeps it inside: its peer is our own relay, whatever its address."""
        handed = f"from mx.example.org ([192.0.2.7]) by imap.example.org with LMTP id 1; {DATE}"

        judged = chain(handed, line("198.51.100.1"))

        assert trusts(judged) == [Trust.OWN, Trust.BOUNDARY]

    def test_ignored_lines_have_no_trust(self) -> None:
        """They name nobody who could be believed or not."""
        assert trusts(chain(*IGNORED)) == [None] * len(IGNORED)


class TestConfiguration:
    def test_trusted_networks_replace_inference(self) -> None:
        """A private peer that was not named is outside."""
        judged = chain(line("192.0.2.7"), line("10.0.0.5"), settings=NETWORKS)

        assert trusts(judged) == [Trust.OWN, Trust.BOUNDARY]
        assert judged.boundary.basis is BoundaryBasis.CONFIG

    def test_internal_networks_stand_in_for_trusted_ones(self) -> None:
        """With only one of both lists, it serves as both."""
        settings = TrustSettings(internal_networks=parse_networks(("192.0.2.0/24",)))

        assert trusts(chain(line("192.0.2.7"), line("198.51.100.1"), settings=settings)) == [
            Trust.OWN,
            Trust.BOUNDARY,
        ]

    def test_loopback_is_always_ours(self) -> None:
        """Nobody else can be at the other end of it."""
        assert trusts(chain(line("127.0.0.1"), settings=NETWORKS)) == [Trust.OWN]

    def test_an_msa_takes_mail_of_our_own_users(self) -> None:
        """The client of a submission agent is the source, and is ours."""
        settings = replace(NETWORKS, msa_networks=parse_networks(("192.0.2.7",)))

        judged = chain(line("192.0.2.7"), line("198.51.100.1"), settings=settings)

        assert trusts(judged) == [Trust.OWN, Trust.OWN]

    @pytest.mark.parametrize(
        ("trusted", "internal", "msa", "peers", "own"),
        [
            ("192.0.2/24", "", "", "192.0.2.7 192.0.2.8 198.51.100.1", 2),
            ("192.0.2.7 !192.0.2/24", "", "", "192.0.2.7 192.0.2.8", 1),
            ("!192.0.2.7 192.0.2/24", "", "", "192.0.2.7 192.0.2.8", 0),
            ("192.0.2/24 198.51.100/24", "192.0.2/24", "", "192.0.2.7 198.51.100.1 203.0.113.1", 2),
            ("192.0.2/24", "198.51.100/24", "", "198.51.100.1 192.0.2.7 203.0.113.1", 2),
            ("192.0.2/24", "198.51.100/24", "", "192.0.2.7 198.51.100.1 192.0.2.8", 1),
            ("", "192.0.2/24", "", "192.0.2.7 198.51.100.1", 1),
            ("192.0.2/24", "", "192.0.2.8", "192.0.2.7 192.0.2.8 203.0.113.1 198.51.100.1", 4),
            ("192.0.2/24", "", "!192.0.2.8 192.0.2/24", "192.0.2.8 203.0.113.1", 1),
            ("192.0.2/24", "", "203.0.113.1", "192.0.2.7 203.0.113.1 198.51.100.1", 1),
            ("", "", "203.0.113.1", "203.0.113.1 198.51.100.1", 0),
            ("192.0.2/24", "", "", "10.0.0.1 192.0.2.7", 0),
            ("192.0.2/24", "", "", "127.0.0.1 192.0.2.7 203.0.113.1", 2),
            ("10.", "", "", "10.9.8.7 192.168.0.1", 1),
            ("2001:db8::/32", "", "", "IPv6:2001:db8::7 IPv6:2001:db9::1", 1),
            ("192.0.2.0/24", "", "", "IPv6:::ffff:192.0.2.7 IPv6:2002:c000:207::1", 1),
            ("", "", "", "10.0.0.1 127.0.0.1 IPv6:fd00::1 198.51.100.1 10.0.0.2", 3),
        ],
    )
    def test_networks_mean_what_they_mean_to_spamassassin(
        self, trusted: str, internal: str, msa: str, peers: str, own: int
    ) -> None:
        """So many of the newest peers are ours, the next is the boundary, and no more are ours."""
        settings = TrustSettings(
            trusted_networks=parse_networks(tuple(trusted.split())),
            internal_networks=parse_networks(tuple(internal.split())),
            msa_networks=parse_networks(tuple(msa.split())),
        )

        found = trusts(chain(*map(line, peers.split()), settings=settings))

        assert found[: own + 1] == ([Trust.OWN] * own + [Trust.BOUNDARY])[: len(found)]
        assert Trust.OWN not in found[own:]

    def test_an_own_host_that_speaks_to_itself_is_passed(self) -> None:
        """A content filter may come back over the public address."""
        judged = chain(line("198.51.100.9", rdns="mx.example.org"), line("192.0.2.7"), settings=OWN)

        assert judged.boundary.hop == 1

    def test_localhost_counts_where_the_line_above_came_from_the_same_machine(self) -> None:
        """The filter calls itself localhost."""
        filtered = (
            "from mx.example.org ([127.0.0.1]) by localhost (mx [127.0.0.1]) with ESMTP id 1; x"
        )

        judged = chain(line("127.0.0.1"), filtered, line("198.51.100.1"), settings=OWN)

        assert judged.boundary.hop == 2


class TestEvidence:
    def reasons(self, *values: str) -> tuple[str, ...]:
        """What is said about the oldest line."""
        return chain(*values).hops[-1].reasons

    def test_the_study_case(self) -> None:
        """The HELO is nobody's address, and the line below it comes from the future."""
        yahoo = (
            "from 61.48.71.52 (HELO 203.216.247.181) (61.48.71.52) "
            "by mta144.mail.tnz.yahoo.co.jp with SMTP; Tue, 17 Feb 2009 10:00:00 +0900"
        )
        forged = "from 144.185.57.214 by 203.216.247.181; Wed, 18 Feb 2009 00:06:05 -0100"

        judged = chain(yahoo, forged)

        assert judged.hops[0].reasons == ("203.216.247.181 is only the HELO that 61.48.71.52 gave",)
        assert trusts(judged) == [Trust.BOUNDARY, Trust.FORGED]
        assert "dated 24 h 06 m 05 s after the line above it" in judged.hops[1].reasons

    def test_an_hour_too_late_is_odd_but_no_contradiction(self) -> None:
        """Clocks and zones are wrong in honest mail."""
        early = line("198.51.100.1").replace("09:12:44", "08:12:00")
        judged = chain(early, line("203.0.113.66", by="out.helo.example"))

        assert judged.hops[1].trust is Trust.CLAIMED
        assert judged.hops[1].reasons == ("dated 1 h 00 m 44 s after the line above it",)

    @pytest.mark.parametrize(
        ("forged", "reason"),
        [
            (line("224.0.0.1", by="out.helo.example"), "no host can send from 224.0.0.1"),
            (line("999.1.1.1", by="out.helo.example"), "its address has impossible octets"),
            (
                line("192.0.2.1", by="out.helo.example").replace("+0200", "+9900"),
                "impossible date: no time zone is +9900",
            ),
        ],
    )
    def test_what_cannot_be_is_forged(self, forged: str, reason: str) -> None:
        """Addresses and zones that do not exist contradict a line."""
        judged = chain(line("198.51.100.1"), forged)

        assert judged.hops[1].trust is Trust.FORGED
        assert judged.hops[1].reasons == (reason,)

    def test_a_broken_chain_is_odd(self) -> None:
        """The writer of a line should be the peer of the line above it."""
        (reason,) = self.reasons(line("198.51.100.1"), line("203.0.113.66", by="other.example"))

        assert reason.startswith("written by other.example, but the line above got the mail from")

    @pytest.mark.parametrize("by", ["OUT.helo.EXAMPLE", "out.helo.example", "198.51.100.1"])
    def test_a_chain_that_holds_says_nothing(self, by: str) -> None:
        """The same name, the same organisation and the same address all continue the chain."""
        assert self.reasons(line("198.51.100.1"), line("203.0.113.66", by=by)) == ()

    def test_our_own_name_as_helo(self) -> None:
        """Bots greet with the name of the server that they speak to."""
        value = f"from mx.example.org (unknown [198.51.100.1]) by mx.example.org (Postfix); {DATE}"

        (reason,) = self.reasons(value)

        assert "the name of the server" in reason

    def test_below_other_fields(self) -> None:
        """Servers put their lines on top."""
        hops = [parse_received(line("198.51.100.1"), 0), parse_received(line("192.0.2.1"), 1)]

        judged = judge_hops(hops, TrustSettings(), frozenset((1,)))

        assert "it stands below other fields of the message" in judged.hops[1].reasons


class TestIsNamed:
    @pytest.mark.parametrize(
        ("host", "named"),
        [
            ("mx.example.org", True),
            ("MX.Example.Org.", True),
            ("a.b.example.net", True),
            ("example.net", False),
            ("notexample.net", False),
            ("mx.example.org.evil.example", False),
            ("", False),
        ],
    )
    def test_names_and_domains(self, host: str, named: bool) -> None:
        """A leading dot stands for what is below a domain, and only for that."""
        assert is_named(host, frozenset(("mx.example.org", ".example.net"))) is named


def test_synthetic_hops_are_a_source_only_behind_named_relays() -> None:
    """Anybody can write X-Originating-IP: only a host that the operator trusts is believed."""
    synthetic = Hop(
        index=1,
        status=HopStatus.PARSED,
        raw="",
        ip=parse_received(line("203.0.113.66"), 0).ip,
        trust=Trust.SYNTHETIC,
    )

    named = judge_hops([parse_received(line("192.0.2.7"), 0), synthetic], NETWORKS)
    inferred = judge_hops([parse_received(line("10.0.0.7"), 0), synthetic], TrustSettings())

    assert named.boundary.hop == 1
    assert inferred.boundary.hop is None
