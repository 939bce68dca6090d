"""What observers saw of a host without asking it: a mail server's log, a router, proxies.

Where a router saw several hosts behind the address, or one direction only, its count is nobody's.
"""

from botprobe.classify.rules.base import Group, Rule
from botprobe.classify.subject import Subject
from botprobe.model.outcome import Measured
from botprobe.model.results import ProxyRole, TrafficResult
from botprobe.model.text import counted
from botprobe.model.verdict import Family

# The lowest threshold of the router study: at 150, packets of mail servers and of people were
# nearly all (99.7 %) left alone.
MUCH_CREDIT = 150

# Fetching takes three from the credit where sending adds one.
PEOPLE_FETCH = 10

# Of fewer commands a share says nothing; typing errors are no guesses at addresses.
MANY_COMMANDS = 20
MOSTLY = 0.9


def drove_load(subject: Subject) -> str | None:
    """The abnormal load of a server goes away if this client's connections do."""
    seen = _traffic(subject).maillog
    if seen is None or not seen.driver_days:
        return None
    days = len(seen.driver_days)
    return f"it drove the abnormal load of a mail server on {days} day{'s' * (days > 1)}"


def mostly_refused(subject: Subject) -> str | None:
    """Who guesses addresses, or relays, is refused; who writes to people is not."""
    seen = _traffic(subject).maillog
    refused = sum(count for _, count in seen.rejects) if seen else 0
    if seen is None or refused + seen.accepted < MANY_COMMANDS:
        return None
    share = refused / (refused + seen.accepted)
    return f"a mail server refused {share:.0%} of what it wanted" if share >= MOSTLY else None


def asks_for_mx(subject: Subject) -> str | None:
    """Mail programs leave that question to their server."""
    seen = _traffic(subject).maillog
    if seen is None or not seen.mx_queries:
        return None
    return f"it asked for {seen.mx_queries:,} MX records itself"


def sends_without_fetching(subject: Subject) -> str | None:
    """People fetch mail more often than they send it; bots only send."""
    seen = _traffic(subject).router
    if seen is None or seen.nat or seen.one_way or seen.credit <= MUCH_CREDIT:
        return None
    return f"a router saw it send and hardly fetch mail (credit {seen.credit:,})"


def fetches_its_mail(subject: Subject) -> str | None:
    """Somebody reads mail there."""
    seen = _traffic(subject).router
    if seen is None or seen.nat or seen.credit > 0 or seen.pop_imap_packets < PEOPLE_FETCH:
        return None
    return "a router saw it fetch mail as people do"


def ordered_by_proxy(subject: Subject) -> str | None:
    """To hide behind a proxy, mail must have something to hide."""
    seen = _traffic(subject).proxytrace
    if seen is None or seen.role is not ProxyRole.ORDERED:
        return None
    return f"it had open proxies send {counted(seen.mails, 'mail')}"


def carried_as_proxy(subject: Subject) -> str | None:
    """Whether it knows or not, it delivers the mail of strangers."""
    seen = _traffic(subject).proxytrace
    if seen is None or seen.role is not ProxyRole.CARRIED:
        return None
    return f"it carried {counted(seen.mails, 'mail')} of others as a proxy"


_NONE = TrafficResult()


def _traffic(subject: Subject) -> TrafficResult:
    traffic = subject.facts.traffic
    return traffic.result if isinstance(traffic, Measured) else _NONE


TRAFFIC_RULES = Group(
    looks_at=lambda subject: (subject.facts.traffic,),
    rules=(
        Rule("drove-load", Family.TRAFFIC, drove_load),
        Rule("mostly-refused", Family.TRAFFIC, mostly_refused),
        Rule("asks-for-mx", Family.TRAFFIC, asks_for_mx),
        Rule("sends-without-fetching", Family.TRAFFIC, sends_without_fetching),
        Rule("fetches-its-mail", Family.TRAFFIC, fetches_its_mail),
        Rule("ordered-by-proxy", Family.TRAFFIC, ordered_by_proxy),
        Rule("carried-as-proxy", Family.TRAFFIC, carried_as_proxy),
    ),
)
