"""Counts from captures: exact, in bounded memory, and deaf to forgeries."""

from collections import Counter
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.observers.capture import CaptureNotes, pack, read_packets
from botprobe.observers.router.counting import MAILBOX_PORTS, SMTP_PORTS, Counting
from botprobe.observers.router.credit import CreditRule, Hypothesis, SequentialTest
from botprobe.observers.router.stacks import Stack, count_systems, read_stack
from botprobe.observers.router.table import Entry, Judgement, Standing, judge
from tests.observers.router.capturemaker import generate
from tests.observers.router.reference import Reference
from tests.observers.wire import (
    ACK,
    ETHERNET,
    LINUX_SYN,
    PSH,
    RAW,
    RST,
    SYN,
    WINDOWS_SYN,
    Segment,
    write_pcap,
)

# Folders of captures in which nobody sends in bulk.
INNOCENT = {"pop", "imap", "connect", "http-connect-25", "scan", "other"}
PCAPS = Path(__file__).parents[3].parent / "shared" / "data" / "pcaps"
RULE = CreditRule()


def talk(
    client: str, server: str, port: int, count: int, *, own_port: int = 4000, answers: bool = True
) -> list[Segment]:
    """A connection: a SYN, so many small packets of the client, and the answers if any."""
    there = {"source": client, "target": server, "from_port": own_port, "to_port": port}
    back = {"source": server, "target": client, "from_port": port, "to_port": own_port}
    segments = [Segment(**there, flags=SYN, options=LINUX_SYN)]  # type: ignore[arg-type]  # by name
    for _ in range(count):
        segments.append(Segment(**there, flags=ACK | PSH, payload=b"NOOP\r\n"))  # type: ignore[arg-type]  # by name
        if answers:
            segments.append(Segment(**back, payload=b"250 ok\r\n"))  # type: ignore[arg-type]  # by name
    return segments


def entries(path: Path, rule: CreditRule = RULE) -> dict[str, Entry]:
    """Count a capture."""
    counting = Counting(rule)
    counting.read([path], CaptureNotes())
    return {str(entry.address): entry for entry in counting.entries()}


def counted(tmp_path: Path, *segments: Segment) -> dict[str, Entry]:
    """Write the segments a millisecond apart, and count them."""
    frames = [(1.0 + n / 1000, each.frame()) for n, each in enumerate(segments)]
    return entries(write_pcap(tmp_path / "x.pcap", frames))


