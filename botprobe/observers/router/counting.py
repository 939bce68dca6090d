"""From captures to entries: the counts of hosts, in one pass and bounded memory.

All is worked out per flow, once in a slice of time. A packet counts when an answer in its own
connection was seen too: nobody earns credit for another by forging packets in his name.
"""

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

from botprobe.model.mail import IpAddress
from botprobe.observers.capture import Batch, CaptureNotes, read_batches
from botprobe.observers.router.credit import CreditRule
from botprobe.observers.router.flows import ACK, MOST_STACKS, SYN, Flows, source_of
from botprobe.observers.router.stacks import Stack, count_systems
from botprobe.observers.router.table import Entry

SMTP_PORTS = (25, 587, 465)
MAILBOX_PORTS = (110, 995, 143, 993)
SMALL = 200
"""Bytes below which the original counts a packet: commands and acknowledgements, not the mail."""

_PORTS = " or ".join(map(str, SMTP_PORTS + MAILBOX_PORTS))
# The size comes first: it is the cheapest question, and most packets of a site fail it.
FILTER = (
    f"((ip and ip[2:2] < {SMALL} and ip[6:2] & 0x1fff = 0) or (ip6 and ip6[4:2] < {SMALL - 40}))"
    f" and tcp port ({_PORTS})"
)

# Seconds of a slice: within it the order of sending and fetching does not matter.
SLICE = 60.0
# Whoever fakes addresses must not fill the memory: flows of a slice, hosts of all, and per host.
_MOST_FLOWS = 200_000
_MOST_HOSTS = 500_000
_MOST_DESTINATIONS = 1_000

_SMTP_BYTES = frozenset(port.to_bytes(2, "big") for port in SMTP_PORTS)
_MAILBOX_BYTES = frozenset(port.to_bytes(2, "big") for port in MAILBOX_PORTS)
_MAIL_BYTES = _SMTP_BYTES | _MAILBOX_BYTES
_TAKES_MAIL = (25).to_bytes(2, "big")


@dataclass(slots=True, eq=False)
class _Host:
    credit: int = 0
    new_smtp: int = 0
    """Since the last slice; so is the next."""
    new_mailbox: int = 0
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
    _changed: set[_Host] = field(default_factory=set)
    _flows: Flows = field(default_factory=Flows)

    def read(self, files: Iterable[Path], notes: CaptureNotes) -> None:
        """Count all packets of captures.

        Raises:
            InputError: pcapy-ng is not installed.
        """
        for file in files:
            moment = 0.0
            for batch in read_batches(file, FILTER, notes):
                for moment, part in self._by_slice(batch):
                    if moment >= self.slice_ends or len(self._flows) > _MOST_FLOWS:
                        self.close_slice(moment)
                        self.slice_ends = moment + SLICE
                    self.add(part)
            self.close_slice(moment)

    def _by_slice(self, batch: Batch) -> Iterator[tuple[float, Batch]]:
        """Cut a batch where a slice ends; each part comes with the time of its first packet."""
        size = len(batch)
        if size and batch.moment(size - 1) < self.slice_ends:
            yield batch.moment(0), batch
            return
        start = 0
        while start < size:
            first = batch.moment(start)
            end = first + SLICE if first >= self.slice_ends else self.slice_ends
            stop = bisect_left(range(size), end, start + 1, key=batch.moment)
            yield first, batch.part(start, stop)
            start = stop

    def add(self, batch: Batch) -> None:
        """Count frames that the filter let through."""
        self._flows.add(batch)

    def close_slice(self, moment: float) -> None:
        """Work out the flows since the last slice, seen up to ``moment`` (seconds since 1970)."""
        flows, self._flows = self._flows, Flows()
        for ends, packets in flows.said.items():
            if ends[-2:] in _MAIL_BYTES:
                self._count(ends, ACK, packets, moment, flows.said)
        for (ends, kind), packets in flows.others.items():
            if ends[-4:-2] == _TAKES_MAIL and kind & (SYN | ACK) == SYN | ACK:
                self._host(source_of(ends), moment).answers = True
            elif ends[-2:] in _MAIL_BYTES:
                self._count(ends, kind, packets, moment, flows.said)
        for host in self._changed:
            host.credit = self.rule.added(host.credit, host.new_smtp, host.new_mailbox)
            host.smtp, host.new_smtp = host.smtp + host.new_smtp, 0
            host.mailbox, host.new_mailbox = host.mailbox + host.new_mailbox, 0
        self._changed.clear()
        for source, forms in flows.stacks.items():
            if (known := self._hosts.get(source)) is not None:
                known.stacks.update(islice(forms, MOST_STACKS - len(known.stacks)))

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
        self, ends: bytes, kind: int, packets: int, moment: float, said: Container[bytes]
    ) -> None:
        """Count packets to a mail port that are of one flow and one kind."""
        size = len(ends) // 2 - 2
        source, target, from_port, to_port = ends[:size], ends[size:-4], ends[-4:-2], ends[-2:]
        host, sends = self._host(source, moment), to_port in _SMTP_BYTES
        if kind & ACK and target + source + to_port + from_port in said:
            host.new_smtp += packets if sends else 0
            host.new_mailbox += 0 if sends else packets
            self._changed.add(host)
        elif kind & ACK:
            host.one_way += packets if sends else 0
        elif kind & SYN:
            host.sends += packets if sends else 0
            host.fetches += 0 if sends else packets
        if sends and len(host.destinations) < _MOST_DESTINATIONS:
            host.destinations.add(target)

    def _host(self, packed: bytes, moment: float) -> _Host:
        host = self._hosts.get(packed)
        if host is None:
            host = _Host()
            if len(self._hosts) < _MOST_HOSTS:
                self._hosts[packed] = host
            else:
                self.strangers += 1
        host.last = max(host.last, moment)
        return host


def _address(packed: bytes) -> IpAddress:
    return ip_address(packed)
