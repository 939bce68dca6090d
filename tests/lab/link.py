"""The responder's end of the laboratory's wire: a TUN device, or one end of a veth pair.

TUN is the simpler of the two, but ``/dev/net/tun`` is often closed to users. A packet socket on a
veth pair does the same in any user namespace.
"""

import fcntl
import os
import socket
import struct
from contextlib import suppress
from typing import Protocol

# <linux/if_tun.h>
_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000

_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_LARGEST_PACKET = 65_600  # veth hands over what the stack meant to cut up later
_RECEIVE_BUFFER = 8 << 20


class Link(Protocol):
    """Somewhere that IP packets come from and go to."""

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        ...

    def receive(self) -> bytes | None:
        """Return the next packet, or None if there is none now."""
        ...

    def send(self, packet: bytes) -> None:
        """Send a packet; a full queue drops it, as a network does."""
        ...


class TunLink:
    """A TUN device."""

    def __init__(self, name: str) -> None:
        """Make the device, raising ``OSError`` where it is not allowed."""
        self._fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(
                self._fd, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TUN | _IFF_NO_PI)
            )
        except OSError:
            os.close(self._fd)
            raise

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._fd

    def receive(self) -> bytes | None:
        """Return the next packet, or None if there is none now."""
        try:
            return os.read(self._fd, _LARGEST_PACKET)
        except BlockingIOError:
            return None

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        with suppress(OSError):  # a full queue: lost
            os.write(self._fd, packet)


class VethLink:
    """A packet socket on the far end of a veth pair; the kernel sees to the Ethernet headers."""

    def __init__(self, name: str, peer_mac: bytes) -> None:
        """Open the socket, raising ``OSError`` where it is not allowed."""
        self._name = name
        self._mac = peer_mac
        self._socket = _packet_socket(name)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return the next packet, or None if there is none now."""
        return _next_packet(self._socket, outgoing=False)

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        protocol = _ETH_P_IP if packet[0] >> 4 == 4 else _ETH_P_IPV6
        with suppress(OSError):  # a full queue, or a packet above the MTU: lost
            self._socket.sendto(packet, (self._name, protocol, 0, 0, self._mac))


class Tap:
    """Sees what leaves through an interface, without taking part."""

    def __init__(self, name: str) -> None:
        self._socket = _packet_socket(name)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return the next packet that left, or None if there is none now."""
        return _next_packet(self._socket, outgoing=True)


def _packet_socket(name: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    opened.bind((name, _ETH_P_ALL))
    return opened


def _next_packet(opened: socket.socket, *, outgoing: bool) -> bytes | None:
    while True:
        try:
            packet, (_, protocol, direction, *_) = opened.recvfrom(_LARGEST_PACKET)
        except BlockingIOError:
            return None
        if (direction == socket.PACKET_OUTGOING) == outgoing and protocol in (
            _ETH_P_IP,
            _ETH_P_IPV6,
        ):
            return packet
