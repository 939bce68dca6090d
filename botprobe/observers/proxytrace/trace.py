"""From packets to traces: find the proxy, then its legs, then who ordered what."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from botprobe.model.mail import IpAddress
from botprobe.observers.packets.segments import address
from botprobe.observers.proxytrace.legs import ClientLeg, MailLeg
from botprobe.observers.proxytrace.legtable import LegTable
from botprobe.observers.proxytrace.matching import Decision, Matcher, decide, ordering_client
from botprobe.observers.proxytrace.model import Answer, Reason, Said, Session, Trace
from botprobe.observers.proxytrace.proxies import (
    PROXIES_FILTER,
    PossibleProxy,
    ProxySearch,
    legs_filter,
)
from botprobe.observers.proxytrace.refusals import tunnel_answer
from botprobe.observers.proxytrace.smtp import SmtpReader

Source = Callable[[str], Iterable[tuple[float, bytes]]]
"""Reads the capture once more through a filter of libpcap: moments, and packets from IP on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginSummary:
    """All that one address ordered."""

    address: IpAddress
    sessions: int
    mails: int
    recipients: int
    first: float
    last: float
    answers: tuple[tuple[Answer, int], ...]
    ways: tuple[str, ...]
    victims: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """All that a capture tells."""

    proxies: tuple[PossibleProxy, ...]
    traces: tuple[Trace, ...]
    origins: tuple[OriginSummary, ...]
    refused_orders: tuple[tuple[IpAddress, str], ...]
    """Orders for mail that the proxy did not carry out: who, and the proxy's answer."""
    client_legs: int
    unread: int
    dropped: int
    own_domains: tuple[str, ...] = ()

    def count(self, answer: Answer) -> int:
        """Count the sessions with an answer."""
        return sum(trace.answer is answer for trace in self.traces)


def trace(
    source: Source, *, proxies: Collection[IpAddress] = (), own_domains: Iterable[str] = ()
) -> Tracing:
    """Read a capture twice, and say who ordered the mail sessions in it.

    Args:
        source: the capture.
        proxies: the suspected proxy's addresses; if none, it is searched for.
        own_domains: whose mail would be rightly here.
    """
    search = ProxySearch()
    for at, data in source(PROXIES_FILTER):
        search.take(at, data)
    hosts = [one.packed for one in proxies] or search.found()
    table = LegTable(hosts, search.ports(hosts))
    if hosts:
        for at, data in source(legs_filter(hosts)):
            table.take(at, data)
    table.finish()
    return tell(table, tuple(search.describe(host) for host in hosts), own_domains)


def tell(table: LegTable, proxies: Sequence[PossibleProxy], own_domains: Iterable[str]) -> Tracing:
    """Judge the legs that were collected."""
    decisions = decide(table.mail, Matcher(table.clients, table.names))
    traces = [_trace(leg, one) for leg, one in zip(table.mail, decisions, strict=True)]
    used = {id(d.best.client) for d in decisions if d.best is not None}
    lone = [leg for leg in table.clients if leg.smtp is not None and id(leg) not in used]
    traces += [_one_leg(leg) for leg in lone if not _refusal(leg)]
    traces.sort(key=lambda one: one.session.opened)
    return Tracing(
        proxies=tuple(proxies),
        traces=tuple(traces),
        origins=summarise(traces),
        refused_orders=tuple(
            (address(leg.client.address), answer) for leg in lone if (answer := _refusal(leg))
        ),
        client_legs=len(table.clients),
        unread=table.unread,
        dropped=table.dropped,
        own_domains=tuple(sorted({name.lower() for name in own_domains})),
    )


def summarise(traces: Iterable[Trace]) -> tuple[OriginSummary, ...]:
    """Count what each named address ordered, the busiest first."""
    named: dict[IpAddress, list[Trace]] = {}
    for one in traces:
        if one.origin is not None and one.answer is not Answer.EQUAL:
            named.setdefault(one.origin.address, []).append(one)
    rows = [_summary(origin, its) for origin, its in named.items()]
    return tuple(sorted(rows, key=lambda row: (-row.sessions, str(row.address))))


def _summary(origin: IpAddress, traces: Sequence[Trace]) -> OriginSummary:
    mails = [mail for one in traces for mail in one.session.said.mails]
    answers = Counter(one.answer for one in traces)
    return OriginSummary(
        address=origin,
        sessions=len(traces),
        mails=len(mails) + sum(one.session.said.more_mails for one in traces),
        recipients=sum(mail.recipient_count for mail in mails),
        first=min(one.session.opened for one in traces),
        last=max(one.session.opened for one in traces),
        answers=tuple(sorted(answers.items())),
        ways=tuple(sorted({o.order.way for one in traces if (o := one.origin) and o.order})),
        victims=len({one.session.victim for one in traces}),
    )


def _trace(leg: MailLeg, decision: Decision) -> Trace:
    named = decision.best if decision.answer is not Answer.EQUAL else None
    rivals = decision.rivals
    if decision.answer is Answer.EQUAL and decision.best is not None:
        rivals = (decision.best, *rivals)
    return Trace(
        session=_session(leg),
        answer=decision.answer,
        origin=None if named is None else ordering_client(named.client, named.reasons),
        rivals=tuple(ordering_client(one.client, one.reasons) for one in rivals),
        margin=decision.margin,
    )


def _session(leg: MailLeg) -> Session:
    return Session(
        proxy=address(leg.client.address),
        proxy_port=leg.client.port,
        victim=address(leg.server.address),
        victim_port=leg.server.port,
        opened=leg.opened,
        said=_said(leg.smtp),
    )


def _one_leg(leg: ClientLeg) -> Trace:
    assert leg.smtp is not None  # noqa: S101  # the caller has looked
    assert leg.order is not None  # noqa: S101
    leg.smtp.server(tunnel_answer(leg.answered.head)[1])
    session = Session(
        proxy=address(leg.server.address),
        proxy_port=None,
        victim=leg.order.host,
        victim_port=leg.order.port,
        opened=leg.ordered_at,
        said=_said(leg.smtp),
    )
    because = f"ordered {leg.order}; the connection it caused is not in the capture"
    reason = Reason(name=leg.order.way, points=3, because=because)
    return Trace(session=session, answer=Answer.ONE_LEG, origin=ordering_client(leg, (reason,)))


def _refusal(leg: ClientLeg) -> str:
    return tunnel_answer(leg.answered.head)[0]


def _said(smtp: SmtpReader) -> Said:
    return Said(
        helo=smtp.helo,
        greeting=smtp.greeting,
        mails=tuple(smtp.mails),
        more_mails=smtp.more_mails,
        encrypted=smtp.encrypted,
        gaps=smtp.gaps,
    )
