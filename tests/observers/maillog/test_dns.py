"""Queries from every kind of log, and from a capture."""

import struct
from datetime import date
from ipaddress import ip_address
from pathlib import Path

import dns.message
import pytest

from botprobe.observers.maillog.dnslog import UNKNOWN_TYPE, scan_dns_log
from botprobe.observers.maillog.dnstally import DnsTally, read_dns_logs
from tests.observers.wire import ACK, FIN, RAW, SYN, Segment, write_pcap

SERVER = "192.0.2.25"


def _write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    return path


class TestScanDnsLog:
    @pytest.mark.parametrize(
        "line",
        [
            "12-Nov-2015 23:34:08.622 client 192.0.2.1#5 (x.example): query: x.example IN MX +",
            (
                "12-Nov-2015 23:34:08.622 queries: info: client @0x7f1a 192.0.2.1#5 (x.example): "
                "view inside: query: x.example IN MX +E(0)K (192.0.2.53)"
            ),
            "2015-11-12T23:34:08.622Z client 192.0.2.1#5 (x.example): query: x.example IN MX -",
            "Nov 12 23:34:08 ns named[7]: client 192.0.2.1#5: query: x.example IN MX + (::1)",
            "Nov 12 23:34:08 ns dnsmasq[7]: query[MX] x.example from 192.0.2.1",
            "Nov 12 23:34:08 ns dnsmasq[7]: 12 192.0.2.1/5 query[MX] x.example from 192.0.2.1",
            (
                '{"__REALTIME_TIMESTAMP":"1447371248000000","_HOSTNAME":"ns","SYSLOG_IDENTIFIER":'
                '"named","SYSLOG_PID":"7","MESSAGE":"client @0x7f 192.0.2.1#5 (x): query: x IN MX"}'
            ),
            "Nov 12 23:34:08 <daemon.info> ns named[7]: client 192.0.2.1#5 (x): query: x IN MX +",
            "[1447371248] unbound[7:0] info: 192.0.2.1 x.example. MX IN",
            "Nov 12 23:34:08 ns unbound[7]: [7:0] info: 192.0.2.1 x.example. MX IN",
            "12-Nov-2015 23:34:08.622 CQ 192.0.2.1:5 -> 192.0.2.53:53 UDP 40b x.example/IN/MX",
            "12-Nov-2015 23:34:08.622 AQ 192.0.2.1:5 -> 192.0.2.53:53 TCP 40b x.example/IN/MX",
            '2015-11-12 23:34:08.622993 CQ 192.0.2.1 UDP 40b "x.example." IN MX',
            '2015-11-12 23:34:08.622993 CQ 192.0.2.1 DOT 40b "a\\"b\\\\.example." IN MX',
            (
                '{"type":"MESSAGE","identity":"vm","message":{"type":"CLIENT_QUERY","query_time":'
                '"2015-11-12T23:34:08.622993943Z","socket_protocol":"UDP","query_address":'
                '"192.0.2.1","query_port":5,"query_message":";; opcode: QUERY, status: NOERROR, '
                "id: 50367\\n;; flags: rd ad; QUERY: 1\\n\\n;; OPT PSEUDOSECTION:\\n; EDNS: "
                'version 0; udp: 1232\\n\\n;; QUESTION SECTION:\\n;x.example.\\tIN\\t MX\\n"}}'
            ),
        ],
    )
    def test_reads_client_and_type(self, line: str) -> None:
        """BIND, dnsmasq, unbound and dnstap name the client and the type of a query."""
        (hour,) = scan_dns_log(line.encode() + b"\n")

        assert hour.queries == {(b"192.0.2.1", "MX"): 1}
        assert hour.unread.count == 0

    @pytest.mark.parametrize(
        ("line", "client"),
        [
            ("UDP: dgram to domain from 192.0.2.1:5 (40 data bytes)", b"192.0.2.1"),
            ("UDP: dgram to 192.0.2.53:domain from 192.0.2.1:5 (40 data bytes)", b"192.0.2.1"),
            ("UDP: dgram to port 53 from mx.example:5 (40 data bytes)", b"mx.example"),
            ("TCP: domain connection attempt from 192.0.2.1:5", b"192.0.2.1"),
            ("TCP: domain connection attempt to ns.example from u@192.0.2.1:5", b"192.0.2.1"),
        ],
    )
    @pytest.mark.parametrize("head", ["Nov 12 23:34:08 ", "Nov 12 23:34:08 ns iplog[7]: "])
    def test_iplog_names_no_type(self, head: str, line: str, client: bytes) -> None:
        """Iplog sees a datagram or a connection, not what it asks; it has a file, or syslog."""
        (hour,) = scan_dns_log(f"{head}{line}\n".encode())

        assert hour.queries == {(client, UNKNOWN_TYPE): 1}

    @pytest.mark.parametrize(
        "line",
        [
            "12-Nov-2015 23:34:08.622 CR 192.0.2.1:5 <- 192.0.2.53:53 UDP 103b x.example/IN/MX",
            "12-Nov-2015 23:34:08.622 RQ 192.0.2.53:5 -> 198.51.100.1:53 UDP 52b example.org/IN/A",
            '2015-11-12 23:34:08.622993 RQ 198.51.100.1 UDP 52b "x.example." IN MX',
            ";; QUESTION SECTION:",
            ";x.example.\t\t\tIN\tMX",
            "x.example.\t\t60\tIN\tMX\t10 ns.x.example.",
            "",
            "Nov 12 23:34:08 unbound[9380:0] info: server stats for thread 0: 5 queries, 5 answers",
            "Nov 12 23:34:08 unbound[9380:0] notice: init module 0: iterator",
            "Nov 12 23:34:08 UDP: dgram to ntp from 192.0.2.1:5 (40 data bytes)",
            "Nov 12 23:34:08 TCP: smtp connection attempt from 192.0.2.1:5",
            '{"type":"MESSAGE","message":{"type":"CLIENT_RESPONSE","response_time":"2015-11-12T23:34:08Z"}}',
        ],
    )
    def test_what_is_no_query_of_a_client_counts_for_nobody(self, line: str) -> None:
        """Answers, the server's own questions to others, and what else stands in such logs."""
        (hour,) = scan_dns_log(f"{line}\n".encode())

        assert (dict(hour.queries), hour.unread.count) == ({}, 0)

    def test_a_name_cannot_be_a_client(self) -> None:
        """What somebody asks for does not change who asked."""
        (hour,) = scan_dns_log(
            b"12-Nov-2015 23:34:08.622 client 192.0.2.1#5 (client@203.0.113.9#5): "
            b"query: client@203.0.113.9#5 IN A + (::1)\n"
        )

        assert list(hour.queries) == [(b"192.0.2.1", "A")]

    def test_other_lines_are_shown(self) -> None:
        """A line that is neither query nor answer is counted as not understood."""
        (hour,) = scan_dns_log(b"12-Nov-2015 23:34:08.622 what is this\n")

        assert hour.unread.count == 1

    def test_counts_a_real_log(self, shared_logs: Path) -> None:
        """Every query line of a real BIND log is counted."""
        path = shared_logs / "sunil-bind-querylog" / "queries.log"
        text = path.read_bytes()

        tally = DnsTally()
        read_dns_logs([path], tally, None, None)

        assert sum(tally.hours.values()) == text.count(b"): query: ")
        assert tally.unread.count == 0


