"""Notes when the first packet to each address left the laboratory's scanner."""

import multiprocessing
import os
import socket
import struct
from multiprocessing.connection import Connection
from typing import Self

from tests.lab.namespace import LINK

_ETH_P_ALL = 3
_SO_TIMESTAMPNS = 35
_PACKET_OUTGOING = 4
_BUFFER = 64 * 1024 * 1024


class Wiretap:
    """Listens in a process of its own; ``stop`` gives the time of each address's first packet."""

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        ready = context.Event()
        self._process = context.Process(target=_listen, args=(theirs, ready), daemon=True)
        self._process.start()
        ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def stop(self) -> dict[str, float]:
        """Return seconds since the epoch by address, as the kernel noted them."""
        self._ours.send(None)
        seen: dict[str, float] = self._ours.recv()
        return seen


def _listen(pipe: Connection, ready: "multiprocessing.synchronize.Event") -> None:
    os.nice(-5)
    seen: dict[bytes, float] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        tap.bind((LINK, _ETH_P_ALL))
        tap.settimeout(0.05)
        ready.set()
        while not pipe.poll():
            try:
                data, notes, _, place = tap.recvmsg(20, 64)
            except TimeoutError:
                continue
            if place[2] == _PACKET_OUTGOING and len(data) == 20 and data[16:20] not in seen:
                seconds, nanoseconds = struct.unpack("qq", notes[0][2])
                seen[data[16:20]] = seconds + nanoseconds / 1e9
    pipe.send({socket.inet_ntoa(ip): moment for ip, moment in seen.items()})
