"""The responder's end of the laboratory's wire: a TUN device, or one end of a veth pair.

TUN is the simpler of the two, but ``/dev/net/tun`` is often closed to users. A packet socket on a
veth pair does the same in any user namespace.
"""

import fcntl
import os
import socket
import struct
from typing import Protocol

# <linux/if_tun.h>
_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000

_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_SEGMENTATION_LIMIT = 65_600  # veth hands over what the stack meant to cut up later
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
            return os.read(self._fd, _SEGMENTATION_LIMIT)
        except BlockingIOError:
            return None

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        try:
            os.write(self._fd, packet)
        except BlockingIOError:
            return


class VethLink:
    """A packet socket on the far end of a veth pair; the kernel sees to the Ethernet headers."""

    def __init__(self, name: str, peer_mac: bytes) -> None:
        """Open the socket, raising ``OSError`` where it is not allowed."""
        self._name = name
        self._mac = peer_mac
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket.bind((name, _ETH_P_ALL))

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return the next packet, or None if there is none now."""
        while True:
            try:
                packet, (_, protocol, direction, *_) = self._socket.recvfrom(_SEGMENTATION_LIMIT)
            except BlockingIOError:
                return None
            if direction != socket.PACKET_OUTGOING and protocol in (_ETH_P_IP, _ETH_P_IPV6):
                return packet

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        protocol = _ETH_P_IP if packet[0] >> 4 == 4 else _ETH_P_IPV6
        try:
            self._socket.sendto(packet, (self._name, protocol, 0, 0, self._mac))
        except (BlockingIOError, OSError):
            return
