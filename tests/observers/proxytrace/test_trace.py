"""Tests of the tracing on packets that the tests write."""

import random
from dataclasses import replace
from ipaddress import ip_address

import pytest

from botprobe.observers.packets.fragments import Fragments
from botprobe.observers.proxytrace.model import Answer
from botprobe.observers.proxytrace.orders import Way
from botprobe.observers.proxytrace.trace import Tracing
from tests.observers.proxytrace.talk import (
    BANNER,
    CONNECT,
    GRANTED,
    PROXY,
    SPAMMER,
    USER,
    VICTIM,
    Abuse,
    Packets,
    Talk,
    both,
    mail,
    packets,
    split,
    traced,
)
from tests.observers.wire import SYN

OTHER = "198.51.100.99"
SOCKS5_NAME = b"\x05\x01\x00\x05\x01\x00\x03\x11mx.victim.example\x00\x19"


def answers(tracing: Tracing) -> list[tuple[str, str | None]]:
    """Return each session's answer and who is named."""
    return [
        (str(one.answer), None if one.origin is None else str(one.origin.address))
        for one in tracing.traces
    ]


class TestOneMail:
    def test_names_the_origin_of_a_plain_connect(self) -> None:
        """The same bytes on both legs prove who ordered; proxy, victim and mail are told."""
        tracing = traced(both(Abuse()))

        (one,) = tracing.traces
        assert (one.answer, str(one.session.victim)) == (Answer.PROVEN, VICTIM)
        assert one.origin is not None
        assert (str(one.origin.address), one.origin.port) == (SPAMMER, 40_000)
        assert (str(one.origin.proxy), one.origin.proxy_port) == (PROXY, 3128)
        (sent,) = one.session.said.mails
        assert (sent.sender, sent.recipients) == ("win@lottery.example", ["a@victim.example"])
        assert sent.received == ["from forged.example ([192.0.2.1])"]
        assert [str(proxy.address) for proxy in tracing.proxies] == [PROXY]

    @pytest.mark.parametrize(
        ("order", "granted", "way"),
        [
            (CONNECT, GRANTED, Way.CONNECT),
            (b"CONNECT mx.victim.example:25 HTTP/1.0\r\n\r\n", GRANTED, Way.CONNECT),
            (b"\x04\x01\x00\x19\xc0\x00\x02\x19me\0", b"\0\x5a" + bytes(6), Way.SOCKS4),
            (b"\x04\x01\x00\x19\0\0\0\x01me\0mx.x\0", b"\0\x5a" + bytes(6), Way.SOCKS4A),
            (SOCKS5_NAME, b"\x05\x00\x05\x00\x00\x01" + bytes(6), Way.SOCKS5),
        ],
    )
    def test_reads_each_kind_of_order(self, order: bytes, granted: bytes, way: Way) -> None:
        """Names that nothing in the capture explains are no hindrance: the bytes tell."""
        (one,) = traced(both(Abuse(order=order, granted=granted))).traces

        assert one.origin is not None
        assert one.origin.order is not None
        assert (one.answer, one.origin.order.way) == (Answer.PROVEN, way)

    def test_finds_the_order_behind_other_requests(self) -> None:
        """Kept alive, a connection may bring an honest request first; pipelined, all at once."""
        get = b"GET http://x.example/ HTTP/1.1\r\nHost: x.example\r\n\r\n"
        page = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

        kept = traced(both(Abuse(before=((True, get), (False, page)))))
        piped = traced(both(Abuse(order=get + CONNECT, granted=page + GRANTED)))

        assert answers(kept) == answers(piped) == [("proven", SPAMMER)]

    def test_reads_ipv6(self) -> None:
        """Addresses of the new family on both legs."""
        abuse = Abuse(
            origin=("2001:db8::7", 40_000),
            proxy="2001:db8:1::5",
            victim="2001:db8:2::25",
            order=b"CONNECT [2001:db8:2::25]:25 HTTP/1.1\r\n\r\n",
        )

        assert answers(traced(both(abuse))) == [("proven", "2001:db8::7")]

    def test_a_proxy_may_have_two_addresses(self) -> None:
        """What is ordered at one of its addresses leaves from another."""
        tracing = traced(both(Abuse(out="203.0.113.6")))

        assert answers(tracing) == [("proven", SPAMMER)]
        assert {str(one.address) for one in tracing.proxies} == {PROXY, "203.0.113.6"}


