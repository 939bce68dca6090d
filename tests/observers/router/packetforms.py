"""Sends single packets through the ruleset, and prints what its sets hold; run in a namespace.

Nothing answers here: whatever a scene's packets say, the sets know it from these packets.
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product

from botprobe.observers.router.netlink import read_set
from botprobe.observers.router.rules import TABLE, RouterRules, ruleset
from tests.lab.namespace import LabError, Namespace
from tests.lab.packets import ACK, PSH, SYN, TCP, Segment, ip_packet, tcp_segment

HOSTS = ("198.18.0.9", "2001:db8:c:9::5")
SERVERS = ("203.0.113.5", "2001:db8:ffff::1")
RULES = RouterRules(inside=(ip_network("198.18.0.0/24"), ip_network("2001:db8:c::/48")))
SAMPLING = replace(RULES, sampling=2)
_ALL = ("sent", "fetched", "oneway", "servers", "opened", "collected", "hops", "flows")
_MAC = "02:00:00:00:00:01"

End = tuple[str, int]


def packet(source: End, target: End, flags: int, payload: bytes = b"") -> bytes:
    """Build a TCP packet."""
    ours, theirs = ip_address(source[0]).packed, ip_address(target[0]).packed
    segment = Segment(source[1], target[1], 1, 1, flags, 8192, b"", payload)
    return ip_packet(ours, theirs, TCP, tcp_segment(ours, theirs, segment))


def session(host: End, server: End, lines: int = 3) -> list[bytes]:
    """Build a connection of an inside host in which so many lines are said."""
    greeted = [
        packet(host, server, SYN),
        packet(server, host, SYN | ACK),
        packet(server, host, PSH | ACK, b"220 mx.trap.example\r\n"),
    ]
    return greeted + [packet(host, server, PSH | ACK, b"NOOP\r\n")] * lines


def sized(host: End, server: End, length: int) -> list[bytes]:
    """Build an answer, and a packet of so many bytes after it."""
    headers = 60 if ":" in host[0] else 40
    return [
        packet(server, host, PSH | ACK, b"220 mx.trap.example\r\n"),
        packet(host, server, PSH | ACK, b"x" * (length - headers)),
    ]


def called(host: End, server: End, knocks: int) -> list[bytes]:
    """Build a connection that comes from a port of mail to an inside host's own service."""
    other = (server[0], 143)
    return [
        *[packet(other, host, PSH | ACK, b"* OK\r\n")] * knocks,
        packet(server, host, SYN),
        packet(host, server, SYN | ACK),
        packet(server, host, PSH | ACK, b"GET / HTTP/1.0\r\n"),
        *[packet(host, server, ACK)] * 3,
    ]


def by_port() -> dict[str, list[bytes]]:
    """Play a sender with each kind of source port."""
    return {
        str(port): [
            one
            for host, server in zip(HOSTS, SERVERS, strict=True)
            for one in session((host, port), (server, 25))
        ]
        for port in (50000, 32768, 32767, 4000, 1000, 25, 110, 465, 993)
    }


def scenes() -> dict[str, list[bytes]]:
    """Return what is sent, by name."""
    host, server = (HOSTS[0], 25), (SERVERS[0], 25)
    return {
        **by_port(),
        "called": called((HOSTS[0], 80), server, 0) + called((HOSTS[1], 443), (SERVERS[1], 25), 0),
        "called on a high port": called((HOSTS[0], 8080), server, 0),
        "called and knocked": called((HOSTS[0], 143), server, 1),
        "sizes": [
            one
            for host, server in zip(HOSTS, SERVERS, strict=True)
            for length in (198, 199, 200, 1400)
            for one in sized((host, 50000), (server, 25), length)
        ],
        "fetches": session((HOSTS[0], 4000), (SERVERS[0], 143))[2:],
        "server outside": [packet(server, (HOSTS[0], 4000), SYN | ACK)],
        "server inside": [packet(host, (SERVERS[0], 4000), SYN | ACK)],
    }


def sampled() -> dict[str, list[bytes]]:
    """Return what is sent while one packet of two is looked at."""
    server = (SERVERS[0], 25)
    answer = packet(server, (HOSTS[0], 50000), PSH | ACK, b"250 ok\r\n")
    return {
        "sampled": [*session((HOSTS[0], 50000), server, 100), *[answer] * 100],
        "sampled, called": called((HOSTS[0], 8080), server, 0) * 50,
    }


def play(packets: Iterable[bytes], rules: RouterRules) -> dict[str, dict[str, int]]:
    """Load the ruleset anew, send, and read the sets."""
    subprocess.run(["nft", "-f", "-"], input=ruleset(rules).encode(), check=True)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("outer", 0))
        for one in packets:
            kind = b"\x86\xdd" if one[0] >> 4 == 6 else b"\x08\x00"
            wire.send(bytes.fromhex(_MAC.replace(":", "")) + bytes(6) + kind + one)
    time.sleep(0.02)
    table = TABLE.split()[1]
    return {
        f"{name}{version}": {key.hex(): packets for key, packets in found.items()}
        for name, version in (*product(_ALL, (4, 6)), ("faces", 6))
        if (found := read_set(table, f"{name}{version}"))
    }


def main() -> None:
    """Print what each scene leaves in the sets."""
    if os.getpid() != 1:
        raise LabError("not the first process of a private namespace")
    Namespace().ip(
        f"link add name outer type veth peer name inner address {_MAC}",
        "link set outer up",
        "link set inner up",
    )
    told = {name: play(packets, RULES) for name, packets in scenes().items()}
    told |= {name: play(packets, SAMPLING) for name, packets in sampled().items()}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
