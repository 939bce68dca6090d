"""Credits of a router that runs: from the kernel's growing counters to the table.

The kernel counts without end, credit is given for what came since the last look: so the floor holds
here as it does for captures. Nothing in here waits or sends.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from botprobe.model.mail import IpAddress
from botprobe.observers.router.credit import CreditRule, SequentialTest
from botprobe.observers.router.kernel import Details, Traffic
from botprobe.observers.router.stacks import Stack, count_systems, read_stack
from botprobe.observers.router.table import Entry, Judgement, Standing, judge

_FACES = 4
# With sampling: small packets that a host sends for each time that a server says something.
_ASKED_FOR_AN_ANSWER = 2


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


_NOBODY = _Host()


@dataclass(slots=True)
class Ledger:
    """What is known of the hosts that sent."""

    rule: CreditRule
    test: SequentialTest = field(default_factory=SequentialTest)
    _hosts: dict[IpAddress, _Host] = field(default_factory=dict)
    _details: Details = field(default_factory=Details)
    _one_way: dict[IpAddress, float] = field(default_factory=dict)
    """When packets without an answer were last seen."""
    _over: set[IpAddress] = field(default_factory=set)
    """Whose credit is over the threshold."""
    has_news: bool = False
    """Whether somebody came over the threshold since the details were read."""

    def may_cross(self, sent: Mapping[IpAddress, int]) -> bool:
        """Say whether somebody may have come over the threshold, unless he fetched meanwhile."""
        rule, hosts, over = self.rule, self._hosts, self._over
        for address, packets in sent.items():
            host = hosts.get(address, _NOBODY)
            credit = rule.added(host.credit, _since(host.sent, packets), 0)
            if credit > rule.threshold and address not in over and rule.is_over(credit):
                return True
        return False

    def update(self, traffic: Traffic, now: float) -> None:
        """Take the counters in; whom the kernel has forgotten is forgotten here too."""
        for address in traffic.gone:
            self._hosts.pop(address, None)
            self._over.discard(address)
        for address, (sent, fetched) in traffic.counted.items():
            host = self._hosts.setdefault(address, _Host())
            more_sent, more_fetched = _since(host.sent, sent), _since(host.fetched, fetched)
            if more_sent or more_fetched:
                host.last = now
            host.credit = self.rule.added(host.credit, more_sent, more_fetched)
            host.sent, host.fetched = sent, fetched
            if not self.rule.is_over(host.credit):
                self._over.discard(address)
            elif address not in self._over:
                self._over.add(address)
                self.has_news = True

    def learn(self, details: Details, now: float) -> None:
        """Take the details in: without them nobody is judged."""
        before, self._details, self.has_news = self._details.one_way, details, False
        self._one_way = {
            address: now if before.get(address) != packets else self._one_way[address]
            for address, packets in details.one_way.items()
        }

    def judged(self) -> list[Judgement]:
        """Return the table."""
        return [self._judge(entry) for entry in self._entries()]

    def judged_over(self) -> list[Judgement]:
        """Return the entries of the table that are over the threshold."""
        entries = map(self._entry, self._over)
        over = (one for one in entries if self.rule.is_over(one.credit))
        return [self._judge(one) for one in over]

    def to_ask(self, now: float, period: float) -> list[IpAddress]:
        """Return who is over the threshold and was not asked in this clean-up period."""
        addresses = [one.entry.address for one in self.judged_over()]
        asked = ((address, self._hosts[address].asked) for address in addresses)
        return [address for address, at in asked if at is None or now - at >= period]

    def faces(self, address: IpAddress) -> list[IpAddress]:
        """Return the addresses to ask; of an IPv6 network a few that opened connections, if any."""
        if address.version == 4:
            return [address]
        return sorted(self._details.faces.get(address, ()), key=int)[:_FACES]

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

    def _judge(self, entry: Entry) -> Judgement:
        """Judge; where what excuses hosts may be missing, nobody is a suspect."""
        judged = judge(entry, self.rule, self.test)
        if judged.standing is Standing.SUSPECT and entry.address.version in self._details.full:
            return replace(judged, standing=Standing.UNKNOWN)
        return judged

    def _entries(self) -> Iterator[Entry]:
        details = self._details
        for address in details.one_way.keys() - self._hosts.keys():
            yield Entry(
                address=address,
                credit=0,
                smtp=0,
                mailbox=0,
                one_way=details.one_way[address],
                sends=details.opened.get(address, 0) * self.rule.sampling,
                answers=address in details.servers,
                last=self._one_way[address],
            )
        yield from map(self._entry, self._hosts)

    def _entry(self, address: IpAddress) -> Entry:
        host, details = self._hosts[address], self._details
        passive, credit = address in details.servers, host.credit
        one_way, sampling = details.one_way.get(address, 0), self.rule.sampling
        if sampling > 1:
            # Answers were counted, and who forges them earns his victim no more than it asked for.
            credit = min(credit, self.rule.added(0, one_way, 0))
            one_way = max(0, one_way - _ASKED_FOR_AN_ANSWER * host.sent)
        return Entry(
            address=address,
            credit=credit,
            smtp=host.sent,
            mailbox=host.fetched,
            one_way=one_way,
            sends=details.opened.get(address, 0) * sampling,
            fetches=details.collected.get(address, 0) * sampling,
            destinations=details.targets.get(address, 0),
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
