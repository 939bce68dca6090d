"""Who asked a proxy for mail connections, from the proxy's own log; no capture is needed.

Read are squid's native format (access.log), the common and combined log formats (squid, nginx,
Apache), nginx's and HAProxy's stream logs, and tinyproxy's. One line never stops the rest.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address

from botprobe.model.mail import IpAddress
from botprobe.observers.proxytrace.orders import MAIL_PORTS, read_authority

MAX_LINE = 8192
MAX_SAMPLES = 5
MAX_ORIGINS = 100_000
MAX_DESTINATIONS = 20

_IP = r"\[?(?:::ffff:)?(?P<ip>[0-9a-fA-F:.]{3,45})\]?"
_SQUID = re.compile(
    rf"(?P<epoch>[0-9]{{9,11}}\.[0-9]{{1,6}}) +[0-9-]+ {_IP} [A-Z_]+/(?P<code>[0-9]{{3}}) [0-9]+ "
    r"(?P<method>[A-Z-]+) (?P<target>\S+)"
)
_COMMON = re.compile(
    rf"{_IP} \S+ \S+ \[(?P<clf>[^\]]{{20,30}})\] \"(?P<method>[A-Z]+) (?P<target>\S+)[^\"]*\" "
    r"(?P<code>[0-9]{3})"
)
# ngx_stream_log_module's example; without $upstream_addr a line does not tell where it went.
_NGINX_STREAM = re.compile(
    rf"{_IP} \[(?P<clf>[^\]]{{20,30}})\] TCP (?P<code>[0-9]{{3}}) [^\"]*\"(?P<target>[^\",]+)"
)
# option tcplog: client [accept date] frontend backend/server Tw/Tc/Tt bytes ...
_HAPROXY = re.compile(
    rf"haproxy\[[0-9]+\]: {_IP}:[0-9]+ \[(?P<hap>[^\]]{{20,30}})\] "
    r"\S+ (?P<backend>\S+)/(?P<target>\S+) "
    r"(?P<times>[0-9/+-]+) "
)
# In TCP mode HAProxy writes names of its own configuration, not where it went.
_NAMED_FOR_MAIL = re.compile(r"smtp|submission|[:_-](?:25|465|587)(?:/|\Z)", re.IGNORECASE)
_HAPROXY_HTTP = re.compile(r"(?P<code>[0-9]{3}|-1) .*\"(?P<method>[A-Z]+) (?P<target>\S+)[^\"]*\"")
# CONNECT   Nov 26 10:00:00.123 [12]: Connect (file descriptor 5): host [192.0.2.1]
_TINY_CONNECT = re.compile(
    rf"CONNECT +(?P<tiny>\w{{3}} +[0-9]+ [0-9:.]+) \[(?P<pid>[0-9]+)\]: "
    rf"Connect \(file descriptor (?P<fd>[0-9]+)\): (?:\S+ )?{_IP}\s*$"
)
_TINY_REQUEST = re.compile(
    r"CONNECT +(?P<tiny>\w{3} +[0-9]+ [0-9:.]+) \[(?P<pid>[0-9]+)\]: "
    r"Request \(file descriptor (?P<fd>[0-9]+)\): (?P<method>[A-Z]+) (?P<target>\S+)"
)
_TINY_OTHER = re.compile(
    r"(?:CONNECT|DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL) +\w{3} +[0-9]+ [0-9:.]+ "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOrder:
    """One request for a mail connection."""

    client: IpAddress
    host: IpAddress | str
    port: int
    at: datetime | None
    refused: bool


@dataclass(slots=True, kw_only=True)
class LoggedOrigin:
    """All that one client asked for."""

    address: IpAddress
    orders: int = 0
    refused: int = 0
    first: datetime | None = None
    last: datetime | None = None
    destinations: dict[str, int] = field(default_factory=dict)
    more_destinations: int = 0

    def add(self, order: LoggedOrder) -> None:
        """Count an order."""
        self.orders += 1
        self.refused += order.refused
        place = f"[{order.host}]" if ":" in str(order.host) else str(order.host)
        key = f"{place}:{order.port}"
        if key in self.destinations or len(self.destinations) < MAX_DESTINATIONS:
            self.destinations[key] = self.destinations.get(key, 0) + 1
        else:
            self.more_destinations += 1
        if order.at is not None:
            self.first = min(self.first or order.at, order.at)
            self.last = max(self.last or order.at, order.at)


@dataclass(slots=True)
class LogTracing:
    """All that a proxy's logs tell."""

    lines: int = 0
    unread: int = 0
    too_long: int = 0
    """Of these, lines that nobody would hold in memory."""
    samples: list[str] = field(default_factory=list)
    more_origins: int = 0
    clients: dict[tuple[str, str], IpAddress] = field(default_factory=dict)
    """Whom tinyproxy serves, by process and file descriptor; its next line says what they want."""
    _origins: dict[IpAddress, LoggedOrigin] = field(default_factory=dict)

    @property
    def origins(self) -> list[LoggedOrigin]:
        """Who asked, the busiest first."""
        return sorted(self._origins.values(), key=lambda one: (-one.orders, str(one.address)))

    def add(self, order: LoggedOrder) -> None:
        """Count an order."""
        if order.client not in self._origins and len(self._origins) >= MAX_ORIGINS:
            self.more_origins += 1
            return
        self._origins.setdefault(order.client, LoggedOrigin(address=order.client)).add(order)

    def miss(self, line: str) -> None:
        """Count a line that could not be read."""
        self.unread += 1
        if len(self.samples) < MAX_SAMPLES:
            self.samples.append(line[:200])

    def skip(self, head: bytes) -> None:
        """Count a line that is too long to be read."""
        self.lines += 1
        self.too_long += 1
        self.miss(head[:MAX_LINE].decode("utf-8", "replace"))


