"""The credit rule as the documentation states it, packet by packet and as plainly as can be."""

from collections import Counter

SMALL, SLICE, FLOOR = 200, 60, -150
SMTP, MAILBOX = {25, 465, 587}, {110, 995, 143, 993}
SYN, RST, ACK = 2, 4, 16

End = tuple[bytes, int]


class Reference:
    """Counts small packets that somebody else reads."""

    def __init__(self) -> None:
        self.credits = Counter[bytes]()
        self.sent = Counter[bytes]()
        self.fetched = Counter[bytes]()
        self._ends = 0.0
        self._counted = Counter[tuple[End, End]]()
        self._answered = set[tuple[End, End]]()

    def take(self, at: float, source: End, target: End, flags: int) -> None:
        """Count a small packet, if it goes to or comes from a mail port."""
        if not {source[1], target[1]} & (SMTP | MAILBOX):
            return
        if at >= self._ends:
            self._close()
            self._ends = at + SLICE
        if flags & ACK and not flags & SYN:
            if target[1] in SMTP | MAILBOX:
                self._counted[source, target] += 1
            if not flags & RST:
                self._answered.add((target, source))

    def result(self) -> dict[str, list[int]]:
        """Return credit, packets that send and packets that fetch, by address in hex."""
        self._close()
        return {
            source.hex(): [credit, self.sent[source], self.fetched[source]]
            for source, credit in self.credits.items()
        }

    def _close(self) -> None:
        """End a slice: what was answered in it earns credit."""
        change = Counter[bytes]()
        for flow, packets in self._counted.items():
            if flow in self._answered:
                (source, _), (_, port) = flow
                (self.sent if port in SMTP else self.fetched)[source] += packets
                change[source] += packets if port in SMTP else -3 * packets
        for source, credit in change.items():
            self.credits[source] = max(FLOOR, self.credits[source] + credit)
        self._counted.clear()
        self._answered.clear()
