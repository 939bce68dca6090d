"""Where fuzzing begins: an honest input or two for each parser, and the samples."""

import bz2
import gzip
import lzma
import struct
from collections.abc import Iterator
from pathlib import Path

import zstandard

from tests.observers.wire import RAW, SYN, Segment, write_pcap
from tests.probes.test_osdetect_xml import HEAD, HOST

ROOT = Path(__file__).parents[2]

SMTP = (
    b"220 mx.example.org ESMTP Postfix\r\n",
    b"250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 STARTTLS\r\n",
    b"554 5.7.1 \x1b]0;no\x07 =cmd|' /C calc'!A0\r\n",
    b"220-wait\r\n220 \xff\xfe\r\n",
)
MAIL_LOG = (
    (
        b"Nov 26 10:00:00 mx postfix/smtpd[12]: connect from unknown[198.18.0.1]\n"
        b"Nov 26 10:00:01 mx postfix/smtpd[12]: NOQUEUE: reject: RCPT from unknown[198.18.0.1]: "
        b"550 5.1.1 <a@example.org>: Recipient address rejected: User unknown in local recipient "
        b"table; from=<b@example.org> to=<a@example.org> proto=ESMTP helo=<x>\n"
        b"Nov 26 10:00:02 mx postfix/smtpd[12]: disconnect from unknown[198.18.0.1] ehlo=1 quit=1\n"
    ),
    b"2026-11-26T10:00:00.123456+00:00 mx postfix/qmgr[3]: 4ABC: removed\n",
    b"Nov 26 10:00:00 mx sm-mta[7]: 3AQ: from=<b@example.org>, size=12, relay=[198.18.0.1]\n",
    b"2026-11-26 10:00:00 1abcde-000001-AB <= b@example.org H=(x) [198.18.0.1] P=esmtp S=12\n",
)
DNS_LOG = (
    (
        b"26-Nov-2026 10:00:00.123 client @0x7f 198.18.0.1#53124 (example.org): query: example.org "
        b"IN MX +E(0)K (198.18.0.53)\n"
    ),
    b"[1764150000] unbound[12:0] info: 198.18.0.1 example.org. A IN\n",
    b"Nov 26 10:00:00 dnsmasq[12]: query[A] example.org from 198.18.0.1\n",
)
PROXY_LOG = (
    (
        b"1764150000.123    456 198.18.0.1 TCP_TUNNEL/200 1234 CONNECT mx.example.org:25 - "
        b"HIER_DIRECT/198.18.0.25 -\n"
    ),
    b'198.18.0.1 - - [26/Nov/2026:10:00:00 +0000] "CONNECT 198.18.0.25:25 HTTP/1.1" 200 12\n',
    (
        b"CONNECT   Nov 26 10:00:00.123 [12]: Connect (file descriptor 5): host [198.18.0.1]\n"
        b"CONNECT   Nov 26 10:00:01.123 [12]: Request (file descriptor 5): CONNECT mx:25 HTTP/1.0\n"
    ),
)
OPTOUT = (
    b"198.18.0.0/24 2026-11-26 noc@example.org they asked\n# all\n2001:db8::/32\n",
    b"AS64500 2026-11-26\n.example tel:1\n*.example.org, https://example.org\nxn--bcher-kva.example\n",
)
CONFIG = (
    (
        b'[trust]\nown_hosts = ["mx.example.org"]\n[scope]\nallow = ["198.18.0.0/15"]\n'
        b"max_probes_per_hour = 5\n[smtp]\nconnect_timeout = 1.5\n"
    ),
)
NAMES = (b"1764150000.M1P2.mx,S=123:2,S", b"\xff\x1b[2J:2,", b"tmp.1")
ANSWERS = (b"64500 | 198.18.0.0/16 | DE | ripencc | 2026-11-26\0",)
TEXTS = (b"=1+1\x1b[31m", "\u202etxt.exe".encode(), b"\xff\xfe", b"plain")


def seeds_of(reader: str, folder: Path) -> None:
    """Write the seeds of a parser into a folder."""
    found = {
        "maildir": NAMES,
        "smtp": SMTP,
        "nmap": (b"\x10" + HEAD + HOST % (b"198.18.0.1", b"ipv4") + b"</nmaprun>",),
        "maillog": MAIL_LOG,
        "packedlog": tuple(_packed_logs()),
        "dnslog": DNS_LOG,
        "dnscapture": (_dns_capture(folder),),
        "capture": (_mail_capture(folder),),
        "proxylog": PROXY_LOG,
        "optout": OPTOUT,
        "config": CONFIG,
        "answers": ANSWERS,
        "text": TEXTS,
        "headers": (),
    }[reader]
    for number, seed in enumerate(found):
        (folder / f"seed-{number}").write_bytes(seed)
    if reader == "headers":
        for number, path in enumerate(sorted((ROOT / "maildir_samples").glob("*/*.trap*"))):
            (folder / f"sample-{number}").write_bytes(b"0" + path.read_bytes()[:8000])


def _packed_logs() -> Iterator[bytes]:
    text = b"".join(MAIL_LOG)
    yield b"\0" + gzip.compress(text)
    yield b"\1" + bz2.compress(text)
    yield b"\2" + lzma.compress(text)
    yield b"\3" + zstandard.compress(text)


def _mail_capture(folder: Path) -> bytes:
    segments = [
        Segment(source="198.18.0.1", target="198.18.0.2", from_port=40_000, to_port=25, flags=SYN),
        Segment(source="2001:db8::1", target="2001:db8::2", from_port=40_000, to_port=110),
    ]
    path = write_pcap(folder / "capture", [(1764150000.5, one.frame()) for one in segments])
    data = path.read_bytes()
    path.unlink()
    return data


def _dns_capture(folder: Path) -> bytes:
    question = b"\0\7\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\x0f\0\1"
    datagram = struct.pack("!HHHH", 40_000, 53, 8 + len(question), 0) + question
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0)
    packet = head + bytes((198, 18, 0, 1, 198, 18, 0, 53)) + datagram
    path = write_pcap(folder / "capture", [(1764150000.5, packet)], link=RAW)
    data = path.read_bytes()
    path.unlink()
    return data