def read_proxy_log(lines: Iterable[bytes], year: int, tracing: LogTracing) -> None:
    """Count the orders for mail in a log, or in a part of it.

    Args:
        lines: of the log.
        year: of stamps that have none (tinyproxy).
        tracing: where they are counted.
    """
    for raw in lines:
        line = raw[:MAX_LINE].decode("utf-8", "replace").rstrip()
        if not line or line[0] == "#":
            continue
        tracing.lines += 1
        try:
            order = _tinyproxy(line, year, tracing.clients) or _other(line)
        except (ValueError, OverflowError):
            order = None
        if order is None:
            tracing.miss(line)
        elif isinstance(order, LoggedOrder):
            tracing.add(order)


class _Nothing:
    """A line that was understood and is of no interest."""


_NOTHING = _Nothing()


def _other(line: str) -> LoggedOrder | _Nothing | None:
    for pattern in (_SQUID, _COMMON, _NGINX_STREAM):
        if match := pattern.match(line):
            return _order(match.groupdict())
    if match := _HAPROXY.search(line):
        parts = match.groupdict()
        if request := _HAPROXY_HTTP.match(line, match.end()):
            return _order(parts | request.groupdict())
        name = f"{match['backend']}/{match['target']}"
        return (
            _order(parts | {"target": f"{match['target']}:25"})
            if _NAMED_FOR_MAIL.search(name)
            else _NOTHING
        )
    return None


def _tinyproxy(
    line: str, year: int, clients: dict[tuple[str, str], IpAddress]
) -> LoggedOrder | _Nothing | None:
    """Join the line that names the client with the one that names its request."""
    if _TINY_OTHER.match(line) is None:
        return None
    if match := _TINY_CONNECT.match(line):
        clients[match["pid"], match["fd"]] = ip_address(match["ip"])
        if len(clients) > MAX_ORIGINS:
            del clients[next(iter(clients))]
    elif match := _TINY_REQUEST.match(line):
        client = clients.get((match["pid"], match["fd"]))
        if client is None:
            return None
        return _order(match.groupdict() | {"ip": str(client)}, year)
    return _NOTHING


def _order(parts: dict[str, str | None], year: int = 1970) -> LoggedOrder | _Nothing:
    method, target = parts.get("method"), parts["target"] or ""
    default = 443 if method == "CONNECT" else 80
    place = read_authority(target, default)
    if place is None or place[1] not in MAIL_PORTS:
        return _NOTHING
    code = parts.get("code") or "200"
    return LoggedOrder(
        client=ip_address(parts["ip"] or ""),
        host=place[0],
        port=place[1],
        at=_moment(parts, year),
        refused=code[0] in "45" or code == "-1",
    )


def _moment(parts: dict[str, str | None], year: int) -> datetime | None:
    if epoch := parts.get("epoch"):
        return datetime.fromtimestamp(float(epoch), tz=UTC)
    if stamp := parts.get("clf"):
        return datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
    if stamp := parts.get("hap"):
        return datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S.%f").astimezone(UTC)
    if stamp := parts.get("tiny"):
        text = stamp.partition(".")[0]
        return datetime.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S").astimezone(UTC)
    return None
