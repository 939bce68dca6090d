"""The responder: who answers what, and who is silent."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import packets, population
from tests.lab.hosts import LiveHost, PersonaBook
from tests.lab.osdb import OsDatabase
from tests.lab.packets import Packet, Segment
from tests.lab.population import PopulationError
from tests.lab.responder import Responder, nmap_test

_SCANNER = bytes((198, 18, 0, 1))
_DATABASE = OsDatabase(
    """
Fingerprint Invented
Class A | B | C | D
OPS(O1=M5B4)
WIN(W1=2000)
T1(R=Y%DF=Y%T=7B-85%TG=80%S=O%A=S+%F=AS%RD=0%Q=)
T2(R=N)
T5(R=Y%DF=N%T=7B-85%TG=80%W=0%S=Z%A=S+%F=AR%O=%RD=0%Q=)
U1(DF=N%T=7B-85%TG=80%IPL=164%UN=0%RIPL=G%RID=G%RIPCK=G%RUCK=G%RUD=G)
"""
)
_PEOPLE = population.parse(
    {
        "host": [
            {
                "name": "windows",
                "address": "198.18.10.1",
                "persona": ["Unheard of", "Invented"],
                "ping": True,
                "open": [25],
                "hops": 4,
            },
            {
                "name": "walled",
                "addresses": ["198.18.10.2", "2001:db8::10:2"],
                "open": [80],
                "closed": [113],
                "default": "filtered",
            },
            {"name": "six", "address": "2001:db8::10:6", "ping": True, "open": [25]},
        ]
    }
)
_WINDOWS, _WALLED = bytes((198, 18, 10, 1)), bytes((198, 18, 10, 2))
_NMAP_TIMESTAMP = bytes.fromhex("080affffffff00000000")


class _Wire:
    """A link whose other end is the test."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def fileno(self) -> int:
        return -1

    def receive(self) -> bytes | None:
        return None

    def send(self, packet: bytes) -> None:
        self.sent.append(packet)


class _Field:
    """A responder, and what a scanner does to it."""

    def __init__(self, *, block_25: bool = False) -> None:
        self.wire = _Wire()
        chance = random.Random(1)
        book = PersonaBook(_DATABASE)
        hosts = [LiveHost(host, book, chance) for host in _PEOPLE.hosts]
        self.responder = Responder(self.wire, hosts, chance, block_25=block_25)

    def send(self, to: bytes, protocol: int, payload: bytes, *, ident: int = 0) -> Packet | None:
        """Send a packet and return the answer, if there is one."""
        self.wire.sent.clear()
        source = _SCANNER if len(to) == 4 else bytes(15) + b"\1"
        self.responder.handle(packets.ip_packet(source, to, protocol, payload, ident=ident))
        return packets.parse_ip(self.wire.sent[0]) if self.wire.sent else None

    def tcp(
        self,
        to: bytes,
        port: int,
        flags: int = packets.SYN,
        window: int = 1024,
        options: bytes = b"",
    ) -> Segment | None:
        """Send a segment and return the one that answers."""
        source = _SCANNER if len(to) == 4 else bytes(15) + b"\1"
        segment = Segment(40_000, port, 1000, 2000, flags, window, options, b"")
        answer = self.send(to, packets.TCP, packets.tcp_segment(source, to, segment))
        return packets.parse_tcp(answer.payload) if answer else None


class TestPorts:
    @pytest.mark.parametrize(
        ("address", "port", "flags"),
        [
            (_WINDOWS, 25, packets.SYN | packets.ACK),
            (_WINDOWS, 80, packets.RST | packets.ACK),
            (_WALLED, 80, packets.SYN | packets.ACK),
            (_WALLED, 113, packets.RST | packets.ACK),
            (_WALLED, 25, None),
            (_PEOPLE.hosts[2].addresses[0].packed, 25, packets.SYN | packets.ACK),
            (bytes((198, 18, 99, 99)), 25, None),
        ],
    )
    def test_open_closed_filtered(self, address: bytes, port: int, flags: int | None) -> None:
        """Open ports take connections, closed ones refuse, filtered ones and nobody are silent."""
        answer = _Field().tcp(address, port)

        assert (answer and answer.flags) == flags

    def test_blocked_port_25(self) -> None:
        """With outgoing 25 blocked nothing comes back from it; other ports are as before."""
        field = _Field(block_25=True)

        assert field.tcp(_WINDOWS, 25) is None
        assert field.tcp(_WINDOWS, 80) is not None

    def test_a_stray_acknowledgment_is_reset(self) -> None:
        """What belongs to no connection gets a RST, and a RST gets nothing."""
        answer = _Field().tcp(_WINDOWS, 25, packets.ACK)

        assert answer is not None
        assert (answer.flags, answer.seq) == (packets.RST, 2000)
        assert _Field().tcp(_WINDOWS, 25, packets.RST) is None


