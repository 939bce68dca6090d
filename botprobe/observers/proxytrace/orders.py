"""What a client told a proxy to open: HTTP CONNECT and absolute URIs, SOCKS 4, 4a and 5.

RFC 9110 (9.3.6) and 9112 (3.2), RFC 1928 and 1929, the SOCKS 4 and 4a memoranda. Spammers write
requests loosely and proxies take them, so they are read as loosely here.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from botprobe.model.mail import IpAddress

MAIL_PORTS = frozenset((25, 465, 587))
# What squid takes as the longest request header is 64 KB; no abuse was seen with more than this.
MAX_HEAD = 8192

_REQUEST = re.compile(
    rb"(?:\A|\n)[ \t]*(CONNECT|POST|PUT|GET)[ \t]+([^\s]{1,1024})[^\r\n]{0,1024}\r?\n",
    re.IGNORECASE,
)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_AUTHORITY = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?(\[[0-9a-f:.]+\]|[^:/\s\[\]]+)(?::([0-9]{1,8}))?(?:/.*)?",
    re.IGNORECASE,
)


class Way(StrEnum):
    """How an order was given."""

    CONNECT = "http-connect"
    URI = "http-uri"
    """A request for an absolute URI with the port of a mail service."""
    SOCKS4 = "socks4"
    SOCKS4A = "socks4a"
    SOCKS5 = "socks5"


@dataclass(frozen=True, slots=True)
class Order:
    """What a proxy was told to open."""

    way: Way
    host: IpAddress | str
    """A name is in lower case, without the last dot."""
    port: int

    def __str__(self) -> str:
        """Write it as its protocol does, address and port."""
        host = f"[{self.host}]" if ":" in str(self.host) else str(self.host)
        return f"{self.way} {host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Found:
    """An order, and where in the bytes the tunnel begins."""

    order: Order
    end: int


def find_order(data: bytes, *, from_start: bool = True) -> Found | None:
    """Find the first order for a tunnel in what a client sent; None if there is none (yet).

    Args:
        data: in order, without gaps.
        from_start: these are the connection's first bytes; SOCKS orders stand nowhere else.
    """
    if from_start and data[:1] == b"\x04":
        return _socks4(data)
    if data[:1] == b"\x05":
        return _socks5(data)
    return _http(data)


def read_authority(text: str, default: int) -> tuple[IpAddress | str, int] | None:
    """Read ``host:port`` in any form that proxies take; None if it is none."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    port = int(match[2]) if match[2] else default
    return (_host(match[1].strip("[]")), port) if 0 < port < 65_536 else None


def _http(data: bytes) -> Found | None:
    for match in _REQUEST.finditer(data):
        method = match[1].upper()
        target = match[2].decode("ascii", "replace")
        if method == b"CONNECT":
            place, way = read_authority(target, 443), Way.CONNECT
        elif target[:7].lower() == "http://":
            place, way = read_authority(target, 80), Way.URI
        else:
            continue
        end = _HEAD_END.search(data, match.end() - 2)
        if place is None or (way is Way.URI and place[1] not in MAIL_PORTS):
            continue
        if end is None:
            return None
        return Found(Order(way, *place), end.end())
    return None


def _host(text: str) -> IpAddress | str:
    try:
        return ip_address(text)
    except ValueError:
        return text.lower().rstrip(".")


def _socks4(data: bytes) -> Found | None:
    user_end = data.find(b"\0", 8)
    if len(data) < 9 or data[1] != 1 or user_end < 0:
        return None
    port = int.from_bytes(data[2:4], "big")
    if data[4:7] != b"\0\0\0" or data[7] == 0:
        return Found(Order(Way.SOCKS4, ip_address(data[4:8]), port), user_end + 1)
    name_end = data.find(b"\0", user_end + 1)
    if name_end < 0:
        return None
    name = data[user_end + 1 : name_end].decode("ascii", "replace")
    return Found(Order(Way.SOCKS4A, _host(name), port), name_end + 1)


def _socks5(data: bytes) -> Found | None:
    # One method, "none" (05 01 00), is answered without a password: 1, 3 or 4 behind it is the
    # request itself, of a connection whose beginning the capture has missed.
    if data[:3] == b"\x05\x01\0" and data[3:4] in (b"\x01", b"\x03", b"\x04"):
        return _socks5_request(data, 0)
    start = 2 + data[1] if len(data) > 1 else len(data)
    if data[start : start + 1] == b"\x01":
        start = _after_password(data, start)
    return _socks5_request(data, start) if data[start : start + 3] == b"\x05\x01\0" else None


def _after_password(data: bytes, start: int) -> int:
    """Skip the user name and password of RFC 1929."""
    if len(data) < start + 2:
        return len(data)
    user_end = start + 2 + data[start + 1]
    return user_end + 1 + data[user_end] if user_end < len(data) else len(data)


def _socks5_request(data: bytes, start: int) -> Found | None:
    body = data[start + 4 :]
    kind = data[start + 3 : start + 4]
    if not body or kind not in (b"\x01", b"\x03", b"\x04"):
        return None
    size = {b"\x01": 4, b"\x04": 16, b"\x03": 1 + body[0]}[kind]
    if len(body) < size + 2:
        return None
    named = kind == b"\x03"
    host = _host(body[1:size].decode("ascii", "replace")) if named else ip_address(body[:size])
    port = int.from_bytes(body[size : size + 2], "big")
    return Found(Order(Way.SOCKS5, host, port), start + 4 + size + 2)