class TestDamagedCaptures:
    def test_takes_segments_cut_small(self) -> None:
        """Orders and envelopes may come byte by byte."""
        seen = [part for one in both(Abuse()) for part in split(one, 1)]

        assert answers(traced(seen)) == [("proven", SPAMMER)]

    @pytest.mark.parametrize("seed", range(10))
    def test_takes_reordered_and_repeated_packets(self, seed: int) -> None:
        """Neighbours change places, and some packets come twice."""
        luck = random.Random(seed)
        seen = [part for one in both(Abuse()) for part in split(one, 9)]
        shaken = sorted(
            (*seen, *luck.sample(seen, len(seen) // 4)),
            key=lambda one: one.at + (0 if one.flags & SYN else luck.random() * 0.004),
        )

        assert answers(traced(shaken)) == [("proven", SPAMMER)]

    @pytest.mark.parametrize("seed", range(20))
    def test_loss_never_accuses_the_wrong_one(self, seed: int) -> None:
        """With one packet in ten gone, of two mails none is laid at the other's door."""
        luck = random.Random(seed)
        other = Abuse(
            at=100.003, origin=(OTHER, 41_000), port=50_001, recipient="b@victim.example",
            queue_id="9Z9Z",
        )  # fmt: skip
        seen = [one for one in both(Abuse(), other) if luck.random() > 0.1]

        named = {
            str(one.session.proxy_port): str(one.origin.address)
            for one in traced(seen).traces
            if one.origin is not None and one.session.proxy_port is not None
        }

        assert {"50000": SPAMMER, "50001": OTHER}.items() >= named.items()

    def test_a_capture_may_start_late(self) -> None:
        """Without handshake and order, the bytes of both legs still are the same."""
        seen = [one for one in both(Abuse(), Abuse(at=200, port=50_001)) if one.at > 100.035]

        assert answers(traced(seen)) == [("proven", SPAMMER)] * 2

    def test_a_cut_payload_is_a_gap(self) -> None:
        """A snapshot length keeps the first bytes of each packet; what is kept is compared."""
        whole = both(Abuse())
        kept = [(one.at, one.packet()[:90]) for one in whole]

        from botprobe.observers.proxytrace.trace import trace  # noqa: PLC0415

        (one,) = trace(lambda _: kept).traces

        assert one.origin is not None
        assert str(one.origin.address) == SPAMMER

    def test_damaged_packets_are_counted(self) -> None:
        """What cannot be read stops nothing."""
        from botprobe.observers.proxytrace.trace import trace  # noqa: PLC0415

        kept = [
            (1.0, b"E\0"),
            (1.0, b"\x45" + bytes(30)),
            *((o.at, o.packet()) for o in both(Abuse())),
        ]
        tracing = trace(lambda _: kept)

        assert tracing.unread >= 1
        assert answers(tracing) == [("proven", SPAMMER)]

    def test_puts_ip_fragments_together(self) -> None:
        """A datagram cut by a router reads as if it had come whole."""
        packet = both(Abuse())[2].packet()
        head, body = bytearray(packet[:20]), packet[20:]
        first, last = bytearray(head), bytearray(head)
        first[2:4], first[6:8] = (20 + 24).to_bytes(2, "big"), b"\x20\x00"
        last[2:4], last[6:8] = (20 + len(body) - 24).to_bytes(2, "big"), b"\x00\x03"
        fragments = Fragments()

        assert fragments.whole(bytes(last) + body[24:]) is None
        joined = fragments.whole(bytes(first) + body[:24])

        assert joined is not None
        assert joined[20:] == body


class TestCrowds:
    def test_two_hundred_equal_sessions_at_once(self) -> None:
        """Only the server's queue numbers differ, and they are enough."""
        crowd = [
            Abuse(
                at=100 + n * 0.0001, origin=(f"198.51.100.{n % 200 + 1}", 30_000 + n),
                port=40_000 + n, queue_id=f"Q{n:05}",
            )
            for n in range(200)
        ]  # fmt: skip
        want = {one.port: one.origin for one in crowd}

        traces = traced(both(*crowd)).traces

        assert len(traces) == 200
        for one in traces:
            assert one.origin is not None
            assert one.session.proxy_port is not None
            assert want[one.session.proxy_port] == (str(one.origin.address), one.origin.port)

    def test_two_that_nothing_tells_apart_are_equal(self) -> None:
        """The same order, bytes and moments: nobody is named, both are shown."""
        first, second = Abuse().legs()
        twin, _ = Abuse(origin=(OTHER, 41_000)).legs()

        (one,) = [
            one for one in traced(packets(first, second, twin)).traces if one.session.proxy_port
        ]

        assert (one.answer, one.origin) == (Answer.EQUAL, None)
        assert {str(rival.address) for rival in one.rivals} == {SPAMMER, OTHER}

    def test_the_proxys_own_mail_is_nobodys(self) -> None:
        """Its reports to the administrator are not laid at a user's door."""
        own = Talk((PROXY, 50_009), (VICTIM, 25), 100.0)
        own.say(100.1, BANNER, client=False)
        for n, (client, data) in enumerate(mail("root@victim.example", "OWN1")):
            own.say(100.2 + n * 0.01, data, client=client)

        tracing = traced(packets(own, *Abuse().legs()))

        assert sorted(answers(tracing), key=str) == [("none-found", None), ("proven", SPAMMER)]

    def test_an_honest_user_is_not_accused(self) -> None:
        """Who looks at a page that names the mail server has ordered nothing from it."""
        user = Talk((USER, 42_000), (PROXY, 3128), 99.99)
        text = b"mail server 192.0.2.25:25 is down"
        user.say(100.0, b"POST http://forum.example/ HTTP/1.1\r\nContent-Length: 33\r\n\r\n" + text)
        user.say(100.1, b"HTTP/1.1 200 OK\r\n\r\n", client=False)

        tracing = traced(packets(user, *Abuse().legs()))

        assert answers(tracing) == [("proven", SPAMMER)]

    def test_an_order_for_another_server_is_refuted(self) -> None:
        """Somebody who ordered something else at the same moment has not ordered this."""
        own = Talk((PROXY, 50_009), ("192.0.2.77", 25), 100.02)
        first, second = Abuse().legs()

        tracing = traced(packets(own, first, second))

        assert sorted(answers(tracing), key=str) == [("none-found", None), ("proven", SPAMMER)]


class TestWithoutASecondLeg:
    def test_one_leg_is_said_to_be_one(self) -> None:
        """The order and its tunnel alone name origin, proxy and victim."""
        first, _ = Abuse(order=b"CONNECT MX.victim.example:25 HTTP/1.0\r\n\r\n").legs()

        (one,) = traced(first.packets).traces

        assert (one.answer, one.session.victim) == (Answer.ONE_LEG, "mx.victim.example")
        assert one.session.said.greeting == BANNER.decode().strip()
        assert len(one.session.said.mails) == 1

    def test_a_refused_order_is_no_mail(self) -> None:
        """A proxy that says no is told as such."""
        talk = Talk((SPAMMER, 40_000), (PROXY, 3128), 100.0)
        talk.say(100.1, CONNECT)
        talk.say(100.2, b"HTTP/1.1 403 Forbidden\r\n\r\n", client=False)

        tracing = traced(talk.packets)

        assert tracing.traces == ()
        assert tracing.refused_orders == ((ip_address(SPAMMER), "HTTP 403 Forbidden"),)

    def test_a_mail_server_is_no_suspect(self) -> None:
        """Who takes mail and sends mail is not a proxy."""
        takes = Talk((USER, 42_000), (PROXY, 25), 99.0)
        web = Talk((USER, 42_001), (PROXY, 443), 99.0)
        sends = Talk((PROXY, 50_009), (VICTIM, 25), 100.0)

        assert traced(packets(takes, web, sends)).proxies == ()

    def test_the_operator_may_name_the_proxy(self) -> None:
        """A named proxy is traced whatever else it is."""
        takes = Talk((USER, 42_000), (PROXY, 25), 99.0)

        tracing = traced(packets(takes, *Abuse().legs()), proxies=(ip_address(PROXY),))

        assert answers(tracing) == [("proven", SPAMMER)]


def test_nothing_at_all_is_an_answer() -> None:
    """An empty capture has no proxy and no trace."""
    seen: Packets = []
    tracing = traced(seen)

    assert (tracing.proxies, tracing.traces, tracing.origins) == ((), (), ())


def test_a_reused_port_is_another_connection() -> None:
    """The same four numbers serve again later."""
    later = replace(Abuse(), at=300.0, recipient="c@victim.example", queue_id="LATER")

    assert answers(traced(both(Abuse(), later))) == [("proven", SPAMMER)] * 2