class TestPing:
    def test_answers_with_what_was_sent(self) -> None:
        """An echo reply repeats the request, and its TTL tells the distance."""
        answer = _Field().send(_WINDOWS, packets.ICMP, packets.icmp_message(8, 0, b"\0\1\0\2data"))

        assert answer is not None
        assert answer.payload[0] == 0
        assert answer.payload[4:] == b"\0\1\0\2data"
        assert answer.ttl == 128 - 3

    def test_silence_where_ping_is_off(self) -> None:
        """A host that does not answer to ping does not."""
        message = packets.icmp_message(8, 0, bytes(8))

        assert _Field().send(_WALLED, packets.ICMP, message) is None

    def test_ipv6(self) -> None:
        """ICMPv6 has other numbers, and a checksum over the addresses."""
        address = _PEOPLE.hosts[2].addresses[0].packed
        source = bytes(15) + b"\1"
        request = packets.icmpv6_message(source, address, 128, 0, b"\0\1\0\2data")

        answer = _Field().send(address, packets.ICMPV6, request)

        assert answer is not None
        assert answer.payload[0] == 129
        total = packets.transport_checksum(address, source, packets.ICMPV6, answer.payload)
        assert total in (0, 0xFFFF)


class TestNmapTests:
    @pytest.mark.parametrize(
        ("flags", "window", "options", "name"),
        [
            (packets.SYN, 1, b"\x03\x03\x0a\x01" + _NMAP_TIMESTAMP, "P1"),
            (packets.SYN, 4, _NMAP_TIMESTAMP, "P3"),
            (packets.SYN, 4, b"\x04\x02" + _NMAP_TIMESTAMP, "P4"),
            (packets.SYN | packets.ECE | packets.CWR, 3, b"", "ECN"),
            (0, 128, _NMAP_TIMESTAMP, "T2"),
            (packets.SYN, 1, b"", None),
            (packets.SYN, 1024, b"\x02\x04\x05\xb4", None),
        ],
    )
    def test_are_told_from_ordinary_traffic(
        self, flags: int, window: int, options: bytes, name: str | None
    ) -> None:
        """Window, flags and nmap's own timestamp make a test."""
        assert nmap_test(Segment(1, 2, 3, 4, flags, window, options, b"")) == name

    def test_are_answered_by_the_persona(self) -> None:
        """The first known entry of the host decides; a test with R=N gets silence."""
        field = _Field()

        answer = field.tcp(_WINDOWS, 25, window=1, options=_NMAP_TIMESTAMP)

        assert answer is not None
        assert answer.window == 0x2000
        assert field.tcp(_WINDOWS, 25, flags=0, window=128, options=_NMAP_TIMESTAMP) is None

    def test_udp_to_a_closed_port(self) -> None:
        """U1 is an ICMP error that quotes the probe."""
        datagram = bytes.fromhex("9c40 7530 0134 0000") + b"C" * 300

        answer = _Field().send(_WINDOWS, packets.UDP, datagram, ident=0x1042)

        assert answer is not None
        assert answer.protocol == packets.ICMP
        assert answer.payload[:2] == b"\x03\x03"

    def test_a_persona_that_nobody_knows(self) -> None:
        """A host whose entries are all unknown to the installed nmap is an error."""
        people = population.parse(
            {"host": [{"name": "x", "address": "198.18.1.1", "persona": ["Unheard of"]}]}
        )

        with pytest.raises(PopulationError, match="Unheard of"):
            LiveHost(people.hosts[0], PersonaBook(_DATABASE), random.Random(1))

    def test_a_service_that_does_not_exist(self) -> None:
        """So is a service that nobody wrote."""
        host = {"name": "x", "address": "198.18.1.1", "open": [25], "services": {"25": "gopher"}}
        people = population.parse({"host": [host]})

        with pytest.raises(PopulationError, match="gopher"):
            LiveHost(people.hosts[0], PersonaBook(_DATABASE), random.Random(1))


class TestWire:
    def test_counts_what_arrives_even_for_nobody(self) -> None:
        """Every packet counts, whoever it was for."""
        field = _Field()
        stranger = bytes((198, 18, 99, 99))

        field.tcp(stranger, 25)
        field.tcp(stranger, 25)
        field.send(_WALLED, packets.ICMP, packets.icmp_message(8, 0, bytes(8)))

        assert dict(field.responder.wire) == {
            (stranger, packets.TCP, 25): 2,
            (_WALLED, packets.ICMP, 8): 1,
        }

    @given(st.sampled_from([_WINDOWS, _WALLED]), st.sampled_from([1, 6, 17, 58]), st.binary())
    def test_nothing_makes_it_fail(self, to: bytes, protocol: int, payload: bytes) -> None:
        """Whatever the packet holds, the responder lives on and answers the next one."""
        field = _Field()

        field.send(to, protocol, payload[:1000])

        assert field.tcp(_WINDOWS, 80) is not None