class TestCounting:
    @pytest.mark.parametrize(
        ("client", "server"), [("198.18.0.7", "198.18.9.9"), ("2001:db8::7", "2001:db8::9")]
    )
    def test_sends_and_fetches(self, tmp_path: Path, client: str, server: str) -> None:
        """Both families are counted alike, and the SYN is no mail packet."""
        segments = talk(client, server, 25, 20) + talk(client, server, 995, 3, own_port=4001)

        entry = counted(tmp_path, *segments)[client]

        assert (entry.smtp, entry.mailbox, entry.sends, entry.fetches) == (20, 3, 1, 1)
        assert entry.credit == 20 - 9
        assert (entry.destinations, entry.one_way, entry.systems) == (1, 0, 1)

    def test_big_packets_are_the_mail_and_do_not_count(self, tmp_path: Path) -> None:
        """Commands and acknowledgements are below 200 bytes."""
        segments = talk("198.18.0.7", "198.18.9.9", 25, 1)
        big = Segment(
            source="198.18.0.7",
            target="198.18.9.9",
            from_port=4000,
            to_port=25,
            payload=bytes(160),
        )

        assert counted(tmp_path, *segments, big)["198.18.0.7"].smtp == 1

    def test_forged_packets_earn_nothing(self, tmp_path: Path) -> None:
        """Whoever writes another's address gets no answer into the connection but a reset."""
        forged = talk("198.18.0.7", "198.18.9.9", 25, 500, answers=False)
        reset = Segment(
            source="198.18.9.9",
            target="198.18.0.7",
            from_port=25,
            to_port=4000,
            flags=RST | ACK,
        )

        entry = counted(tmp_path, *forged, reset)["198.18.0.7"]

        assert (entry.credit, entry.smtp, entry.one_way) == (0, 0, 500)
        assert judge(entry, RULE, SequentialTest()).standing is Standing.ONE_WAY

    @pytest.mark.parametrize("kept", [42, 46, 47])
    @pytest.mark.parametrize(
        ("client", "server"), [("198.18.0.7", "198.18.9.9"), ("2001:db8::7", "2001:db8::9")]
    )
    def test_a_frame_cut_before_its_flags_is_no_packet(
        self, client: str, server: str, kept: int
    ) -> None:
        """A capture may keep the ports only, and ports may be chosen so that the cut ones match."""
        more = 20 if ":" in client else 0
        forged = Segment(source=client, target=server, from_port=6400, to_port=6400)
        counting = Counting(RULE)

        counting.add(pack(ETHERNET, [(1, 0, forged.frame()[: kept + more])] * 2))
        counting.close_slice(1.0)

        assert list(counting.entries()) == []

    def test_who_answers_on_25_is_a_mail_server(self, tmp_path: Path) -> None:
        """It also sends a lot, and fetches nothing."""
        segments = talk("198.18.0.7", "198.18.9.9", 25, 500)
        greeting = Segment(
            source="198.18.0.7",
            target="198.18.1.1",
            from_port=25,
            to_port=999,
            flags=SYN | ACK,
        )

        entry = counted(tmp_path, *segments, greeting)["198.18.0.7"]

        assert judge(entry, RULE, SequentialTest()).standing is Standing.MAIL_SERVER

    def test_a_shared_address_is_spared(self, tmp_path: Path) -> None:
        """A Linux and a Windows behind one address are two hosts, and one of them may be good."""
        windows = Segment(
            source="198.18.0.7",
            target="198.18.9.9",
            from_port=4100,
            to_port=25,
            flags=SYN,
            options=WINDOWS_SYN,
            limit=127,
        )

        entry = counted(tmp_path, *talk("198.18.0.7", "198.18.9.9", 25, 500), windows)["198.18.0.7"]

        assert entry.systems == 2
        assert judge(entry, RULE, SequentialTest()).standing is Standing.SHARED

    def test_the_floor_holds_slice_by_slice(self, tmp_path: Path) -> None:
        """A day of polling before the first spam does not help a bot."""
        polls = talk("198.18.0.7", "198.18.9.9", 110, 2_000)
        spam = talk("198.18.0.7", "198.18.9.9", 25, 400)
        frames = [(1.0, each.frame()) for each in polls]
        frames += [(5_000.0, each.frame()) for each in spam] * 12

        entry = entries(write_pcap(tmp_path / "x.pcap", frames))["198.18.0.7"]

        assert entry.credit == RULE.floor + 400 * 12

    @given(
        st.lists(
            st.tuples(
                st.integers(1, 4),
                st.sampled_from(SMTP_PORTS + MAILBOX_PORTS),
                st.integers(0, 40),
            ),
            max_size=12,
        )
    )
    def test_equals_a_count_packet_by_packet(self, talks: list[tuple[int, int, int]]) -> None:
        """Whatever the order, each small packet of an answered connection counts once."""
        counting, expected = Counting(RULE), Counter[tuple[int, bool]]()
        for number, (host, port, count) in enumerate(talks):
            segments = talk(f"198.18.0.{host}", "198.18.9.9", port, count, own_port=5000 + number)
            counting.add(pack(RAW, [(1, 0, segment.packet()) for segment in segments]))
            expected[host, port in SMTP_PORTS] += count
        counting.close_slice(1.0)

        for entry in counting.entries():
            host = entry.address.packed[-1]
            assert (entry.smtp, entry.mailbox) == (expected[host, True], expected[host, False])

    @given(st.lists(st.binary(max_size=80), max_size=20), st.sampled_from([0, 1, 101, 113, 276]))
    def test_any_bytes_are_survived(self, frames: list[bytes], link: int) -> None:
        """A filter lets odd packets through, too."""
        counting = Counting(RULE)

        counting.add(pack(link, [(1, 0, frame) for frame in frames]))
        counting.close_slice(1.0)

        assert all(entry.credit <= 20 for entry in counting.entries())

    def test_equals_the_plain_count_of_the_benchmark(self, tmp_path: Path) -> None:
        """An hour with bots and users of both families, counted packet by packet."""
        path = tmp_path / "hour.pcap"
        generate(path, 4_000_000, 0.5)

        found = {
            one.address.packed.hex(): [one.credit, one.smtp, one.mailbox]
            for one in entries(path).values()
            if one.smtp or one.mailbox
        }

        assert len(found) > 100
        reference = Reference()
        for at, packet in read_packets(
            [path], "tcp and (ip[2:2] < 200 or ip6[4:2] < 160)", CaptureNotes()
        ):
            size = 4 if packet[0] >> 4 == 4 else 16
            start = 12 if size == 4 else 8
            ends, tcp = packet[start : start + 2 * size], packet[start + 2 * size :]
            ports = [int.from_bytes(tcp[n : n + 2], "big") for n in (0, 2)]
            reference.take(at, (ends[:size], ports[0]), (ends[size:], ports[1]), tcp[13])
        assert found == reference.result()


