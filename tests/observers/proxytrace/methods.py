"""Ways to attribute a session, from the manual search to the product's, on the same legs."""

import re
from collections.abc import Callable, Mapping, Sequence

from botprobe.observers.packets.segments import address
from botprobe.observers.proxytrace.comparing import symmetry
from botprobe.observers.proxytrace.legs import ClientLeg, MailLeg
from botprobe.observers.proxytrace.legtable import LegTable
from botprobe.observers.proxytrace.matching import Matcher, decide
from botprobe.observers.proxytrace.model import Answer

Method = Callable[[LegTable], list[ClientLeg | None]]
"""For each mail leg the connection that is said to have ordered it."""

# From an order to what it causes, as somebody who reads a capture would look for it.
NEAR_SECONDS = 5.0


def searched(table: LegTable) -> list[ClientLeg | None]:
    """Look for the destination's digits in what clients sent; the latest before is taken."""
    texts = [(leg, leg.sent.head + str(leg.order).encode()) for leg in table.clients]
    found: list[ClientLeg | None] = []
    for mail in table.mail:
        digits = re.escape(str(address(mail.server.address)).encode())
        near = [leg for leg, text in texts if _near(mail, leg) and re.search(digits, text)]
        found.append(max(near, key=lambda leg: leg.opened, default=None))
    return found


def parsed(table: LegTable) -> list[ClientLeg | None]:
    """Take the latest parsed order for the address; names tell nothing."""
    found: list[ClientLeg | None] = []
    for mail in table.mail:
        victim = address(mail.server.address)
        near = [
            leg
            for leg in table.clients
            if leg.order is not None and leg.order.host == victim and _near(mail, leg)
        ]
        found.append(max(near, key=lambda leg: leg.ordered_at, default=None))
    return found


def timed(table: LegTable) -> list[ClientLeg | None]:
    """Take the connection whose times fit best; no content is looked at."""
    found: list[ClientLeg | None] = []
    for mail in table.mail:
        near = [(symmetry(mail, leg), leg) for leg in table.clients if _near(mail, leg)]
        best = max(near, key=lambda pair: (pair[0].share, -pair[0].lag), default=None)
        found.append(best[1] if best is not None and best[0].share >= 0.9 else None)
    return found


def product(table: LegTable) -> list[ClientLeg | None]:
    """Do as the product does."""
    decisions = decide(table.mail, Matcher(table.clients, table.names))
    return [
        one.best.client if one.best and one.answer is not Answer.EQUAL else None
        for one in decisions
    ]


METHODS: Mapping[str, Method] = {
    "address searched for": searched,
    "parsed order, address, time": parsed,
    "times alone": timed,
    "botprobe": product,
}


def precision_and_recall(
    mails: Sequence[MailLeg], said: Sequence[ClientLeg | None], truth: Mapping[int, int]
) -> tuple[float, float]:
    """Compare with the truth: from the proxy's port to the origin's."""
    accused = [
        (truth.get(m.client.port), c.client.port) for m, c in zip(mails, said, strict=True) if c
    ]
    right = sum(want == got for want, got in accused)
    return right / len(accused) if accused else 1.0, right / len(truth)


def _near(mail: MailLeg, leg: ClientLeg) -> bool:
    return 0 <= mail.opened - leg.opened <= NEAR_SECONDS
