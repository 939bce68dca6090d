"""Credits of a router that runs: from the kernel's growing counters to the table.

The kernel counts without end, credit is given for what came since the last look: so the floor holds
here as it does for captures. Nothing in here waits or sends.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from botprobe.model.mail import IpAddress
from botprobe.observers.router.credit import CreditRule, SequentialTest
from botprobe.observers.router.kernel import Counts, Details
from botprobe.observers.router.stacks import Stack, count_systems, read_stack
from botprobe.observers.router.table import Entry, Judgement, judge

_FACES = 4


@dataclass(slots=True)
class _Host:
    sent: int = 0
    fetched: int = 0
    credit: int = 0
    last: float = 0.0
    asked: float | None = None
    """When it was last asked on port 25."""
    takes_mail: bool | None = None
    """What it answered; None as long as that is not known."""
    blocked_until: float = 0.0


@dataclass(slots=True)
class Ledger:
    """What is known of the hosts that sent enough to be looked at."""

    rule: CreditRule
    test: SequentialTest = field(default_factory=SequentialTest)
    unnoticed: int = 0
    """Packets of a host that the kernel let pass before its counter began."""
    _hosts: dict[IpAddress, _Host] = field(default_factory=dict)
    _counts: Counts = field(default_factory=Counts)
    _details: Details = field(default_factory=Details)
    _one_way: dict[IpAddress, float] = field(default_factory=dict)
    """When packets without an answer were last seen."""

    def update(self, counts: Counts, now: float) -> None:
        """Take the counters in; whom the kernel has forgotten is forgotten here too."""
        before, self._counts = self._counts.one_way, counts
        self._one_way = {
            address: now if before.get(address) != packets else self._one_way[address]
            for address, packets in counts.one_way.items()
        }
        for address in self._hosts.keys() - counts.sent.keys():
            del self._hosts[address]
        for address, noticed in counts.sent.items():
            host = self._hosts.setdefault(address, _Host())
            sent, fetched = noticed + self.unnoticed, counts.fetched.get(address, 0)
            more_sent, more_fetched = _since(host.sent, sent), _since(host.fetched, fetched)
            if more_sent or more_fetched:
                host.last = now
            host.credit = self.rule.added(host.credit, more_sent, more_fetched)
            host.sent, host.fetched = sent, fetched

    def learn(self, details: Details) -> None:
        """Take in what else is known of the hosts."""
        self._details = details

    def judged(self) -> list[Judgement]:
        """Return the table."""
        return [judge(entry, self.rule, self.test) for entry in self._entries()]

    def judged_over(self) -> list[Judgement]:
        """Return of the table who is over the threshold."""
        return [
            judge(self._entry(address, host), self.rule, self.test)
            for address, host in self._hosts.items()
            if self._is_over(host)
        ]

    def to_ask(self, now: float, period: float) -> list[IpAddress]:
        """Return who is over the threshold and was not asked in this clean-up period."""
        return [
            address
            for address, host in self._hosts.items()
            if self._is_over(host) and (host.asked is None or now - host.asked >= period)
        ]

    def faces(self, address: IpAddress) -> list[IpAddress]:
        """Return the addresses to ask; of an IPv6 network a few that sent."""
        return sorted(self._details.hosts.get(address, {address}), key=int)[:_FACES]

    def asking(self, address: IpAddress, now: float) -> None:
        """Note that a host is asked now."""
        self._hosts[address].asked = now

    def answered(self, address: IpAddress, takes_mail: bool | None) -> None:
        """Note what a host answered; None if it could not be asked."""
        if (host := self._hosts.get(address)) is not None:
            host.takes_mail = takes_mail

    def is_confirmed(self, address: IpAddress) -> bool:
        """Say whether a host was asked and takes no mail."""
        return self._hosts[address].takes_mail is False

    def is_blocked(self, address: IpAddress, now: float) -> bool:
        """Say whether a block is still in force."""
        return address in self._hosts and self._hosts[address].blocked_until > now

    def wants_block(self, address: IpAddress, now: float) -> bool:
        """Say whether a host has sent since its last block ended, or was never blocked."""
        host = self._hosts[address]
        return host.blocked_until <= min(now, host.last)

    def block(self, address: IpAddress, until: float) -> None:
        """Note a block."""
        self._hosts[address].blocked_until = until

    def _is_over(self, host: _Host) -> bool:
        return self.rule.is_over(host.credit, host.sent + host.fetched)

    def _entries(self) -> Iterator[Entry]:
        for address in self._counts.one_way.keys() - self._hosts.keys():
            yield self._entry(address, _Host(last=self._one_way[address]))
        for address, host in self._hosts.items():
            yield self._entry(address, host)

    def _entry(self, address: IpAddress, host: _Host) -> Entry:
        counts, details = self._counts, self._details
        passive = address in details.servers
        return Entry(
            address=address,
            credit=host.credit,
            smtp=host.sent,
            mailbox=host.fetched,
            one_way=counts.one_way.get(address, 0),
            sends=details.opened.get(address, 0),
            fetches=details.collected.get(address, 0),
            destinations=details.targets[address],
            # Whoever was asked cannot pass for a server by a forged answer from his port 25.
            answers=passive if host.takes_mail is None else host.takes_mail,
            systems=count_systems(_stacks(details.limits.get(address, frozenset()))),
            last=host.last,
        )


def _since(before: int, now: int) -> int:
    """How far a counter went on; a smaller one began anew."""
    return now - before if now >= before else now


def _stacks(limits: frozenset[int]) -> set[Stack]:
    """All that the kernel tells of a SYN is its hop limit."""
    return {read_stack(limit, b"") for limit in limits}