class TestStacks:
    def test_reads_limit_options_and_scale(self) -> None:
        """The order of options is the system's own."""
        syn = Segment(
            source="198.18.0.7",
            target="198.18.9.9",
            from_port=1,
            to_port=25,
            flags=SYN,
            options=WINDOWS_SYN,
        )

        assert read_stack(117, syn.options) == Stack(128, bytes((2, 1, 3, 1, 1, 4)), 8)

    def test_a_second_try_without_options_is_no_second_system(self) -> None:
        """Windows leaves the scale out when nobody answers."""
        full, bare = Stack(128, b"\2\1\3\1\1\4", 8), Stack(128, b"\2\1\1\4", -1)

        assert count_systems([full, bare]) == 1
        assert count_systems([bare]) == 1
        assert count_systems([full, bare, Stack(64, b"\2", -1)]) == 2

    @given(st.integers(0, 255), st.binary(max_size=40))
    def test_any_options_are_survived(self, limit: int, options: bytes) -> None:
        """They come from anybody."""
        assert read_stack(limit, options).limit in {32, 64, 128, 255}


def servers_of(path: Path) -> set[str]:
    """Whoever says something from a port that takes mail."""
    ports = " or ".join(map(str, SMTP_PORTS))
    said = f"tcp src port ({ports}) and not tcp dst port ({ports}) and (ip[2:2] > 80 or ip6)"
    return {
        str(ip_address(packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]))
        for _, packet in read_packets([path], said, CaptureNotes())
    }


@pytest.mark.skipif(not PCAPS.is_dir(), reason="no test material in ../shared/data")
@pytest.mark.timeout(60)
class TestRealCaptures:
    def test_every_capture_is_read_and_no_server_is_called_a_bot(self) -> None:
        """Not even where a capture begins in the middle, without the answer to a SYN."""
        files = sorted(PCAPS.rglob("*.pcap*"))
        servers = {path: servers_of(path) for path in files}

        suspects = {path: self.suspects(path) for path in files}

        assert len(files) > 100
        assert sum(map(len, servers.values())) > 50
        assert not [path for path in files if servers[path] & suspects[path].keys()]
        assert not [path for path in files if suspects[path] and path.parts[-3] in INNOCENT]

    def test_the_bot_of_the_emotet_capture_is_found(self) -> None:
        """By credit and by the test: it sent to hundreds of servers and fetched nothing."""
        [path] = (PCAPS / "spambot").rglob("*Emotet*.pcap")

        [(address, bot)] = self.suspects(path).items()

        assert address == "10.10.10.101"
        assert bot.test is Hypothesis.BOT
        assert bot.entry.destinations > 500

    def suspects(self, path: Path) -> dict[str, Judgement]:
        """Judge each address of a capture."""
        judged = [judge(entry, RULE, SequentialTest()) for entry in entries(path).values()]
        return {str(one.entry.address): one for one in judged if one.standing is Standing.SUSPECT}
