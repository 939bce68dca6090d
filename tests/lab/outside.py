"""Proof from the outer side: counts packets of the laboratory's ranges that the real network sees.

A packet socket on all interfaces of the network namespace around the laboratory, with a filter that
lets only those packets through; the kernel keeps the count, so that none is missed.
"""

import ctypes
import socket
import struct
from types import TracebackType
from typing import NamedTuple, Self

# <linux/filter.h>, <linux/if_packet.h>
_SO_ATTACH_FILTER = 26
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_ETH_P_ALL = 3

_LOAD_WORD, _LOAD_BYTE = 0x20, 0x30  # at an absolute offset
_AND, _SHIFT_RIGHT, _EQUAL, _RETURN = 0x54, 0x74, 0x15, 0x06


class _Instruction(NamedTuple):
    code: int
    operand: int
    if_true: int = 0
    """Instructions to skip."""
    if_false: int = 0


_MASK_4, _NET_4, _NET_6 = 0xFFFE0000, 0xC6120000, 0x20010DB8  # 198.18.0.0/15, 2001:db8::/32
_FILTER = (
    _Instruction(_LOAD_BYTE, 0),
    _Instruction(_SHIFT_RIGHT, 4),
    _Instruction(_EQUAL, 6, if_true=11),
    _Instruction(_EQUAL, 0, if_true=7),
    _Instruction(_EQUAL, 4, if_false=14),
    # IPv4: source, then destination
    _Instruction(_LOAD_WORD, 12),
    _Instruction(_AND, _MASK_4),
    _Instruction(_EQUAL, _NET_4, if_true=10),
    _Instruction(_LOAD_WORD, 16),
    _Instruction(_AND, _MASK_4),
    _Instruction(_EQUAL, _NET_4, if_true=7, if_false=8),
    # ARP: the address that is asked for
    _Instruction(_LOAD_WORD, 24),
    _Instruction(_AND, _MASK_4),
    _Instruction(_EQUAL, _NET_4, if_true=4, if_false=5),
    # IPv6: source, then destination
    _Instruction(_LOAD_WORD, 8),
    _Instruction(_EQUAL, _NET_6, if_true=2),
    _Instruction(_LOAD_WORD, 24),
    _Instruction(_EQUAL, _NET_6, if_false=1),
    _Instruction(_RETURN, 1),
    _Instruction(_RETURN, 0),
)


class OutsideWatch:
    """Counts while it is open."""

    def __init__(self) -> None:
        """Start to count, raising ``PermissionError`` without CAP_NET_RAW."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        program = b"".join(
            struct.pack("=HBBI", one.code, one.if_true, one.if_false, one.operand)
            for one in _FILTER
        )
        buffer = ctypes.create_string_buffer(program)
        address = struct.pack("HL", len(_FILTER), ctypes.addressof(buffer))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, address)
        self.count()  # forget what came before there was a filter

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def count(self) -> int:
        """Return the packets since the last call, those included that found no room in a queue."""
        return int(
            struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[0]
        )
