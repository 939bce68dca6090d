"""Logs made to measure: what every client did on a day, written as Postfix and BIND write it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

UNKNOWN = "550 5.1.1 <u{n}@example.org>: Recipient address rejected: User unknown in local table"
RELAY = "554 5.7.1 <u{n}@example.net>: Relay access denied"
REFUSED = "554 5.7.1 <u{n}@example.org>: Recipient address rejected: Access denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What one client does on one day: so many connections with each outcome."""

    client: str
    accepted: int = 0
    refused: int = 0
    reply: str = UNKNOWN
    """Of each refused connection."""
    idle: int = 0
    """Connections that say nothing."""

    @property
    def connects(self) -> int:
        """N_c of the client."""
        return self.accepted + self.refused + self.idle


@dataclass(frozen=True, slots=True)
class Day:
    """A day's visits and POP3 accesses."""

    day: date
    visits: tuple[Visit, ...]
    logins: int = 0

    @property
    def connects(self) -> int:
        """N_c of the day."""
        return sum(visit.connects for visit in self.visits)


def postfix_lines(days: Iterable[Day]) -> Iterator[str]:
    """Write the days as a Postfix log with RFC 3164 stamps, spread over each day."""
    number = 0
    for day in days:
        outcomes = [
            (visit, kind)
            for visit in day.visits
            for kind, count in (("a", visit.accepted), ("r", visit.refused), ("i", visit.idle))
            for _ in range(count)
        ]
        for position, (visit, kind) in enumerate(outcomes):
            number += 1
            head = f"{_stamp(day.day, position, len(outcomes))} mx postfix"
            yield from _connection(head, visit, kind, number)
        for position in range(day.logins):
            stamp = _stamp(day.day, position, day.logins)
            yield f"{stamp} mx dovecot: pop3-login: Login: user=<u>, method=PLAIN, rip=192.0.2.9\n"


def bind_lines(days: Iterable[Day], queries: Sequence[int], client: str) -> Iterator[str]:
    """Write so many queries of a client on each day, as BIND logs them."""
    for day, count in zip(days, queries, strict=True):
        for position in range(count):
            at = _moment(day.day, position, count)
            yield (
                f"{at:%d-%b-%Y %H:%M:%S}.000 client {client}#5353 (x.example): "
                f"query: x.example IN {'MX' if position % 3 else 'PTR'} + (192.0.2.53)\n"
            )


def _connection(head: str, visit: Visit, kind: str, number: int) -> Iterator[str]:
    peer = f"host[{visit.client}]"
    queue_id = f"{number:X}F"
    yield f"{head}/smtpd[7]: connect from {peer}\n"
    if kind == "a":
        yield f"{head}/smtpd[7]: {queue_id}: client={peer}\n"
        yield f"{head}/qmgr[8]: {queue_id}: from=<s@example.com>, size=9, nrcpt=1 (queue active)\n"
        yield f"{head}/qmgr[8]: {queue_id}: removed\n"
    elif kind == "r":
        reply = visit.reply.format(n=number)
        yield (
            f"{head}/smtpd[7]: NOQUEUE: reject: RCPT from {peer}: {reply}; "
            "from=<s@example.com> to=<u@example.org> proto=SMTP helo=<h>\n"
        )


def _moment(day: date, position: int, of: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(seconds=86_400 * position // max(of, 1))


def _stamp(day: date, position: int, of: int) -> str:
    at = _moment(day, position, of)
    return f"{at:%b} {at.day:2d} {at:%H:%M:%S}"
