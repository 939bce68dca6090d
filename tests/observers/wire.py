"""Frames and capture files for tests, written byte by byte."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETHERNET, RAW, COOKED = 1, 101, 113

WINDOWS_SYN = bytes.fromhex("020405b40103030801010402")
LINUX_SYN = bytes.fromhex("020405b40402080a0000000100000000 01030307".replace(" ", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One TCP segment in an IP packet."""

    source: str
    target: str
    from_port: int
    to_port: int
    flags: int = ACK
    sequence: int = 1
    acknowledged: int = 1
    payload: bytes = b""
    options: bytes = b""
    limit: int = 64
    at: float = 0.0

    def packet(self) -> bytes:
        """Write it from the IP header on; checksums are left out."""
        source, target = ip_address(self.source), ip_address(self.target)
        tcp = struct.pack(
            "!HHIIBBHHH",
            self.from_port,
            self.to_port,
            self.sequence & 0xFFFFFFFF,
            self.acknowledged & 0xFFFFFFFF,
            (20 + len(self.options)) // 4 << 4,
            self.flags,
            8192,
            0,
            0,
        )
        tcp += self.options + self.payload
        if isinstance(source, IPv4Address):
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, self.limit, 6, 0)
        else:
            assert isinstance(source, IPv6Address)
            head = struct.pack("!IHBB", 6 << 28, len(tcp), 6, self.limit)
        return head + source.packed + target.packed + tcp

    def frame(self, *tags: int) -> bytes:
        """Write it as an Ethernet frame, with VLAN tags if any are given."""
        packet = self.packet()
        kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
        vlan = b"".join(b"\x81\x00" + tag.to_bytes(2, "big") for tag in tags)
        return bytes(12) + vlan + kind + packet


def write_pcap(
    path: Path, frames: Iterable[tuple[float, bytes]], link: int = ETHERNET, snaplen: int = 65535
) -> Path:
    """Write a capture file, frames cut to ``snaplen``."""
    with path.open("wb") as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link))
        for at, frame in frames:
            kept = frame[:snaplen]
            micros = round(at % 1 * 1e6)
            stream.write(struct.pack("<IIII", int(at), micros, len(kept), len(frame)) + kept)
    return path
