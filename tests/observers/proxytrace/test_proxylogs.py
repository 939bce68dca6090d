"""Tests of reading proxies' logs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botprobe.observers.proxytrace.proxylogs import LogTracing, read_proxy_log

SQUID = (
    "1795710682.322    890 198.51.100.7 TCP_TUNNEL/200 4171 CONNECT mx.example:25 - "
    "HIER_DIRECT/192.0.2.25 -"
)
SQUID_DENIED = (
    "1795710683.000      0 198.51.100.7 TCP_DENIED/403 3900 CONNECT 192.0.2.25:25 - HIER_NONE/- -"
)
COMMON = (
    '198.51.100.7 - - [26/Nov/2026:17:31:22 +0100] "CONNECT mx.example:25 HTTP/1.1" 200 4171 '
    "TCP_TUNNEL:HIER_DIRECT"
)
NGINX = (
    "198.51.100.7 [26/Nov/2026:16:31:22 +0000] TCP 200 1024 512 5.001 "
    '"192.0.2.25:25" "512" "1024" "0.001"'
)
HAPROXY = (
    "Nov 26 16:31:22 lb haproxy[14389]: 198.51.100.7:33317 [26/Nov/2026:16:31:22.655] http-in "
    'static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "CONNECT mx.example:25 HTTP/1.1"'
)
HAPROXY_TCP = (
    "Nov 26 16:31:22 lb haproxy[14387]: 198.51.100.7:33313 [26/Nov/2026:16:31:22.443] fnt "
    "smtp_out/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0"
)
TINY = [
    "CONNECT   Nov 26 16:31:22.399 [5]: Connect (file descriptor 5): 198.51.100.7",
    "CONNECT   Nov 26 16:31:22.400 [5]: Request (file descriptor 5): CONNECT mx.example:25 HTTP/1",
    "INFO      Nov 26 16:31:22.401 [5]: opensock: opening connection to mx.example:25",
]


def read(*lines: str) -> LogTracing:
    """Read lines as one log."""
    tracing = LogTracing()
    read_proxy_log([line.encode("utf-8", "surrogateescape") for line in lines], 2026, tracing)
    return tracing


class TestReadProxyLog:
    @pytest.mark.parametrize("lines", [[SQUID], [COMMON], [NGINX], [HAPROXY], [HAPROXY_TCP], TINY])
    def test_reads_each_program(self, lines: list[str]) -> None:
        """Who asked, and when; nothing of it stays unread."""
        tracing = read(*lines)

        (origin,) = tracing.origins
        assert str(origin.address) == "198.51.100.7"
        assert (origin.orders, origin.refused, tracing.unread) == (1, 0, 0)
        assert origin.first is not None
        assert origin.first.utctimetuple()[:3] == (2026, 11, 26)
        assert all(place.endswith(":25") for place in origin.destinations)

    def test_a_log_may_come_in_parts(self) -> None:
        """A log of megabytes is cut between lines that belong together."""
        tracing = LogTracing()
        for line in TINY:
            read_proxy_log([line.encode()], 2026, tracing)

        assert (tracing.unread, [one.orders for one in tracing.origins]) == (0, [1])

    @pytest.mark.parametrize("day", ["01/Jan/0001:00:00:00 +2300", "31/Dec/9999:23:59:59 -2300"])
    def test_a_time_that_no_calendar_has_is_unread(self, day: str) -> None:
        """One line of the year 1 or 9999 does not stop the log."""
        tracing = read(COMMON.replace("26/Nov/2026:17:31:22 +0100", day), SQUID)

        assert (tracing.unread, len(tracing.origins)) == (1, 1)

    def test_one_line_for_each_origin(self) -> None:
        """How often, since when, how often refused."""
        (origin,) = read(SQUID, SQUID_DENIED).origins

        assert (origin.orders, origin.refused) == (2, 1)
        assert origin.first == datetime.fromtimestamp(1795710682.322, tz=UTC)
        assert origin.destinations == {"mx.example:25": 1, "192.0.2.25:25": 1}

    def test_honest_traffic_is_nobodys_fault(self) -> None:
        """Pages and tunnels to 443 are read and count for nothing."""
        tracing = read(
            SQUID.replace("mx.example:25", "www.example:443"),
            SQUID.replace("CONNECT mx.example:25", "GET http://www.example:8025/mail:25"),
        )

        assert (tracing.origins, tracing.unread, tracing.lines) == ([], 0, 2)

    def test_unread_lines_are_counted_and_shown(self) -> None:
        """Noise between the lines stops nothing."""
        tracing = read("garbage", SQUID, "\x1b[31mred", SQUID.replace("198.51.100.7", "1.2.3"))

        assert (tracing.unread, len(tracing.origins)) == (3, 1)
        assert tracing.samples[0] == "garbage"

    @given(st.lists(st.binary(max_size=200), max_size=20))
    def test_never_fails(self, lines: list[bytes]) -> None:
        """Any bytes are lines that are read or counted as unread."""
        tracing = LogTracing()
        read_proxy_log(lines, 2026, tracing)

        assert tracing.unread <= tracing.lines <= len(lines)
