"""What others have seen of a host, as block lists tell.

A list of lines for customers says what a PTR name says, so it votes with the address.
"""

from botprobe.classify.listings import Listing
from botprobe.classify.rules.base import Group, Rule
from botprobe.classify.subject import Subject
from botprobe.model.verdict import Family


def listed_by_policy(subject: Subject) -> str | None:
    """The provider itself says that its customers' lines should not deliver mail."""
    return _if_listed(subject, Listing.POLICY, "listed as a line for customers by {}")


def listed_as_exploited(subject: Subject) -> str | None:
    """Others have seen it do what only infected hosts and open proxies do."""
    return _if_listed(subject, Listing.EXPLOITED, "listed as infected or hijacked by {}")


def listed_as_spam_source(subject: Subject) -> str | None:
    """Others got spam from it, too; so they do from large mail servers."""
    zones = subject.listings.get(Listing.SPAM_SOURCE)
    return f"listed as a source of spam by {', '.join(zones)}" if zones else None


def _if_listed(subject: Subject, listing: Listing, clause: str) -> str | None:
    """Lists of lines mean the host that delivers; whoever hands its mail to a relay may be there.

    Spamhaus asks not to look other hops up in PBL and XBL, nor users who logged in.
    """
    zones = subject.listings.get(listing)
    if not zones or not subject.receipt.deliveries or subject.receipt.authenticated:
        return None
    return clause.format(", ".join(zones))


REPUTATION_RULES = Group(
    looks_at=lambda subject: (subject.listings, subject.receipt),
    rules=(
        Rule("listed-by-policy", Family.ADDRESS, listed_by_policy),
        Rule("listed-as-exploited", Family.REPUTATION, listed_as_exploited),
        Rule("listed-as-spam-source", Family.REPUTATION, listed_as_spam_source),
    ),
)
