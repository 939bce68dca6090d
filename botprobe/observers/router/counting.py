"""From packets to entries: the counts of captures, in one pass and bounded memory.

Python sees only small packets of mail protocols, and of each just enough to find its flow: all else
is worked out per flow, once in a slice of time. A packet counts when an answer in its own
connection was seen too: nobody earns credit for another by forging packets in his name.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from botprobe.model.mail import IpAddress
from botprobe.observers.capture import CaptureNotes, network_layer, read_batches
from botprobe.observers.router.credit import CreditRule
from botprobe.observers.router.stacks import Stack, count_systems, read_stack
from botprobe.observers.router.table import Entry

SMTP_PORTS = (25, 465, 587)
MAILBOX_PORTS = (110, 995, 143, 993)
SMALL = 200
"""Bytes below which the original counts a packet: commands and acknowledgements, not the mail."""

_PORTS = " or ".join(map(str, SMTP_PORTS + MAILBOX_PORTS))
FILTER = (
    f"tcp port ({_PORTS}) and ((ip and ip[2:2] < {SMALL} and ip[6:2] & 0x1fff = 0)"
    f" or (ip6 and ip6[4:2] < {SMALL - 40}))"
)

# Seconds of a slice: within it the order of sending and fetching does not matter.
SLICE = 60.0
# Whoever fakes addresses must not fill the memory: flows of a slice, hosts of all, and per host.
_MOST_FLOWS = 200_000
_MOST_HOSTS = 500_000
_MOST_DESTINATIONS, _MOST_STACKS = 1_000, 16

_ETHERNET = 1
_PLAIN_IPV4, _IPV6 = b"\x08\x00\x45", b"\x86\xdd"
_SYN, _RST, _ACK = 2, 4, 16
# From the flags of a segment to those of them that matter here: few kinds are few flows.
_KINDS = {bytes((flags,)): bytes((flags & (_SYN | _RST | _ACK),)) for flags in range(256)}

_OPENS = bytes((_SYN,))
_SMTP_BYTES = frozenset(port.to_bytes(2, "big") for port in SMTP_PORTS)
_MAILBOX_BYTES = frozenset(port.to_bytes(2, "big") for port in MAILBOX_PORTS)
_MAIL_BYTES = _SMTP_BYTES | _MAILBOX_BYTES
_TAKES_MAIL = (25).to_bytes(2, "big")


@dataclass(slots=True)
class _Host:
    credit: int = 0
    smtp: int = 0
    mailbox: int = 0
    one_way: int = 0
    sends: int = 0
    fetches: int = 0
    answers: bool = False
    destinations: set[bytes] = field(default_factory=set)
    stacks: set[Stack] = field(default_factory=set)
    last: float = 0.0


@dataclass(slots=True)
class Counting:
    """Counts of packets, by the address that sent them."""

    rule: CreditRule
    slice_ends: float = 0.0
    strangers: int = 0
    """Addresses that were not counted because there were too many."""
    _hosts: dict[bytes, _Host] = field(default_factory=dict)
    _flows: dict[bytes, int] = field(default_factory=dict)
    """Packets by addresses, ports and flags."""
    _syns: list[tuple[bytes, int, bytes]] = field(default_factory=list)

    def read(self, files: Iterable[Path], notes: CaptureNotes) -> None:
        """Count all packets of captures.

        Raises:
            InputError: pcapy-ng is not installed.
        """
        for file in files:
            moment = 0.0
            for link, batch in read_batches(file, FILTER, notes):
                for moment, frames in self._by_slice(batch):
                    if moment >= self.slice_ends or len(self._flows) > _MOST_FLOWS:
                        self.close_slice(moment)
                        self.slice_ends = moment + SLICE
                    self.add(link, frames)
            self.close_slice(moment)

    def _by_slice(self, batch: list[tuple[Any, bytes]]) -> Iterator[tuple[float, list[bytes]]]:
        """Cut a batch where a slice ends; each part comes with the time of its first packet."""
        if batch and _moment(batch[-1]) < self.slice_ends:
            yield _moment(batch[0]), [frame for _, frame in batch]
            return
        start = 0
        while start < len(batch):
            first = _moment(batch[start])
            end = first + SLICE if first >= self.slice_ends else self.slice_ends
            stop = bisect_left(batch, end, start + 1, key=_moment)
            yield first, [frame for _, frame in batch[start:stop]]
            start = stop

    def add(self, link: int, frames: Iterable[bytes]) -> None:
        """Count frames that the filter let through; ``link`` is their type."""
        flows, known, kinds, ethernet = self._flows, self._flows.get, _KINDS, link == _ETHERNET
        for frame in frames:
            if ethernet and frame[12:15] == _PLAIN_IPV4 and (kind := kinds.get(frame[47:48])):
                key = frame[26:38] + kind
                if kind == _OPENS:
                    self._syns.append((frame[26:30], frame[22], frame[34:]))
            elif ethernet and frame[12:14] == _IPV6 and (kind := kinds.get(frame[67:68])):
                # The filter's "tcp port" lets no packet with extension headers through.
                key = frame[22:58] + kind
                if kind == _OPENS:
                    self._syns.append((frame[22:38], frame[21], frame[54:]))
            else:
                key = self._slow_key(link, frame)
            flows[key] = known(key, 0) + 1  # a Counter takes half as long again

    def close_slice(self, moment: float) -> None:
        """Work out the flows since the last slice, seen up to ``moment`` (seconds since 1970)."""
        flows, self._flows = self._flows, {}
        flows.pop(b"", None)
        answered = {_reverse(key) for key in flows if key[-1] == _ACK and key[-5:-3] in _MAIL_BYTES}
        changes: dict[bytes, list[int]] = {}
        for key, packets in flows.items():
            if key[-3:-1] in _MAIL_BYTES or key[-5:-3] == _TAKES_MAIL:
                self._count(key, packets, moment, changes, answered=key[:-1] in answered)
        for source, (smtp, mailbox) in changes.items():
            host = self._hosts[source]
            host.credit = self.rule.added(host.credit, smtp, mailbox)
        for source, limit, tcp in self._syns:
            host_of = self._hosts.get(source)
            if host_of is not None and len(host_of.stacks) < _MOST_STACKS:
                host_of.stacks.add(read_stack(limit, tcp))
        self._syns.clear()

    def entries(self) -> Iterator[Entry]:
        """Yield what was counted of each address that sent to a mail port or answers on one."""
        for packed, host in self._hosts.items():
            yield Entry(
                address=_address(packed),
                credit=host.credit,
                smtp=host.smtp,
                mailbox=host.mailbox,
                one_way=host.one_way,
                sends=host.sends,
                fetches=host.fetches,
                destinations=len(host.destinations),
                answers=host.answers,
                systems=count_systems(host.stacks),
                last=host.last,
            )

    def _count(
        self,
        key: bytes,
        packets: int,
        moment: float,
        changes: dict[bytes, list[int]],
        *,
        answered: bool,
    ) -> None:
        """Count the packets of one flow that have the same flags."""
        size = (len(key) - 5) // 2
        source, target, flags = key[:size], key[size : 2 * size], key[-1]
        from_port, to_port = key[-5:-3], key[-3:-1]
        if from_port == _TAKES_MAIL and flags & (_SYN | _ACK) == _SYN | _ACK:
            if (host := self._host(source, moment)) is not None:
                host.answers = True
            return
        sends = to_port in _SMTP_BYTES
        if not sends and to_port not in _MAILBOX_BYTES:
            return
        host = self._host(source, moment)
        if host is None:
            return
        if flags & (_SYN | _ACK) == _SYN:
            host.sends += packets if sends else 0
            host.fetches += 0 if sends else packets
        elif flags & _ACK and not answered:
            host.one_way += packets if sends else 0
        elif flags & _ACK:
            change = changes.setdefault(source, [0, 0])
            change[0 if sends else 1] += packets
            host.smtp += packets if sends else 0
            host.mailbox += 0 if sends else packets
        if sends and len(host.destinations) < _MOST_DESTINATIONS:
            host.destinations.add(target)

    def _host(self, packed: bytes, moment: float) -> _Host | None:
        host = self._hosts.get(packed)
        if host is None:
            if len(self._hosts) >= _MOST_HOSTS:
                self.strangers += 1
                return None
            host = self._hosts[packed] = _Host()
        host.last = max(host.last, moment)
        return host

    def _slow_key(self, link: int, frame: bytes) -> bytes:
        """The key of any frame; empty where it holds no TCP header."""
        data = network_layer(link, frame)
        if data is None:
            return b""
        if data[0] >> 4 == 6:
            addresses, tcp, limit = data[8:40], data[40:], data[7:8]
        else:
            addresses, tcp, limit = data[12:20], data[(data[0] & 15) * 4 :], data[8:9]
        if len(tcp) < 14:
            return b""
        kind = _KINDS[tcp[13:14]]
        if kind == _OPENS:
            self._syns.append((addresses[: len(addresses) // 2], limit[0], tcp))
        return addresses + tcp[:4] + kind


def _moment(packet: tuple[Any, bytes]) -> float:
    seconds, micros = packet[0].getts()
    return float(seconds + micros / 1e6)


def _reverse(key: bytes) -> bytes:
    """The same flow in the other direction, without flags."""
    size = (len(key) - 5) // 2
    return key[size : 2 * size] + key[:size] + key[-3:-1] + key[-5:-3]


def _address(packed: bytes) -> IpAddress:
    return ip_address(packed)
