"""Notes when packets to each address left the laboratory's scanner."""

import multiprocessing
import os
import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from multiprocessing.connection import Connection
from typing import Self

from tests.lab.namespace import LINK

_ETH_P_ALL = 3
_SO_TIMESTAMPNS = 35
_PACKET_OUTGOING = 4
_BUFFER = 64 * 1024 * 1024
_IPV6_HEADER = 40


class Wiretap:
    """Listens in a process of its own to all that is sent."""

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        ready = context.Event()
        self._process = context.Process(target=_listen, args=(theirs, ready), daemon=True)
        self._process.start()
        ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def stop(self) -> dict[str, float]:
        """Return the time of each address's first packet."""
        return {ip: times[0] for ip, times in self.sent().items()}

    def sent(self) -> dict[str, list[float]]:
        """Stop listening, and return the times of all packets, by address.

        They are seconds since the epoch, as the kernel noted them.
        """
        self._ours.send(None)
        seen: dict[str, list[float]] = self._ours.recv()
        return seen


def _listen(pipe: Connection, ready: "multiprocessing.synchronize.Event") -> None:
    os.nice(-5)
    seen: dict[bytes, list[float]] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        tap.bind((LINK, _ETH_P_ALL))
        tap.settimeout(0.05)
        ready.set()
        while not pipe.poll():
            try:
                data, notes, _, place = tap.recvmsg(_IPV6_HEADER, 64)
            except TimeoutError:
                continue
            if place[2] == _PACKET_OUTGOING and (target := _target(data)):
                seconds, nanoseconds = struct.unpack("qq", notes[0][2])
                seen.setdefault(target, []).append(seconds + nanoseconds / 1e9)
    pipe.send({_text(target): times for target, times in seen.items()})


def _target(header: bytes) -> bytes:
    """Return where an IP packet goes; of another one nothing."""
    version = header[0] >> 4 if header else 0
    return header[16:20] if version == 4 else header[24:40] if version == 6 else b""


def _text(address: bytes) -> str:
    return str(IPv4Address(address) if len(address) == 4 else IPv6Address(address))
