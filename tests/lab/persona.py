"""A system's answers to nmap's OS tests, compiled from its entry in nmap's database.

The tests are those of https://nmap.org/book/osdetect-methods.html.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from tests.lab import osdb, packets
from tests.lab.answers import EchoAnswer, Number, TcpAnswer, UnreachableAnswer
from tests.lab.osdb import OsEntry
from tests.lab.sequences import IpIds, IsnPlan, plan_ip_ids, plan_isn

_FLAGS = {
    "E": packets.ECE,
    "U": packets.URG,
    "A": packets.ACK,
    "P": packets.PSH,
    "R": packets.RST,
    "S": packets.SYN,
    "F": packets.FIN,
}
_CONGESTION = {"Y": packets.ECE, "S": packets.ECE | packets.CWR, "O": packets.CWR}
_RESERVED_BIT = 8
_OPTION = re.compile(r"([NLS])|M([0-9A-F]+)|W([0-9A-F]+)|T([01])([01])")

# nmap's TS: 1, 7 and 8 are bands, all else the logarithm of the frequency to base 2.
_CLOCK_BANDS = {1: 2.0, 7: 100.0, 8: 200.0}


def _number(expression: str | None) -> Number:
    choice = osdb.first_choice(expression or "O")
    return Number({"A": "S", "A+": "S+"}.get(choice, choice))


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A system: all that its hosts have in common."""

    name: str
    ttl: int
    """Of ordinary packets, where they start."""
    isn: IsnPlan
    clock_hz: float
    tcp: Mapping[str, TcpAnswer]
    """Answers by probe: P1 to P6, ECN, T2 to T7. A probe that is missing is not answered."""
    unreachable: UnreachableAnswer | None
    echo: tuple[EchoAnswer, EchoAnswer] | None


def compile_persona(entry: OsEntry) -> Persona:
    """Compile an entry of nmap's database."""
    sequence = entry.test("SEQ") or {}
    ids = plan_ip_ids(
        sequence.get("TI"), sequence.get("CI"), sequence.get("II"), sequence.get("SS")
    )
    tcp = _open_port_answers(entry, ids)
    for index, name in enumerate(("T2", "T3", "T4", "T5", "T6", "T7")):
        if test := entry.test(name):
            ident = ids.closed[index - 3] if index >= 3 else 0
            tcp[name] = _tcp_answer(test, ident, _flags(test.get("F", "")))
    return Persona(
        name=entry.name,
        ttl=_ordinary_ttl(entry),
        isn=plan_isn(sequence.get("SP"), sequence.get("GCD"), sequence.get("ISR")),
        clock_hz=_clock(sequence.get("TS")),
        tcp=tcp,
        unreachable=_unreachable(entry.test("U1")),
        echo=_echo(entry.test("IE"), ids),
    )


def forge_crc32(wanted: int) -> bytes:
    """Return the four bytes whose CRC-32 is ``wanted`` (the text of a RST, attribute RD)."""
    # The CRC of four bytes is a bijection, linear but for a constant: solve for each input bit.
    constant = zlib.crc32(bytes(4))
    rows = [
        (zlib.crc32((1 << bit).to_bytes(4, "little")) ^ constant, 1 << bit) for bit in range(32)
    ]
    target, solution = wanted ^ constant, 0
    for bit in reversed(range(32)):
        pivot = next(row for row in rows if row[0] >> bit & 1)
        rows.remove(pivot)
        rows = [(a ^ pivot[0], b ^ pivot[1]) if a >> bit & 1 else (a, b) for a, b in rows]
        if target >> bit & 1:
            target ^= pivot[0]
            solution ^= pivot[1]
    return solution.to_bytes(4, "little")


def _open_port_answers(entry: OsEntry, ids: IpIds) -> dict[str, TcpAnswer]:
    first = entry.test("T1")
    if first is None:
        return {}
    windows, options = entry.test("WIN") or {}, entry.test("OPS") or {}
    flags = _flags(first.get("F", "AS"))
    answers = {}
    for index in range(1, 7):
        window, option = windows.get(f"W{index}", "0"), options.get(f"O{index}")
        if option == "" and window == "0" != windows.get("W1"):
            continue  # so the entry says that this probe got no answer
        test = {**first, "W": window, "O": option or ""}
        answers[f"P{index}"] = _tcp_answer(test, ids.open[index - 1], flags)
    if ecn := entry.test("ECN"):
        congestion = _CONGESTION.get(osdb.first_choice(ecn.get("CC", "N")), 0)
        answers["ECN"] = _tcp_answer(
            {**ecn, "S": "O", "A": "S+"}, 0, packets.SYN | packets.ACK | congestion
        )
    return answers


