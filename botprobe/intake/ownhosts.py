"""What a whole mailbox shows of the own side: the server that took nearly all of its mail.

Senders come and go, one's own servers stay. A relay that hands over nearly everything is ours too,
if its verified name lies in the same domain: a lone spammer may fill a mailbox, but it cannot
have a verified name in our domain.
"""

from collections import Counter
from collections.abc import Iterable

from botprobe.intake.evidence import organisation
from botprobe.model.mail import Hop, HopStatus, Mail

# Fewer mails may all be of one sender.
MIN_MAILS = 20

CONSTANT_SHARE = 0.9

# Enough to tell, whatever the size of the mailbox.
MAX_MAILS = 1_000


def infer_hosts(mails: Iterable[Mail]) -> frozenset[str]:
    """Names of the servers, in lower case, that took or handed over nearly all mails.

    Args:
        mails: of one mailbox, in any order.
    """
    tops = [hop for mail in mails if (hop := _top(mail)) is not None]
    server = _constant([hop.by for hop in tops], len(tops))
    if server is None:
        return frozenset()
    peers = [hop.rdns if hop.rdns_verified else None for hop in tops]
    relay = _constant(peers, len(tops))
    if relay is not None and organisation(relay) == organisation(server):
        return frozenset((server, relay))
    return frozenset((server,))


def _top(mail: Mail) -> Hop | None:
    return next((hop for hop in mail.hops if hop.status is HopStatus.PARSED), None)


def _constant(names: Iterable[str | None], total: int) -> str | None:
    counts = Counter(name.lower().rstrip(".") for name in names if name is not None)
    if total < MIN_MAILS or not counts:
        return None
    name, count = counts.most_common(1)[0]
    return name if count >= CONSTANT_SHARE * total else None
