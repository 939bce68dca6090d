"""Queries from every kind of log, and from a capture."""

from datetime import date
from ipaddress import ip_address
from pathlib import Path

import dns.message
import dpkt
import pytest

from botprobe.errors import InputError
from botprobe.observers.maillog.dnslog import UNKNOWN_TYPE, scan_dns_log
from botprobe.observers.maillog.dnstally import DnsTally, read_dns_logs

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
            "[1447371248] unbound[7:0] info: 192.0.2.1 x.example. MX IN",
            "Nov 12 23:34:08 ns unbound[7]: [7:0] info: 192.0.2.1 x.example. MX IN",
            "12-Nov-2015 23:34:08.622 CQ 192.0.2.1:5 -> 192.0.2.53:53 UDP 40b x.example/IN/MX",
            '2015-11-12T23:34:08 - CQ 192.0.2.1 UDP 40b "x.example." IN MX',
        ],
    )
    def test_reads_client_and_type(self, line: str) -> None:
        """BIND, dnsmasq, unbound and dnstap name the client and the type of a query."""
        (hour,) = scan_dns_log(line.encode() + b"\n")

        assert hour.queries == {(b"192.0.2.1", "MX"): 1}
        assert hour.unread.count == 0

    def test_iplog_names_no_type(self) -> None:
        """Iplog sees a datagram, not what it asks."""
        (hour,) = scan_dns_log(
            b"Nov 12 23:34:08 ns iplog[7]: UDP: dgram to domain from 192.0.2.1:5 (40 data bytes)\n"
        )

        assert hour.queries == {(b"192.0.2.1", UNKNOWN_TYPE): 1}

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


def _packet(source: int, target: int, *, ipv6: bool = False) -> bytes:
    """Return an IP packet that holds a DNS message for an MX record."""
    wire = dns.message.make_query("x.example", "MX").to_wire()
    datagram = dpkt.udp.UDP(sport=source, dport=target, data=wire)
    datagram.ulen = len(datagram)
    if ipv6:
        client = ip_address("2001:db8::25").packed
        packet = dpkt.ip6.IP6(src=client, dst=client, nxt=17, plen=len(datagram), data=datagram)
    else:
        packet = dpkt.ip.IP(
            src=ip_address(SERVER).packed, dst=b"\xc0\x00\x025", p=17, data=datagram
        )
        packet.len = len(packet)
    return bytes(packet)


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
        path = tmp_path / "dns.pcap"
        with path.open("wb") as file:
            writer = dpkt.pcap.Writer(file, linktype=link)
            for source, target in ((5353, 53), (5353, 53), (53, 5353)):
                writer.writepkt(frame + _packet(source, target), ts=1_447_371_248)
        tally = DnsTally(frozenset([ip_address(SERVER)]))

        read_dns_logs([path], tally, None, None)

        assert sum(tally.hours.values()) == 2
        assert tally.types == {"MX": 2}
        assert tally.unread.count == 0

    def test_reads_ipv6(self, tmp_path: Path) -> None:
        """A server that asks over IPv6 is counted as well."""
        path = tmp_path / "dns.pcap"
        with path.open("wb") as file:
            writer = dpkt.pcap.Writer(file, linktype=101)
            writer.writepkt(_packet(5353, 53, ipv6=True), ts=1_447_371_248)
        tally = DnsTally(frozenset([ip_address("2001:db8::25")]))

        read_dns_logs([path], tally, None, None)

        assert tally.types == {"MX": 1}

    def test_a_broken_capture_is_an_input_error(self, tmp_path: Path) -> None:
        """Damage behind a good beginning is told in one line."""
        path = tmp_path / "dns.pcap"
        path.write_bytes(b"\xd4\xc3\xb2\xa1 damaged")

        with pytest.raises(InputError, match="cannot read"):
            read_dns_logs([path], DnsTally(), None, None)
