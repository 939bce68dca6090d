"""Captures: every form that libpcap knows, damaged ones, and folders."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from botprobe.observers.capture import CaptureNotes, capture_files, network_layer, read_packets
from tests.observers.wire import COOKED, ETHERNET, RAW, Segment, write_pcap

MAIL = Segment(source="198.18.0.7", target="198.18.9.9", from_port=4001, to_port=25)
MAIL_6 = Segment(source="2001:db8::7", target="2001:db8::9", from_port=4001, to_port=25)
WEB = Segment(source="198.18.0.7", target="198.18.9.9", from_port=4002, to_port=80)


def read(*paths: Path, bpf: str = "tcp port 25") -> tuple[list[bytes], CaptureNotes]:
    """Read captures; return the packets and the notes."""
    notes = CaptureNotes()
    return [packet.data for packet in read_packets(paths, bpf, notes)], notes


class TestReadPackets:
    @pytest.mark.parametrize(
        ("link", "frames"),
        [
            (ETHERNET, [MAIL.frame(), MAIL_6.frame(), WEB.frame()]),
            (ETHERNET, [MAIL.frame(7), MAIL_6.frame(7, 8), WEB.frame(7)]),
            (RAW, [MAIL.packet(), MAIL_6.packet(), WEB.packet()]),
            (
                COOKED,
                [bytes(14) + kind + each.packet() for each, kind in
                 ((MAIL, b"\x08\x00"), (MAIL_6, b"\x86\xdd"), (WEB, b"\x08\x00"))],
            ),
        ],
        ids=["Ethernet", "VLAN", "raw", "cooked"],
    )  # fmt: skip
    def test_every_link_gives_the_same_packets(
        self, tmp_path: Path, link: int, frames: list[bytes]
    ) -> None:
        """The filter works below VLAN tags, too, and what comes out begins with IP."""
        path = write_pcap(tmp_path / "x.pcap", [(1.5, frame) for frame in frames], link)

        packets, notes = read(path)

        assert packets == [MAIL.packet(), MAIL_6.packet()]
        assert (notes.packets, notes.damaged) == (2, [])

    def test_a_packed_capture_is_unpacked_on_the_way(self, tmp_path: Path) -> None:
        """Rotated captures are often kept as .gz."""
        plain = write_pcap(tmp_path / "x.pcap", [(1.0, MAIL.frame())] * 3000)
        packed = tmp_path / "y"
        packed.write_bytes(gzip.compress(plain.read_bytes()))

        assert len(read(packed)[0]) == 3000

    def test_what_stands_before_the_damage_counts(self, tmp_path: Path) -> None:
        """A capture that was cut off is read to the cut, and the next file follows."""
        whole = write_pcap(tmp_path / "a.pcap", [(1.0, MAIL.frame())] * 5)
        cut = tmp_path / "b.pcap"
        cut.write_bytes(whole.read_bytes()[:-10])

        packets, notes = read(cut, whole)

        assert len(packets) == 9
        assert notes.files == 2
        assert ["truncated" in line for line in notes.damaged] == [True]
        assert notes.unreadable == 0

    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
    def test_no_frame_before_the_damage_is_lost(
        self, tmp_path: Path, pack: Callable[[bytes], bytes]
    ) -> None:
        """Frames are read by the thousand, and the damage comes in the middle of one thousand."""
        frames = [(1.0 + number, MAIL.frame()) for number in range(2_500)]
        cut = write_pcap(tmp_path / "x.pcap", frames).read_bytes()[:-10]
        (tmp_path / "x.pcap").write_bytes(pack(cut))
        notes = CaptureNotes()

        packets = list(read_packets([tmp_path / "x.pcap"], "tcp port 25", notes))

        assert [packet.at for packet in packets] == [at for at, _ in frames[:-1]]
        assert {packet.data for packet in packets} == {MAIL.packet()}
        assert (notes.packets, len(notes.damaged)) == (2_499, 1)

    @pytest.mark.parametrize("content", [b"", b"no capture", b"\x1f\x8bnor this", b"\n\r\r\n" * 9])
    def test_what_is_no_capture_is_noted(self, tmp_path: Path, content: bytes) -> None:
        """It costs a note, not a traceback."""
        (tmp_path / "x").write_bytes(content)

        packets, notes = read(tmp_path / "x")

        assert packets == []
        assert (len(notes.damaged), notes.unreadable) == (1, 1)

    def test_a_missing_file_is_noted(self, tmp_path: Path) -> None:
        """A mistyped name must not look like an empty capture, nor stop the others."""
        whole = write_pcap(tmp_path / "a.pcap", [(1.0, MAIL.frame())] * 5)

        packets, notes = read(tmp_path / "x", whole)

        assert len(packets) == 5
        assert (notes.files, notes.unreadable) == (2, 1)
        assert notes.damaged == [f"cannot read {tmp_path / 'x'}: No such file or directory"]


class TestNetworkLayer:
    @pytest.mark.parametrize("frame", [b"", b"x", bytes(12) + b"\x81\x00", bytes(12) + b"\x08\x06"])
    def test_frames_without_ip(self, frame: bytes) -> None:
        """Cut frames and other protocols have none."""
        assert network_layer(ETHERNET, frame) is None

    def test_an_unknown_link(self) -> None:
        """What the link's header looks like is not guessed."""
        assert network_layer(127, MAIL.packet()) is None


class TestCaptureFiles:
    def test_a_folder_is_read_in_the_order_of_time(self, tmp_path: Path) -> None:
        """Rotated captures are named in any way; what is no capture is left out."""
        for name, at in (("b.pcap", 3.0), ("a.pcap", 2.0), ("c", 1.0)):
            write_pcap(tmp_path / name, [(at, MAIL.frame())])
        (tmp_path / "notes.txt").write_text("nothing")

        found = capture_files([tmp_path], CaptureNotes())

        assert [path.name for path in found] == ["c", "a.pcap", "b.pcap"]

    def test_a_folder_without_captures_is_noted(self, tmp_path: Path) -> None:
        """Nothing would be read, and nobody would know."""
        notes = CaptureNotes()

        assert capture_files([tmp_path], notes) == []
        assert notes.damaged == [f"no capture in the folder {tmp_path}"]
        assert (notes.files, notes.unreadable) == (1, 1)
