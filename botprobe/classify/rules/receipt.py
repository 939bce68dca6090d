"""How a host behaved when it delivered: only what our own server saw counts here."""

from botprobe.classify.heloforms import HeloForm
from botprobe.classify.mailfunction import same_name
from botprobe.classify.passive import is_windows, seen_at_delivery
from botprobe.classify.rules.base import Group, Rule, quoted
from botprobe.classify.subject import Subject
from botprobe.model.verdict import Family

# Two names are a change of configuration; more are many programs behind one address.
MANY_HELO_NAMES = 3


def delivered(subject: Subject) -> str | None:
    """Our own server saw it, which no header can forge."""
    return "it delivered the mail to us itself" if subject.receipt.deliveries else None


def only_claimed(subject: Subject) -> str | None:
    """Below the boundary a header names whom its writer wants."""
    if not subject.receipt.only_claimed:
        return None
    return "no server of ours saw it deliver; lines that may be forged name it"


def authenticated(subject: Subject) -> str | None:
    """People submit mail from client systems with their password, and no server is expected."""
    if not subject.receipt.authenticated:
        return None
    return "every mail came from a user who had logged in"


def helo_localhost(subject: Subject) -> str | None:
    """No host on the Internet is called so."""
    return _if_helo(subject, HeloForm.LOCALHOST, "it said HELO as localhost: {}")


def helo_foreign_address(subject: Subject) -> str | None:
    """The study's own bot gave the address of a provider's MX as its name."""
    return _if_helo(subject, HeloForm.FOREIGN_ADDRESS, "it said HELO with another address: {}")


def helo_private_address(subject: Subject) -> str | None:
    """Mail programs behind a NAT do so, and do not deliver to an MX."""
    return _if_helo(subject, HeloForm.PRIVATE_ADDRESS, "it said HELO from a private network: {}")


def helo_bare_address(subject: Subject) -> str | None:
    """RFC 5321, section 4.1.3, wants brackets; mail servers know."""
    return _if_helo(subject, HeloForm.BARE_ADDRESS, "it said HELO with a bare address: {}")


def helo_literal(subject: Subject) -> str | None:
    """Correct, and not what a server with a name says."""
    return _if_helo(subject, HeloForm.LITERAL, "it said HELO with its address: {}")


def helo_freemail(subject: Subject) -> str | None:
    """A name that everybody trusts and none of its servers uses."""
    return _if_helo(subject, HeloForm.FREEMAIL, "it said HELO as a provider of mailboxes: {}")


def helo_unqualified(subject: Subject) -> str | None:
    """RFC 5321, section 2.3.5, wants a full name; this one is known at home only."""
    return _if_helo(subject, HeloForm.UNQUALIFIED, "it said HELO without a full name: {}")


def helo_dynamic(subject: Subject) -> str | None:
    """A bot asks the DNS who it is."""
    return _if_helo(subject, HeloForm.DYNAMIC, "it said HELO as a line for customers: {}")


def helo_recipient(subject: Subject) -> str | None:
    """To call oneself by the recipient's domain is an old trick to look like a colleague."""
    for seen in subject.receipt.greetings:
        domains = {same_name(address.rpartition("@")[2]) for address in seen.recipients}
        if seen.helo and same_name(seen.helo) in domains:
            return f"it said HELO with the recipient's own domain: {quoted(seen.helo)}"
    return None


def helo_varies(subject: Subject) -> str | None:
    """A server has one name; bots and the programs behind a NAT have many."""
    count = len(subject.receipt.names)
    return f"it said HELO with {count} different names" if count >= MANY_HELO_NAMES else None


def passive_windows(subject: Subject) -> str | None:
    """What the host's own SYN said at delivery, no router can answer for it later."""
    seen = seen_at_delivery(subject.facts, subject.receipt)
    if seen is None or not is_windows(seen):
        return None
    return f"its own packets were those of {quoted(seen)} when it delivered (p0f)"


def passive_other(subject: Subject) -> str | None:
    """The same for a system that sends less spam."""
    seen = seen_at_delivery(subject.facts, subject.receipt)
    if seen is None or is_windows(seen):
        return None
    return f"its own packets were those of {quoted(seen)} when it delivered (p0f)"


def _if_helo(subject: Subject, form: HeloForm, clause: str) -> str | None:
    helo = subject.receipt.forms.get(form)
    return None if helo is None else clause.format(quoted(helo))


RECEIPT_RULES = Group(
    looks_at=lambda subject: (subject.receipt, subject.facts.passive),
    rules=(
        Rule("delivered", Family.RECEIPT, delivered),
        Rule("only-claimed", Family.RECEIPT, only_claimed),
        Rule("authenticated", Family.RECEIPT, authenticated),
        Rule("helo-localhost", Family.RECEIPT, helo_localhost),
        Rule("helo-foreign-address", Family.RECEIPT, helo_foreign_address),
        Rule("helo-private-address", Family.RECEIPT, helo_private_address),
        Rule("helo-bare-address", Family.RECEIPT, helo_bare_address),
        Rule("helo-literal", Family.RECEIPT, helo_literal),
        Rule("helo-freemail", Family.RECEIPT, helo_freemail),
        Rule("helo-unqualified", Family.RECEIPT, helo_unqualified),
        Rule("helo-dynamic", Family.RECEIPT, helo_dynamic),
        Rule("helo-recipient", Family.RECEIPT, helo_recipient),
        Rule("helo-varies", Family.RECEIPT, helo_varies),
        Rule("passive-windows", Family.RECEIPT, passive_windows),
        Rule("passive-other", Family.RECEIPT, passive_other),
    ),
)
