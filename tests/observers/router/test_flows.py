"""Flows: each form of frame is found, and nobody fills the memory."""

import struct

import pytest

from botprobe.observers.capture import pack
from botprobe.observers.router.flows import ACK, MOST_STACKS, SYN, Flows
from botprobe.observers.router.stacks import read_stack
from tests.observers.wire import COOKED, ETHERNET, LINUX_SYN, RAW, RST, WINDOWS_SYN, Segment


def segments(client: str, server: str) -> list[Segment]:
    """The start of a connection: what is said, and what is not."""
    there = {"source": client, "target": server, "from_port": 4000, "to_port": 25}
    back = {"source": server, "target": client, "from_port": 25, "to_port": 4000}
    return [
        Segment(**there, flags=SYN, options=WINDOWS_SYN, limit=117),  # type: ignore[arg-type]  # by name
        Segment(**back, flags=SYN | ACK, options=LINUX_SYN),  # type: ignore[arg-type]  # by name
        Segment(**there),  # type: ignore[arg-type]  # by name
        Segment(**back, payload=b"220 ready\r\n"),  # type: ignore[arg-type]  # by name
        Segment(**there, payload=b"NOOP\r\n"),  # type: ignore[arg-type]  # by name
        Segment(**there, flags=RST | ACK),  # type: ignore[arg-type]  # by name
    ]


def flows_of(link: int, *frames: bytes) -> Flows:
    """Add frames in one batch."""
    flows = Flows()
    flows.add(pack(link, [(1, 0, frame) for frame in frames]))
    return flows


def with_ip_options(segment: Segment) -> bytes:
    """A packet with four bytes of options in its IPv4 header, and a forged port behind it."""
    packet = segment.packet()
    return b"\x46" + packet[1:20] + bytes((1, 1, 1, 0)) + packet[20:]


ENDS = {
    ("198.18.0.7", "198.18.9.9"): (bytes((198, 18, 0, 7)), bytes((198, 18, 9, 9))),
    ("2001:db8::7", "2001:db8::9"): (
        bytes.fromhex("20010db8") + bytes(11) + b"\x07",
        bytes.fromhex("20010db8") + bytes(11) + b"\x09",
    ),
}


def counted(flows: Flows) -> tuple[object, ...]:
    """Return all that flows hold."""
    return len(flows), flows.said, flows.others, flows.stacks


def expected(client: str, server: str) -> tuple[object, ...]:
    """Return what the segments say."""
    source, target = ENDS[client, server]
    ports = struct.pack("!HH", 4000, 25), struct.pack("!HH", 25, 4000)
    there, back = source + target + ports[0], target + source + ports[1]
    others = {(there, SYN): 1, (back, SYN | ACK): 1, (there, RST | ACK): 1}
    return 5, {there: 2, back: 1}, others, {source: {read_stack(117, WINDOWS_SYN)}}


@pytest.mark.parametrize(("client", "server"), ENDS)
class TestAdd:
    @pytest.mark.parametrize("tags", [(), (7,), (0x4500,), (0x60, 8)], ids=str)
    def test_tags_make_no_difference(self, client: str, server: str, tags: tuple[int, ...]) -> None:
        """Not even one that looks like the first byte of an IP header."""
        flows = flows_of(ETHERNET, *(one.frame(*tags) for one in segments(client, server)))

        assert counted(flows) == expected(client, server)

    def test_links_make_no_difference(self, client: str, server: str) -> None:
        """The IP header may come at once, or behind the header of a cooked capture."""
        packets = [one.packet() for one in segments(client, server)]
        kind = b"\x86\xdd" if ":" in client else b"\x08\x00"

        raw = flows_of(RAW, *packets)
        cooked = flows_of(COOKED, *(bytes(14) + kind + one for one in packets))

        assert counted(raw) == counted(cooked) == expected(client, server)

    def test_cut_frames_hold_no_flow(self, client: str, server: str) -> None:
        """What stands behind a cut frame belongs to the next one."""
        whole = segments(client, server)[-2].frame()
        end = whole.index(b"NOOP") - 7

        flows = flows_of(ETHERNET, *(whole[:size] for size in range(end)), whole)

        assert (flows.said.total(), flows.others.total()) == (1, 0)


class TestBounds:
    def test_options_of_ip_are_skipped(self) -> None:
        """Ports and flags stand where the header ends, not where it mostly does."""
        packets = [with_ip_options(one) for one in segments("198.18.0.7", "198.18.9.9")]

        flows = flows_of(ETHERNET, *(bytes(12) + b"\x08\x00" + one for one in packets))

        assert counted(flows) == expected("198.18.0.7", "198.18.9.9")

    def test_a_flood_of_syns_is_one_flow_with_some_forms(self) -> None:
        """A minute may hold millions of them, each with options of its own."""
        flood = [
            Segment(
                source="198.18.0.7", target="198.18.9.9", from_port=4000, to_port=25,
                flags=SYN, options=bytes((3, 3, scale, 0)),
            ).frame()
            for scale in range(256)
        ]  # fmt: skip

        flows = flows_of(ETHERNET, *flood)

        assert len(flows) == 1
        assert [len(forms) for forms in flows.stacks.values()] == [MOST_STACKS]
