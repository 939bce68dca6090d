"""A chunk of a log to its counts: lines by hour, hours by family, families by pattern."""

from collections.abc import Sequence

from botprobe.observers.maillog.events import HourEvents
from botprobe.observers.maillog.exim import count_exim_line
from botprobe.observers.maillog.heads import Family, Head, head_of, lines_of, split_hours
from botprobe.observers.maillog.logins import count_login
from botprobe.observers.maillog.postfix import PostfixScanner
from botprobe.observers.maillog.rejects import RejectKind
from botprobe.observers.maillog.sendmail import count_sendmail_line, is_sendmail

# A block whose first lines are other programs' is asked for its Postfix family so far down.
_LINES_ASKED = 50


class LogScanner:
    """Counts chunks of a Postfix log; holds compiled patterns only, so chunks stay independent."""

    def __init__(
        self, own_kinds: tuple[RejectKind, ...] = (), instance: bytes | None = None
    ) -> None:
        self._own_kinds = own_kinds
        self._postfix = PostfixScanner(own_kinds)
        self._instance = instance

    def scan(self, chunk: bytes) -> list[HourEvents]:
        """Count whole lines; one result for each hour in them."""
        return [self._scan_hour(*hour) for hour in split_hours(chunk)]

    def _scan_hour(self, hour: bytes, block: bytes, lines: int) -> HourEvents:
        events = HourEvents(hour, lines)
        family = _first_family(block)
        if not hour:
            for line in lines_of(block):
                events.unread.add(line)
        elif hour[10:11] == b" ":
            for line in lines_of(block):
                count_exim_line(line, events, self._own_kinds)
        elif family is None or not self._wanted(family):
            self._scan_rest(lines_of(block), events)
        else:
            self._scan_rest(self._postfix.scan(block, family, events), events)
        return events

    def _scan_rest(self, lines: Sequence[bytes], events: HourEvents) -> None:
        families: dict[Family, list[bytes]] = {}
        for line in lines:
            head = head_of(line)
            if head is None:
                events.unread.add(line)
            elif head.family is None:
                self._count_other(head.program, line[head.end :], events)
            elif self._wanted(head.family):
                families.setdefault(head.family, []).append(line)
        for family, members in families.items():
            self._postfix.scan(b"\n".join(members) + b"\n", family, events)

    def _count_other(self, program: bytes, rest: bytes, events: HourEvents) -> None:
        if is_sendmail(program):
            count_sendmail_line(rest, events, self._own_kinds)
        elif program.startswith(b"exim"):
            count_exim_line(rest, events, self._own_kinds)
        else:
            count_login(program, rest, events.logins)

    def _wanted(self, family: Family) -> bool:
        return self._instance is None or family.instance == self._instance


def _first_family(block: bytes) -> Family | None:
    position = 0
    for _ in range(_LINES_ASKED):
        end = block.find(b"\n", position)
        head: Head | None = head_of(block[position : end if end >= 0 else len(block)])
        if head is not None and head.family is not None:
            return head.family
        if end < 0:
            return None
        position = end + 1
    return None
