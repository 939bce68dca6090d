"""What a proxy answered to an order: refused or not, and where the tunnel's own bytes begin."""

import re

_HTTP = re.compile(rb"HTTP/1\.[01] ([0-9]{3})([^\r\n]{0,200})\r?\n")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
# RFC 1928, 6.
_SOCKS5 = {
    1: "general failure",
    2: "not allowed",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


def tunnel_answer(data: bytes) -> tuple[str, bytes]:
    """Read the proxy's answer at the start of what it sent back.

    Returns:
        The reason of a refusal, empty if there is none; and what came through the tunnel.
    """
    if match := _HTTP.match(data):
        if match[1][:1] != b"2":
            return f"HTTP {match[1].decode()}{match[2].decode('utf-8', 'replace')}", b""
        end = _HEAD_END.search(data, match.end() - 2)
        return "", b"" if end is None else data[end.end() :]
    if data[:1] == b"\0" and len(data) >= 8 and 90 <= data[1] <= 93:  # the SOCKS 4 memorandum
        return ("" if data[1] == 90 else f"SOCKS4 refused ({data[1]})"), data[8:]
    if data[:1] == b"\x05" and len(data) >= 10 and data[2] == 0:
        if data[1]:
            return f"SOCKS5 {_SOCKS5.get(data[1], f'refused ({data[1]})')}", b""
        size = {1: 10, 4: 22, 3: 7 + data[4]}.get(data[3], 10)
        return "", data[size:]
    return "", data
