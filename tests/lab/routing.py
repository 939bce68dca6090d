"""A router between people who send mail and the servers that take it, each in a namespace."""

import ctypes
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from smtplib import SMTP, SMTPException
from typing import Any

from tests.lab.namespace import LabError, Namespace, connect, new_namespace
from tests.lab.packets import ACK, PSH, SYN, TCP, Segment, ip_packet, tcp_segment

SERVERS = ("198.18.1.10", "2001:db8:5::10")
# So far above the threshold of 150 that a sample of one in five is over it too (six sigma), with
# the ratio of three a fetch for each two packets sent.
PACKETS, FETCHES = 400, 200

_ROUTER = """\
link set lo up
address add 198.18.0.1/24 dev r-inside
address add 2001:db8:c:ffff::1/64 dev r-inside nodad
address add 198.18.1.1/24 dev r-outside
address add 2001:db8:5::1/64 dev r-outside nodad
link set r-inside up
link set r-outside up
route add 2001:db8:c::/48 dev r-inside"""
_CLIENT = """\
link set lo up
address add 198.18.0.2/24 dev inside
address add 2001:db8:c:ffff::2/64 dev inside nodad
link set inside up
address add fe80::c/64 dev back nodad
link set back up
route add default via 198.18.0.1
route add default via 2001:db8:c:ffff::1"""
_SERVER = """\
link set lo up
address add 198.18.1.10/24 dev outside
address add 2001:db8:5::10/64 dev outside nodad
link set outside up
address add fe80::5/64 dev direct nodad
link set direct up
route add default via 198.18.1.1
route add default via 2001:db8:5::1"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone behind the router."""

    name: str
    number: int
    sends: int = PACKETS
    fetches: int = 0
    limit: int = 64
    """Hop limit of its packets."""
    guests: tuple[int, ...] = ()
    """Hop limits of ordinary users who share the address."""

    @property
    def addresses(self) -> tuple[str, str]:
        """Its address of each family."""
        return f"198.18.0.{self.number}", f"2001:db8:c:{self.number}::1"


BOT = Actor("bot", 10)
USER = Actor("user", 11, fetches=FETCHES)
MAIL_SERVER = Actor("mail server", 12)
ONE_WAY = Actor("one way", 13)
FORGED = Actor("forged", 14, sends=0)
SHARED = Actor("shared", 15, limit=128, guests=(64, 64, 128))
ALLOWED = Actor("allowed", 16)
VICTIM = Actor("victim", 17, sends=0)
ACTORS = (BOT, USER, MAIL_SERVER, ONE_WAY, FORGED, SHARED, ALLOWED, VICTIM)


@contextmanager
def inside(place: Namespace) -> Iterator[None]:
    """Have this thread make its sockets in another namespace; they stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{place.pid}/ns/net", os.O_RDONLY)
    try:
        if libc.setns(there, 0):
            raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")
        yield
    finally:
        if libc.setns(home, 0):
            os._exit(1)
        os.close(home)
        os.close(there)


class Session(socketserver.StreamRequestHandler):
    """Says yes to everything, as a mail server and as a mailbox; keeps who sent a mail."""

    timeout = 60
    mails: list[str] = []  # noqa: RUF012  # shared by all sessions of all servers

    def handle(self) -> None:
        """Answer line by line."""
        self.wfile.write(b"220 mx.trap.example ready\r\n")
        for line in self.rfile:
            word = line.strip().upper()
            if word == b"DATA":
                self.mails.append(self.client_address[0])
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")


class Server(socketserver.ThreadingTCPServer):
    """Listens at one address."""

    allow_reuse_address, daemon_threads, request_queue_size = True, True, 100

    def __init__(self, address: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A bot's connection may end in the middle."""


def build() -> tuple[Namespace, Namespace]:
    """Lay the cables, and one more from server to client that goes past the router."""
    router, client, server = Namespace(), new_namespace(), new_namespace()
    connect("r-inside", "inside", client)
    connect("r-outside", "outside", server)
    router.ip("link add back type veth peer name direct")
    router.ip(f"link set back netns {client.pid}", f"link set direct netns {server.pid}")
    for place in (router, client, server):
        for name in ("all", "default"):
            place.sysctl(f"net.ipv4.conf.{name}.rp_filter", "0")
    router.sysctl("net.ipv4.ip_forward", "1")
    router.sysctl("net.ipv6.conf.all.forwarding", "1")
    router.ip(*_ROUTER.splitlines())
    four, six = zip(*(one.addresses for one in ACTORS), strict=True)
    mine = [f"address add {one}/24 dev inside" for one in four]
    mine += [f"address add {one}/64 dev inside nodad" for one in six]
    client.ip(*mine, *_CLIENT.splitlines())
    past = [f"route add {ONE_WAY.addresses[0]}/32 dev direct"]
    past.append(f"route add {ONE_WAY.addresses[1]}/128 via fe80::c dev direct")
    server.ip(*_SERVER.splitlines(), *past)
    return client, server


def dial(client: Namespace, source: str, port: int, limit: int = 64) -> socket.socket:
    """Connect to the server of the same family, and read its greeting."""
    six = ":" in source
    with inside(client):
        connection = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
    connection.settimeout(2)
    if six:
        connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, limit)
    else:
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, limit)
    connection.bind((source, 0))
    connection.connect((SERVERS[six], port))
    connection.recv(200)
    return connection


def talk(connection: socket.socket, lines: int) -> int:
    """Say so many lines, each after the answer to the one before; return how many were answered."""
    for said in range(lines):
        try:
            connection.sendall(b"NOOP\r\n")
            if not connection.recv(200):
                return said
        except OSError:
            return said
    return lines


def mail(client: Namespace, source: str) -> str:
    """Send a mail by a new connection; return how that went."""
    text = f"Subject: from {source}\r\n\r\nhello\r\n"
    try:
        with inside(client):
            server = SMTP(SERVERS[":" in source], 25, "x.example", 2, (source, 0))
        with server:
            server.sendmail("a@x.example", ["b@y.example"], text)
    except TimeoutError:
        return "silence"
    except SMTPException as error:
        return str(error)
    return "taken"


def answer(server: Namespace) -> None:
    """Have the mail server behind the router take a connection from outside."""
    for source, address in zip(SERVERS, MAIL_SERVER.addresses, strict=True):
        with inside(server), socket.create_connection((address, 25), 2, (source, 0)) as taken:
            taken.recv(200)


def forge(place: Namespace, source: tuple[str, int], target: tuple[str, int]) -> None:
    """Send packets as if somebody else had a connection, without ever seeing an answer."""
    six = ":" in source[0]
    ours, theirs = ip_address(source[0]).packed, ip_address(target[0]).packed
    with inside(place):
        raw = socket.socket(
            socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW
        )
    with raw:
        for number in range(PACKETS):
            flags, payload = (SYN, b"") if number == 0 else (ACK | PSH, b"NOOP\r\n")
            segment = Segment(source[1], target[1], 1 + number, 1, flags, 8192, b"", payload)
            body = tcp_segment(ours, theirs, segment)
            raw.sendto(ip_packet(ours, theirs, TCP, body), (target[0], 0))


def wait_for(condition: Any, seconds: float, what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"no sign of {what} in {seconds:g} s")
        time.sleep(0.02)
