"""The IP threat level table: one entry per address, what is known of it, and what follows.

Credit alone blocks nobody. An address that takes mail itself is a mail server, one that several
hosts share is spared, and one whose answers took another way is only marked: the original's false
positives were senders of whom the router saw one direction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from botprobe.model.mail import IpAddress
from botprobe.model.observation import Observation
from botprobe.model.results import RouterAction, RouterTraffic
from botprobe.observers.router.credit import Action, CreditRule, Hypothesis, SequentialTest


class Standing(StrEnum):
    """What an entry of the table comes to."""

    SUSPECT = "suspect"
    """It only sends, and nothing excuses it."""
    MAIL_SERVER = "mail server"
    SHARED = "shared"
    """Several hosts stand behind the address: a block would hit them all."""
    ONE_WAY = "one way only"
    """No answer to its packets was ever seen: it cannot be told from a forgery."""
    UNKNOWN = "unknown"
    """It sent a little and fetched nothing: perhaps by webmail."""
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was counted of one address."""

    address: IpAddress
    credit: int
    smtp: int
    """Small packets to ports that take mail, of connections that existed."""
    mailbox: int
    """Small packets to ports from which mail is fetched."""
    one_way: int = 0
    """Such packets to which no answer was seen."""
    sends: int = 0
    """Connections to ports that take mail; an estimate where one packet of many is looked at."""
    fetches: int = 0
    destinations: int = 0
    """Distinct addresses that it sent to."""
    answers: bool = False
    """It was seen to take mail itself."""
    systems: int = 0
    """Distinct TCP/IP stacks that its connections came from; above 1 it is shared."""
    last: float
    """When it was last seen, in seconds since the epoch."""

    @property
    def is_shared(self) -> bool:
        """Whether several hosts stand behind the address."""
        return self.systems > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """An entry with what it comes to."""

    entry: Entry
    standing: Standing
    test: Hypothesis

    @property
    def action(self) -> Action:
        """What an enforcing router would do."""
        return Action.DROP if self.standing is Standing.SUSPECT else Action.ACCEPT


def judge(entry: Entry, rule: CreditRule, test: SequentialTest) -> Judgement:
    """Say what an entry comes to, by the credit rule; the test is shown beside it."""
    # Not the estimates: each connection that was seen is one piece of evidence.
    decided = test.decide(entry.sends // rule.sampling, entry.fetches // rule.sampling)
    return Judgement(entry=entry, standing=_standing(entry, rule), test=decided)


def _standing(entry: Entry, rule: CreditRule) -> Standing:
    if entry.answers:
        return Standing.MAIL_SERVER
    if rule.is_over(entry.credit):
        return Standing.SHARED if entry.is_shared else Standing.SUSPECT
    # The first packets of each connection have no answer yet; of an asymmetric route, none has.
    one_way = entry.one_way if entry.one_way > entry.smtp else 0
    if rule.is_over(one_way * rule.smtp * rule.sampling):
        return Standing.ONE_WAY
    if entry.smtp and not entry.mailbox:
        return Standing.UNKNOWN
    return Standing.NORMAL


def table_line(number: int, judged: Judgement, action: Action) -> str:
    """Write an entry as the original does.

    Args:
        number: of the line, from 1.
        judged: the entry.
        action: what is done, not what would be.
    """
    entry = judged.entry
    return (
        f"[{number}] ip: {entry.address}, credit: {entry.credit}, nat: {int(entry.is_shared)}, "
        f"mail server: {int(entry.answers)}, action: {int(action)}"
    )


def own_ratio(entries: Iterable[Entry]) -> float | None:
    """Estimate how often this site's ordinary hosts fetch for each time that they send.

    The median over the hosts that do both: the original's ratio of three is only its own site's.
    """
    ratios = sorted(one.mailbox / one.smtp for one in entries if one.smtp and one.mailbox)
    return ratios[len(ratios) // 2] if ratios else None


class Deed(NamedTuple):
    """What was done to a host."""

    action: Action
    sends: int
    """Connections that it had opened by then."""


def observations(
    judged: Iterable[Judgement], deeds: Mapping[IpAddress, Deed] = MappingProxyType({})
) -> list[Observation]:
    """Return what the table knows, for the dossiers of the addresses.

    Args:
        judged: the table.
        deeds: what was done to whom.
    """
    nothing = Deed(Action.ACCEPT, 0)
    return [
        Observation(
            address=one.entry.address,
            seen=datetime.fromtimestamp(one.entry.last, UTC),
            saw=RouterTraffic(
                credit=one.entry.credit,
                smtp_packets=one.entry.smtp,
                pop_imap_packets=one.entry.mailbox,
                nat=one.entry.is_shared if one.entry.systems else None,
                one_way=one.standing is Standing.ONE_WAY,
                suspect=one.standing is Standing.SUSPECT,
                action=RouterAction[deed.action.name],
                stopped=max(0, one.entry.sends - deed.sends) if deed.action else 0,
            ),
        )
        for one in judged
        for deed in (deeds.get(one.entry.address, nothing),)
    ]
