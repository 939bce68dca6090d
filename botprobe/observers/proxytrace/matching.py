"""Who ordered which session: candidates ranked by what speaks for them, and nobody if in doubt.

The same bytes on both legs prove it, one difference refutes it. Parsed orders, times and sizes
only rank those that bytes cannot tell apart (docs/proxytrace.md has the figures).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from botprobe.model.mail import IpAddress
from botprobe.observers.packets.segments import address
from botprobe.observers.proxytrace.comparing import (
    KEY_BYTES,
    MIN_ALIGN,
    SameBytes,
    Symmetry,
    same_bytes,
    symmetry,
    tunnel_key,
)
from botprobe.observers.proxytrace.legs import ClientLeg, MailLeg
from botprobe.observers.proxytrace.model import Answer, OrderingClient, Reason
from botprobe.observers.proxytrace.names import Names, find_destination
from botprobe.observers.proxytrace.orders import Order

# From an order to the connection that it causes, in seconds: names are looked up, servers are slow.
MAX_WAIT = 60.0
# Comparisons with connections in which no order could be read, for one session.
MAX_UNORDERED = 500
MAX_RIVALS = 3
# Less between the first and the best of another host is no difference.
MIN_MARGIN = 0.1
# What a suspicion takes: nearly all segments have a counterpart, of the usual size, at once.
MIN_SHARE, MIN_SIZES, MIN_SEGMENTS, MIN_SUSPICION = 0.9, 0.75, 6, 2.0
# A busy proxy hands on late: then nearly all sizes have to fit.
MIN_SIZES_LATE = 0.9


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate for one session."""

    mail: MailLeg
    client: ClientLeg
    reasons: tuple[Reason, ...]
    answer: Answer

    @property
    def score(self) -> float:
        """All that speaks for it."""
        return sum(reason.points for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class Decision:
    """Who ordered a session."""

    answer: Answer
    best: Match | None
    rivals: tuple[Match, ...]
    margin: float | None


class Matcher:
    """Holds the connections to the proxy in the ways in which they are looked up."""

    def __init__(self, clients: Sequence[ClientLeg], names: Names) -> None:
        """Index the connections."""
        self._names = names
        self._by_key: dict[bytes, list[ClientLeg]] = defaultdict(list)
        self._by_order: dict[tuple[IpAddress | str, int], list[ClientLeg]] = defaultdict(list)
        self._names_ordered: dict[int, list[ClientLeg]] = defaultdict(list)
        self._unordered = [leg for leg in clients if leg.order is None]
        for leg in clients:
            key = tunnel_key(leg)
            if key is not None:
                self._by_key[key].append(leg)
            if leg.order is not None:
                self._by_order[leg.order.host, leg.order.port].append(leg)
                if isinstance(leg.order.host, str):
                    self._names_ordered[leg.order.port].append(leg)

    def candidates(self, mail: MailLeg) -> list[Match]:
        """Return those that may have ordered a session, the best first."""
        legs = {id(leg): leg for leg in self._likely(mail) if _in_time(mail, leg)}
        matches = [match for leg in legs.values() if (match := self._match(mail, leg))]
        if not any(match.answer is Answer.PROVEN for match in matches):
            rest = [leg for leg in self._unordered if id(leg) not in legs and _in_time(mail, leg)]
            rest.sort(key=lambda leg: abs(mail.opened - leg.opened))
            matches += [m for leg in rest[:MAX_UNORDERED] if (m := self._match(mail, leg))]
        return sorted(matches, key=lambda match: -match.score)

    def _likely(self, mail: MailLeg) -> Iterable[ClientLeg]:
        yield from self._by_key.get(mail.sent.head[:KEY_BYTES], ())
        victim, port = address(mail.server.address), mail.server.port
        for host in (victim, *self._names.of(victim)):
            yield from self._by_order.get((host, port), ())
        if len(mail.sent.head) < KEY_BYTES:  # too short for the index
            yield from self._names_ordered.get(port, ())

    def _match(self, mail: MailLeg, client: ClientLeg) -> Match | None:
        same = same_bytes(mail, client)  # first: it refutes nearly all
        ordered = None if same is None else self._order_reason(mail, client)
        if ordered is None or same is None:
            return None
        answer = _answer(client, ordered, max(same.up, same.down))
        times = symmetry(mail, client)
        if answer is Answer.NONE or (answer is Answer.SUSPICION and not _suspicious(times)):
            return None
        reasons = (ordered, *_of_bytes(same), *_of_times(times, encrypted=client.encrypted))
        if client.server.address == mail.client.address:
            because = "both at the same address of the proxy"
            reasons += (Reason(name="same-host", points=0.2, because=because),)
        return Match(mail, client, tuple(one for one in reasons if one.points), answer)

    def _order_reason(self, mail: MailLeg, client: ClientLeg) -> Reason | None:
        """Say what was ordered; None if it was something else."""
        victim, order = address(mail.server.address), client.order
        if order is None:
            return _unread_order(client, victim, self._names.of(victim))
        if order.port != mail.server.port:
            return None
        if order.host == victim:
            return Reason(name=order.way, points=3, because=f"ordered {order}")
        return self._name_reason(order, victim) if isinstance(order.host, str) else None

    def _name_reason(self, order: Order, victim: IpAddress) -> Reason | None:
        known = self._names.addresses(str(order.host))
        if victim in known:
            because = f"ordered {order}, which the capture's DNS answers give as {victim}"
            return Reason(name=order.way, points=3, because=because)
        if known:
            return None
        because = f"ordered {order}, a name that no DNS answer in the capture explains"
        return Reason(name=order.way, points=0.5, because=because)


def decide(mails: Sequence[MailLeg], matcher: Matcher) -> list[Decision]:
    """Give each session at most one origin, and each connection at most one session.

    The surest pairs come first; what they take is no candidate for others any more.
    """
    lists = [matcher.candidates(mail) for mail in mails]
    taken: set[int] = set()
    decided: dict[int, Decision] = {}
    waiting = set(range(len(mails)))
    while waiting:
        free = {n: [m for m in lists[n] if id(m.client) not in taken] for n in waiting}
        done = {n: d for n in waiting if (d := _decide(free[n])).answer is not Answer.EQUAL}
        # Pairs that are equal among themselves hold nobody up; the rest of a round is settled.
        sure = _without_rivals(done)
        for number, decision in (sure or {n: _decide(free[n]) for n in waiting}).items():
            decided[number] = decision
            waiting.discard(number)
            if decision.best is not None and decision.answer is not Answer.EQUAL:
                taken.add(id(decision.best.client))
    return [decided[number] for number in range(len(mails))]


def _without_rivals(done: dict[int, Decision]) -> dict[int, Decision]:
    """Of sessions that claim the same connection, only the one that fits best."""
    best: dict[int, int] = {}
    for number, decision in done.items():
        if decision.best is not None:
            rival = best.setdefault(id(decision.best.client), number)
            if _rank(decision) > _rank(done[rival]):
                best[id(decision.best.client)] = number
    chosen = set(best.values())
    return {n: d for n, d in done.items() if d.best is None or n in chosen}


def _rank(decision: Decision) -> tuple[bool, float]:
    assert decision.best is not None  # noqa: S101  # asked of these only
    return decision.best.answer is Answer.PROVEN, decision.best.score


def _decide(matches: Sequence[Match]) -> Decision:
    if not matches:
        return Decision(Answer.NONE, None, (), None)
    best = matches[0]
    # Who ordered it is asked: connections of the same host are no rivals.
    others = (one for one in matches if one.client.client.address != best.client.client.address)
    rivals = tuple(islice(others, MAX_RIVALS))
    margin = round(best.score - rivals[0].score, 3) if rivals else None
    equal = margin is not None and margin < MIN_MARGIN
    return Decision(Answer.EQUAL if equal else best.answer, best, rivals, margin)


def _answer(client: ClientLeg, ordered: Reason, same: int) -> Answer:
    if same >= KEY_BYTES or (same >= MIN_ALIGN and client.order is not None):
        return Answer.PROVEN
    if client.order is not None and ordered.points > 1:
        return Answer.ORDERED
    return Answer.SUSPICION if client.encrypted else Answer.NONE


def _unread_order(client: ClientLeg, victim: IpAddress, names: Iterable[str]) -> Reason:
    way = None if client.encrypted else find_destination(client.sent.head, victim, names)
    if way is None:
        return Reason(name="no-order", points=0, because="no order could be read")
    return Reason(name="destination", points=1, because=f"its bytes hold the destination ({way})")


def _of_bytes(same: SameBytes) -> Iterator[Reason]:
    if same.up:
        yield _same("client's", same.up)
    if same.down:
        yield _same("server's", same.down)


def _of_times(times: Symmetry, *, encrypted: bool) -> Iterator[Reason]:
    because = f"{times.share:.0%} of the segments pass within {times.lag * 1000:.1f} ms"
    yield Reason(name="timing", points=_nearness(times), because=because)
    if encrypted:
        because = f"{times.sizes:.0%} of the segments come longer by the same few bytes"
        yield Reason(name="volume", points=round(2 * times.sizes, 3), because=because)


def _nearness(times: Symmetry) -> float:
    return round(times.share * 2 / (1 + times.lag / 0.01), 3)


def _suspicious(times: Symmetry) -> bool:
    return (
        times.share >= MIN_SHARE
        and times.sizes >= MIN_SIZES
        and times.segments >= MIN_SEGMENTS
        and (times.sizes >= MIN_SIZES_LATE or _nearness(times) + times.sizes >= MIN_SUSPICION)
    )


def _same(whose: str, count: int) -> Reason:
    points = 4 * min(count / KEY_BYTES, 1)
    because = f"the same {count:,} {whose} bytes on both legs"
    return Reason(name="same-bytes", points=points, because=because)


def _in_time(mail: MailLeg, client: ClientLeg) -> bool:
    """The order comes before what it causes, and its connection lives on meanwhile."""
    began = client.ordered_at if client.order is not None else client.opened
    if client.order is not None and client.complete and mail.complete:
        return began - 0.01 <= mail.opened <= began + MAX_WAIT
    return client.opened - 0.01 <= mail.seen and mail.opened <= client.seen + MAX_WAIT


def ordering_client(client: ClientLeg, reasons: tuple[Reason, ...]) -> OrderingClient:
    """Describe a connection to the proxy."""
    return OrderingClient(
        address=address(client.client.address),
        port=client.client.port,
        proxy=address(client.server.address),
        proxy_port=client.server.port,
        at=client.ordered_at if client.order else client.opened,
        order=client.order,
        reasons=reasons,
    )