class TestDnsTally:
    def test_counts_the_mail_host_only(self, tmp_path: Path) -> None:
        """D_q is what the mail server asked, once it is named."""
        log = _write(
            tmp_path / "query.log",
            f"12-Nov-2015 23:34:08.622 client {SERVER}#5 (x): query: x IN A + (::1)",
            "12-Nov-2015 23:34:08.622 client 192.0.2.1#5 (x): query: x IN A + (::1)",
        )
        tally = DnsTally(frozenset([ip_address(SERVER)]))

        read_dns_logs([log], tally, None, None)

        assert tally.days() == {date(2015, 11, 12): 1}

    def test_suspects_who_asks_for_mx_records(self, tmp_path: Path) -> None:
        """A host that looks up mail exchangers without being a mail server is named."""
        lines = [
            f"12-Nov-2015 23:34:08.622 client {client}#5 (x): query: x IN {kind} + (::1)"
            for client, kind, count in ((SERVER, "MX", 50), ("192.0.2.1", "MX", 30))
            for _ in range(count)
        ]
        lines += lines[-1:] * 10
        lines.append("12-Nov-2015 23:34:08.622 client 192.0.2.2#5 (x): query: x IN MX + (::1)")
        tally = DnsTally(frozenset([ip_address(SERVER)]))

        read_dns_logs([_write(tmp_path / "query.log", *lines)], tally, None, None)

        assert [(asker.client, asker.mx_queries) for asker in tally.mx_askers()] == [
            ("192.0.2.1", 40)
        ]

    def test_without_a_mail_host_nobody_is_suspected(self, tmp_path: Path) -> None:
        """The mail server itself must not become the first suspect."""
        lines = [f"12-Nov-2015 23:34:08.622 client {SERVER}#5 (x): query: x IN MX + (::1)"] * 50
        tally = DnsTally()

        read_dns_logs([_write(tmp_path / "query.log", *lines)], tally, None, None)

        assert tally.mx_askers() == []
        assert sum(tally.hours.values()) == 50


AT = 1_447_371_248
QUERY = dns.message.make_query("x.example", "MX")


def _datagram(
    message: dns.message.Message, source: int, target: int, client: str = SERVER
) -> bytes:
    """Return an IP packet with a DNS message over UDP."""
    wire, ip = message.to_wire(), ip_address(client)
    udp = struct.pack("!HHHH", source, target, 8 + len(wire), 0) + wire
    if ip.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + ip.packed * 2 + udp
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + ip.packed * 2 + udp


