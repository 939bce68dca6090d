"""Reads sets of the kernel's packet filter over netlink, without a program between.

nft writes every element as text that has to be read again: a hundred thousand take it a second and
184 MB. The kernel's own messages need neither. Read-only, and only for sets of single
addresses, or of addresses and something more, that count packets or nothing; everything that
changes the ruleset goes through nft. The numbers are those of linux/netlink.h,
linux/netfilter/nfnetlink.h and linux/netfilter/nf_tables.h; netlink(7) describes the messages.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from botprobe.errors import ProbeUnavailable

_NETLINK_NETFILTER = 12
_NFPROTO_INET = 1
_GET_ELEMENTS = 10 << 8 | 13  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: the ruleset changed meanwhile
_ERROR, _DONE = 2, 3

# Attributes: of the list, of an element, of its expression, of a counter.
_TABLE, _SET, _ELEMENTS = 1, 2, 3
_KEY, _EXPRESSION, _EXPRESSIONS = 1, 7, 11
_VALUE = 1
_EXPRESSION_NAME, _EXPRESSION_DATA, _PACKETS = 1, 2, 2
_NESTED = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER

_HEADER = struct.Struct("=IHHII")
_FAMILY = struct.Struct("=BBH")
_ATTRIBUTE = struct.Struct("=HH")
_COUNT = struct.Struct(">Q")

# The kernel fills no more of a message, and only when it is offered as much.
_BUFFER = 32 * 1024
_SECONDS = 10.0
_ATTEMPTS = 3

Elements = dict[bytes, int]
"""Packets by key, which stands as in the kernel: each part padded to four bytes."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where key and counter stand in an element, counted from its first byte.

    The kernel writes the parts of an element in one order, so those of one length are alike.
    """

    key: int
    key_end: int
    packets: int
    """0 if its packets are not counted."""


def read_set(table: str, name: str) -> Elements:
    """Read all elements of a set of the ``inet`` family; blocks for milliseconds.

    While elements come and go, or the ruleset is changed again and again, one may be left out.

    Raises:
        ProbeUnavailable: there is no such set, no right to read it, or no answer.
    """
    try:
        with _connect() as connection:
            for _ in range(_ATTEMPTS):
                found, interrupted = _dump(connection, table, name)
                if not interrupted:
                    break
            return found
    except struct.error as error:
        raise ProbeUnavailable(f"set {name}: the kernel's answer cannot be read") from error
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise ProbeUnavailable(f"set {name}: the table {table} is gone") from error
        raise ProbeUnavailable(f"set {name}: {error.strerror or error}") from error


def _connect() -> socket.socket:
    connection = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
    )
    connection.settimeout(_SECONDS)
    connection.bind((0, 0))
    return connection


def _dump(connection: socket.socket, table: str, name: str) -> tuple[Elements, bool]:
    """Return the elements, and whether the ruleset changed meanwhile."""
    connection.send(_request(table, name))
    found: Elements = {}
    layouts: dict[int, _Layout] = {}
    interrupted = False
    while True:
        data = connection.recv(_BUFFER)
        for kind, flags, begin, end in _messages(data):
            interrupted = interrupted or bool(flags & _INTERRUPTED)
            if kind == _DONE:
                return found, interrupted
            if kind == _ERROR:
                (number,) = struct.unpack_from("=i", data, begin)
                raise OSError(-number, os.strerror(-number))
            for attribute, first, last in _attributes(data, begin + _FAMILY.size, end):
                if attribute == _ELEMENTS:
                    _elements(data, first, last, layouts, found)


def _request(table: str, name: str) -> bytes:
    family = _FAMILY.pack(_NFPROTO_INET, 0, 0)
    body = family + _text(_TABLE, table) + _text(_SET, name)
    return _HEADER.pack(_HEADER.size + len(body), _GET_ELEMENTS, _REQUEST_DUMP, 1, 0) + body


def _text(attribute: int, text: str) -> bytes:
    value = text.encode("ascii") + b"\0"
    return (
        _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), attribute) + value + b"\0" * (-len(value) % 4)
    )


def _messages(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield kind, flags, begin and end of each message's body."""
    offset = 0
    while offset < len(data):
        length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
        if not _HEADER.size <= length <= len(data) - offset:
            raise struct.error("a message of impossible length")
        yield kind, flags, offset + _HEADER.size, offset + length
        offset += length + 3 & ~3


def _attributes(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield type, begin and end of each attribute's value."""
    while begin < end:
        length, kind = _ATTRIBUTE.unpack_from(data, begin)
        if not _ATTRIBUTE.size <= length <= end - begin:
            raise struct.error("an attribute of impossible length")
        yield kind & _NESTED, begin + _ATTRIBUTE.size, begin + length
        begin += length + 3 & ~3


def _elements(
    data: bytes, begin: int, end: int, layouts: dict[int, _Layout], into: Elements
) -> None:
    """Read a list of elements; it is walked for a hundred thousand of them, so without calls."""
    attribute, count = _ATTRIBUTE.unpack_from, _COUNT.unpack_from
    while begin < end:
        length, _ = attribute(data, begin)
        layout = layouts.get(length)
        if layout is None:
            if not _ATTRIBUTE.size < length <= end - begin:
                raise struct.error("an element of impossible length")
            layout = layouts[length] = _layout(data, begin + _ATTRIBUTE.size, begin + length)
        key = data[begin + layout.key : begin + layout.key_end]
        into[key] = count(data, begin + layout.packets)[0] if layout.packets else 0
        begin += length + 3 & ~3


def _layout(data: bytes, begin: int, end: int) -> _Layout:
    """Find key and counter in the first element of a length."""
    start, key, packets = begin - _ATTRIBUTE.size, (0, 0), 0
    for kind, first, last in _attributes(data, begin, end):
        if kind == _KEY:
            key = next((a, b) for one, a, b in _attributes(data, first, last) if one == _VALUE)
        elif kind == _EXPRESSION:
            packets = _counter(data, first, last)
        elif kind == _EXPRESSIONS:
            found = (_counter(data, a, b) for _, a, b in _attributes(data, first, last))
            packets = next((one for one in found if one), 0)
    if key == (0, 0):
        raise struct.error("an element without a key")
    return _Layout(key[0] - start, key[1] - start, packets and packets - start)


def _counter(data: bytes, begin: int, end: int) -> int:
    """Return where the packets of a counter stand, 0 if the expression is none."""
    parts = {kind: (first, last) for kind, first, last in _attributes(data, begin, end)}
    name, inner = parts.get(_EXPRESSION_NAME), parts.get(_EXPRESSION_DATA)
    if name is None or inner is None or data[name[0] : name[1]] != b"counter\0":
        return 0
    return next((a for kind, a, _ in _attributes(data, *inner) if kind == _PACKETS), 0)