def _tcp_answer(test: Mapping[str, str], ident: int, flags: int) -> TcpAnswer:
    options, clocks = _options(osdb.first_choice(test.get("O", "")))
    quirks = osdb.first_choice(test.get("Q", ""))
    data = osdb.number(test.get("RD"))
    return TcpAnswer(
        ident=ident,
        dont_fragment=_says(test, "DF"),
        ttl=_ttl(test),
        flags=flags,
        window=osdb.number(test.get("W")) & 0xFFFF,
        seq=_number(test.get("S")),
        ack=_number(test.get("A")),
        options=options,
        clocks=clocks,
        reserved=_RESERVED_BIT if "R" in quirks else 0,
        urgent=1 if "U" in quirks else 0,
        payload=forge_crc32(data) if data else b"",
    )


def _options(text: str) -> tuple[bytes, tuple[tuple[int, bool, bool], ...]]:
    encoded = bytearray()
    clocks = []
    for plain, segment_size, scale, value, echo in _OPTION.findall(text):
        if plain:
            encoded += {"N": b"\x01", "L": b"\x00", "S": b"\x04\x02"}[plain]
        elif segment_size:
            encoded += struct.pack("!BBH", 2, 4, int(segment_size, 16) & 0xFFFF)
        elif scale:
            encoded += struct.pack("!BBB", 3, 3, int(scale, 16) & 0xFF)
        else:
            clocks.append((len(encoded) + 2, value == "1", echo == "1"))
            encoded += struct.pack("!BBII", 8, 10, 0, 0)
    return bytes(encoded), tuple(clocks)


def _flags(text: str) -> int:
    flags = 0
    for letter in osdb.first_choice(text):
        flags |= _FLAGS.get(letter, 0)
    return flags


def _says(test: Mapping[str, str], attribute: str) -> bool:
    return osdb.first_choice(test.get(attribute, "N")) == "Y"


def _ttl(test: Mapping[str, str]) -> int:
    """Return the TTL that the answer starts with: a usual one if the entry allows it."""
    allowed = osdb.intervals(test.get("T", ""), largest=255)
    guess = osdb.number(test.get("TG"), 64)
    if not allowed:
        return guess
    for usual in (guess, 64, 128, 255, 32):
        if any(usual in numbers for numbers in allowed):
            return usual
    return min(allowed[0][-1], 255)  # some entries allow more than there is


def _ordinary_ttl(entry: OsEntry) -> int:
    for name in ("T1", "T5", "IE", "U1"):
        if test := entry.test(name):
            return _ttl(test)
    return 64


def _clock(expression: str | None) -> float:
    """Return how often per second the timestamp clock ticks."""
    allowed = osdb.intervals(expression or "", largest=30)
    exponent = allowed[0].start if allowed else 0
    return _CLOCK_BANDS.get(exponent, 2.0**exponent if exponent else 0.0)


def _unreachable(test: Mapping[str, str] | None) -> UnreachableAnswer | None:
    if test is None:
        return None

    def altered(attribute: str) -> int | None:
        if osdb.first_choice(test.get(attribute, "G")) == "G":
            return None
        return osdb.number(test[attribute]) & 0xFFFF

    return UnreachableAnswer(
        dont_fragment=_says(test, "DF"),
        ttl=_ttl(test),
        length=osdb.number(test.get("IPL"), 0x164),
        unused=osdb.number(test.get("UN")),
        quoted_length=altered("RIPL"),
        quoted_ident=altered("RID"),
        quoted_udp_checksum=altered("RUCK"),
        quoted_ip_checksum=osdb.first_choice(test.get("RIPCK", "G")),
        data_intact=osdb.first_choice(test.get("RUD", "G")) == "G",
        extra_hops=max(0, osdb.number(test.get("T")) - 255),
    )


_ECHO_CODES = {"Z": (0, 0), "S": (9, 0), "O": (5, 7)}
_ECHO_FRAGMENT_BITS = {
    "N": (False, False),
    "S": (True, False),
    "Y": (True, True),
    "O": (False, True),
}


def _echo(test: Mapping[str, str] | None, ids: IpIds) -> tuple[EchoAnswer, EchoAnswer] | None:
    if test is None:
        return None
    choice = osdb.first_choice(test.get("CD", "Z"))
    codes = _ECHO_CODES.get(choice) or (osdb.number(choice) & 0xFF,) * 2
    bits = _ECHO_FRAGMENT_BITS.get(osdb.first_choice(test.get("DFI", "N")), (False, False))
    first, second = (
        EchoAnswer(ident=ident, dont_fragment=bit, ttl=_ttl(test), code=code)
        for ident, bit, code in zip(ids.icmp, bits, codes, strict=True)
    )
    return first, second