def _tcp(*parts: bytes, flags: int = ACK, sequence: int = 101, port: int = 5353) -> list[bytes]:
    """Return the segments of a connection that begins behind number 100."""
    packets = []
    for part in parts:
        segment = Segment(
            source=SERVER, target="192.0.2.53", from_port=port, to_port=53,
            flags=flags, sequence=sequence, payload=part,
        )  # fmt: skip
        packets.append(segment.packet())
        sequence += len(part)
    return packets


def _framed(*types: str) -> bytes:
    wires = [dns.message.make_query("x.example", kind).to_wire() for kind in types]
    return b"".join(len(wire).to_bytes(2, "big") + wire for wire in wires)


def _count(path: Path, packets: list[bytes], client: str = SERVER, link: int = RAW) -> DnsTally:
    write_pcap(path / "dns.pcap", [(AT, packet) for packet in packets], link)
    tally = DnsTally(frozenset([ip_address(client)]))
    read_dns_logs([path / "dns.pcap"], tally, None, None)
    return tally


class TestScanCapture:
    @pytest.mark.parametrize(
        ("link", "frame"),
        [
            (1, bytes(12) + b"\x08\x00"),
            (1, bytes(12) + b"\x81\x00\x00\x05\x08\x00"),
            (113, b"\x00\x04\x00\x01\x00\x06" + bytes(8) + b"\x08\x00"),
            (276, b"\x08\x00" + bytes(8) + b"\x00\x01\x04\x06" + bytes(6)),
            (101, b""),
            (12, b""),
        ],
        ids=["ethernet", "vlan", "cooked", "cooked 2", "raw", "raw on other systems"],
    )
    def test_counts_queries_and_not_answers(self, tmp_path: Path, link: int, frame: bytes) -> None:
        """Of a capture of port 53 the datagrams to the server count, on every kind of link."""
        answer = dns.message.make_response(QUERY)
        packets = [_datagram(QUERY, 5353, 53)] * 2
        packets += [_datagram(answer, 53, 5353), _datagram(answer, 53, 53)]

        tally = _count(tmp_path, [frame + packet for packet in packets], link=link)

        assert sum(tally.hours.values()) == 2
        assert tally.types == {"MX": 2}
        assert tally.unread.count == 0

    def test_reads_ipv6(self, tmp_path: Path) -> None:
        """A server that asks over IPv6 is counted as well."""
        client = "2001:db8::25"

        assert _count(tmp_path, [_datagram(QUERY, 5353, 53, client)], client).types == {"MX": 1}

    @pytest.mark.parametrize("cut", [1, 2, 3, 40, 1_000])
    def test_reads_queries_over_tcp(self, tmp_path: Path, cut: int) -> None:
        """Each query of a connection counts once, wherever it was cut, repeated or out of order."""
        stream = _framed("MX", "A", "TXT")
        parts = [stream[start : start + cut] for start in range(0, len(stream), cut)]
        packets = _tcp(b"", flags=SYN, sequence=100) + _tcp(*parts)
        for start in range(1, len(packets), 2):
            packets[start : start + 2] = packets[start : start + 2][::-1]
        packets += packets[1:4] + _tcp(b"", flags=FIN, sequence=101 + len(stream))

        tally = _count(tmp_path, packets)

        assert tally.types == {"MX": 1, "A": 1, "TXT": 1}
        assert tally.unread.count == 0

    def test_a_new_connection_from_an_old_port_begins_anew(self, tmp_path: Path) -> None:
        """What was left of a connection that never ended belongs to no other."""
        packets = _tcp(_framed("MX")[:5])
        packets += _tcp(b"", flags=SYN, sequence=500) + _tcp(_framed("A"), sequence=501)

        assert _count(tmp_path, packets).types == {"A": 1}

    def test_no_query_is_as_long_as_it_says(self, tmp_path: Path) -> None:
        """A connection that promises 64 KiB is given up; the next one counts."""
        flood = _tcp(b"\xff\xff" + bytes(1_000), *[bytes(1_000)] * 9)

        tally = _count(tmp_path, [*flood, *_tcp(_framed("MX"), port=5354)])

        assert tally.types["MX"] == 1

    def test_what_breaks_off_counts_as_far_as_it_goes(self, tmp_path: Path) -> None:
        """A capture that was killed loses its last packet, and says so."""
        path = tmp_path / "dns.pcap"
        write_pcap(path, [(AT, _datagram(QUERY, 5353, 53))] * 3, RAW)
        path.write_bytes(path.read_bytes()[:-7])
        tally = DnsTally()

        notes = read_dns_logs([path], tally, None, None)

        assert tally.types == {"MX": 2}
        assert "truncated" in notes.damaged[0]
        assert (notes.files, notes.unreadable) == (1, 0)

    def test_a_broken_capture_is_noted(self, tmp_path: Path) -> None:
        """Damage behind a good beginning is told in one line."""
        path = tmp_path / "dns.pcap"
        path.write_bytes(b"\xd4\xc3\xb2\xa1 damaged")

        notes = read_dns_logs([path], DnsTally(), None, None)

        assert notes.unreadable == 1
        assert notes.damaged[0].startswith(f"cannot read {path}: ")
