"""Personas: each attribute of an entry can be seen in the answers."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab import packets
from tests.lab.osdb import OsDatabase
from tests.lab.packets import Packet, Segment
from tests.lab.persona import Persona, compile_persona, forge_crc32

_HERE, _THERE = b"\xc6\x12\x00\x01", b"\xc6\x12\x0a\x01"


def _persona(*tests: str) -> Persona:
    text = "\nFingerprint Invented\nClass A | B | C | D\n" + "\n".join(tests) + "\n"
    entry = OsDatabase(text).entry("Invented")
    assert entry is not None
    return compile_persona(entry)


def _answer(persona: Persona, test: str, *, isn: int | None = None) -> tuple[Packet, Segment]:
    probe = Segment(40_000, 80, 1000, 2000, packets.SYN, 1, b"", b"")
    raw = packets.ip_packet(_HERE, _THERE, packets.TCP, packets.tcp_segment(_HERE, _THERE, probe))
    packet = packets.parse_ip(raw)
    assert packet is not None
    built = packets.parse_ip(
        persona.tcp[test].build(packet, probe, isn=isn, clock=0x01020304, ttl=9)
    )
    assert built is not None
    segment = packets.parse_tcp(built.payload)
    assert segment is not None
    return built, segment


class TestTcpAnswers:
    def test_options_windows_and_flags_of_an_open_port(self) -> None:
        """O and W come from OPS and WIN, all else from T1."""
        persona = _persona(
            "SEQ(SP=F7-10B%GCD=1-6%ISR=102-112%TI=I%TS=7)",
            "OPS(O1=M5B4NW8ST11%O2=M578%O3=%O4=%O5=%O6=M109ST10L)",
            "WIN(W1=2000%W2=1020%W3=0%W4=0%W5=0%W6=3FFF)",
            "T1(R=Y%DF=Y%T=7B-85%TG=80%S=O%A=S+%F=AS%RD=0%Q=)",
        )

        packet, segment = _answer(persona, "P1", isn=77)

        assert (segment.seq, segment.ack, segment.window) == (77, 1001, 0x2000)
        assert segment.flags == packets.SYN | packets.ACK
        expected = "020405b4 01 030308 0402 080a 01020304 ffffffff"
        assert segment.options.rstrip(b"\0") == bytes.fromhex(expected)
        assert packet.raw[6] & 0x40
        assert (packet.ttl, persona.tcp["P1"].ttl) == (9, 128)
        assert _answer(persona, "P2")[1].options == bytes.fromhex("02040578")

    @pytest.mark.parametrize(("text", "seq"), [("Z", 0), ("A", 2000), ("A+", 2001)])
    def test_sequence_number(self, text: str, seq: int) -> None:
        """S tells the sequence number from the probe's acknowledgment."""
        persona = _persona(f"T5(R=Y%DF=N%T=40%TG=40%W=0%S={text}%A=S+%F=AR%O=%RD=0%Q=)")

        assert _answer(persona, "T5")[1].seq == seq

    @pytest.mark.parametrize(("text", "ack"), [("Z", 0), ("S", 1000), ("S+", 1001)])
    def test_acknowledgment_number(self, text: str, ack: int) -> None:
        """A tells the acknowledgment from the probe's sequence number."""
        persona = _persona(f"T5(R=Y%DF=N%T=40%TG=40%W=0%S=Z%A={text}%F=AR%O=%RD=0%Q=)")

        assert _answer(persona, "T5")[1].ack == ack

    def test_a_test_without_answer(self) -> None:
        """R=N, or no line at all, is silence."""
        assert "T7" not in _persona("T7(R=N)").tcp
        assert "T6" not in _persona("T7(R=N)").tcp

    def test_quirks_and_text_of_a_reset(self) -> None:
        """Q sets reserved bit and urgent pointer; RD is the CRC-32 of the data."""
        persona = _persona("T5(R=Y%DF=N%T=40%TG=40%W=0%S=Z%A=S+%F=AR%O=%RD=1E22E4B9%Q=RU)")

        packet, segment = _answer(persona, "T5")

        assert packet.payload[12] & 0x0F
        assert packet.payload[18:20] != b"\0\0"
        assert zlib.crc32(segment.payload) == 0x1E22E4B9

    @given(st.integers(0, 0xFFFFFFFF))
    def test_every_crc_can_be_forged(self, wanted: int) -> None:
        """Four bytes exist for every CRC-32."""
        assert zlib.crc32(forge_crc32(wanted)) == wanted


class TestUnreachable:
    def _answer(self, test: str, hops: int = 1) -> bytes:
        answer = _persona(test).unreachable
        assert answer is not None
        datagram = bytes.fromhex("9c40 7530 0134 abcd") + b"C" * 300
        probe = packets.parse_ip(
            packets.ip_packet(_HERE, _THERE, packets.UDP, datagram, ttl=50, ident=0x1042)
        )
        assert probe is not None
        return answer.build(probe, hops=hops)

    def test_quotes_the_probe_as_it_came(self) -> None:
        """Good lengths and checksums, a TTL lowered by the way, an answer of the right length."""
        raw = self._answer(
            "U1(DF=N%T=40%TG=40%IPL=164%UN=0%RIPL=G%RID=G%RIPCK=G%RUCK=G%RUD=G)", hops=5
        )

        assert len(raw) == 0x164
        assert raw[8] == 64 - 4
        quote = raw[28:]
        assert quote[8] == 50 - 4
        assert packets.checksum(quote[:20]) in (0, 0xFFFF)
        assert quote[26:28] == bytes.fromhex("abcd")

    def test_alters_the_quote_as_the_entry_says(self) -> None:
        """Lengths, IDs and checksums that the entry names stand in the quote."""
        raw = self._answer(
            "U1(DF=Y%T=FF%TG=FF%IPL=38%UN=2C5E%RIPL=120%RID=4210%RIPCK=Z%RUCK=0%RUD=G)"
        )

        assert len(raw) == 0x38
        assert raw[24:28] == bytes.fromhex("00002c5e")
        quote = raw[28:]
        assert quote[2:6] == bytes.fromhex("01204210")
        assert quote[10:12] == quote[26:28] == b"\0\0"


class TestEcho:
    @pytest.mark.parametrize(
        ("code", "codes"), [("Z", (0, 0)), ("S", (9, 0)), ("3", (3, 3)), ("O", (5, 7))]
    )
    def test_codes(self, code: str, codes: tuple[int, int]) -> None:
        """CD tells the codes of the two echo replies."""
        echo = _persona(f"IE(DFI=N%T=40%TG=40%CD={code})").echo

        assert echo is not None
        assert tuple(one.code for one in echo) == codes
