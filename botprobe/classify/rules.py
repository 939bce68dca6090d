"""The rules: each looks at one side of a host and says in a clause what it found.

What a finding weighs stands in the table of weights. A rule speaks only of what was measured; the
hosts that answer on every port are not believed anything they say about themselves.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from botprobe.classify.addressnames import NameKind
from botprobe.classify.heloforms import HeloForm, helo_form
from botprobe.classify.listings import Listing
from botprobe.classify.mailfunction import MailGrade, same_name
from botprobe.classify.oscatalog import OsReading, OsRole
from botprobe.classify.subject import Subject
from botprobe.model.outcome import Measured
from botprobe.model.results import DnsResult, PtrName
from botprobe.model.target import Sighting
from botprobe.model.verdict import Family

# Two names are a change of configuration; more are many programs behind one address.
MANY_HELO_NAMES = 3

# A name or HELO that goes on longer is cut in reports; the whole of it stands in the facts.
MAX_QUOTE = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """A named question about a host."""

    name: str
    family: Family
    find: Callable[[Subject], str | None]
    """Returns a clause fit for a report, None if the rule does not apply."""


def client_windows(subject: Subject) -> str | None:
    """Bots live on the computers of people (Endo 2009)."""
    return _if_role(subject, OsRole.CLIENT, "nmap takes it for a client Windows: {}")


def ambiguous_windows(subject: Subject) -> str | None:
    """Of the mail that Windows sends most is spam, client or server."""
    if subject.os is not None and subject.os.family != "Windows":
        return None
    return _if_role(subject, OsRole.AMBIGUOUS, "the stack is of a Windows, client or server: {}")


def server_windows(subject: Subject) -> str | None:
    """A server edition is bought to serve."""
    return _if_role(subject, OsRole.SERVER, "nmap takes it for a server Windows: {}")


def other_system(subject: Subject) -> str | None:
    """Most mail of Unix systems is wanted, though not from every Linux box."""
    if _is_appliance(subject):
        return None
    return _if_role(subject, OsRole.OTHER, "the system is not a Windows: {}")


def device(subject: Subject) -> str | None:
    """A printer or a camera has no business to deliver mail."""
    if subject.os is None or not subject.os.is_device or subject.os.is_gateway:
        return None
    return _if_role(subject, OsRole.OTHER, "the stack is that of a device: {}")


def gateway(subject: Subject) -> str | None:
    """A router or firewall answers for hosts that nobody sees from outside."""
    if subject.os is None or not subject.os.is_gateway:
        return None
    return _if_role(subject, OsRole.OTHER, "a gateway answers for the hosts behind it: {}")


def hides_a_windows(subject: Subject) -> str | None:
    """Two systems at one address: a router passes some ports on."""
    if not subject.hides_a_windows or subject.answers_everywhere:
        return None
    return "a Windows answers behind the stack of another system"


def answers_everywhere(subject: Subject) -> str | None:
    """Tarpits, honeypots and middleboxes accept every connection."""
    if not subject.answers_everywhere:
        return None
    count = len(subject.open_ports)
    return f"all {count} ports that were asked are open, so nothing it says is believed"


def port_closed(subject: Subject) -> str | None:
    """A host that sends mail but takes none is seldom a mail server."""
    if subject.grade is not MailGrade.CLOSED or subject.port_25_is_unsteady:
        return None
    return "port 25 is closed"


def port_filtered(subject: Subject) -> str | None:
    """The same, if the host is up: a dead one proves nothing."""
    if subject.grade is not MailGrade.FILTERED or subject.port_25_is_unsteady:
        return None
    return "port 25 is filtered, though the host is up" if subject.shows_life else None


def no_greeting(subject: Subject) -> str | None:
    """A mail server greets; slow ones do within a minute."""
    if subject.grade is not MailGrade.SILENT or subject.answers_everywhere:
        return None
    return "port 25 is open, and no SMTP greeting came"


def unsteady_port(subject: Subject) -> str | None:
    """Something on the way limits us, so that a closed port proves nothing."""
    if not subject.port_25_is_unsteady:
        return None
    return f"nmap found port 25 open, then it was {subject.grade}"


def greets(subject: Subject) -> str | None:
    """A mail server that does not like us is a mail server (554 may be our own reputation)."""
    if subject.grade is not MailGrade.GREETS or subject.answers_everywhere:
        return None
    return "a mail server greets on port 25, though it refuses us"


def speaks_smtp(subject: Subject) -> str | None:
    """It takes mail."""
    if subject.grade is not MailGrade.SPEAKS or subject.answers_everywhere:
        return None
    return "a mail server answers on port 25"


def serves_own_name(subject: Subject) -> str | None:
    """PTR, address record, greeting, EHLO and MX are five places that somebody keeps in order."""
    if subject.grade is not MailGrade.OWN_NAME or subject.answers_everywhere:
        return None
    return "a mail server answers on port 25; PTR, greeting, EHLO and MX agree on its name"


def no_ptr(subject: Subject) -> str | None:
    """Mail servers have a name, or nobody takes their mail."""
    match subject.facts.dns:
        case Measured(DnsResult(names=())):
            return "the address has no PTR record"
        case _:
            return None


def generic_name(subject: Subject) -> str | None:
    """A name made from the address was given by a provider, not by an administrator."""
    return _if_named(subject, NameKind.GENERIC, "the name is made from the address: {}")


def dynamic_name(subject: Subject) -> str | None:
    """Mail servers on dynamic addresses sent only spam in 95.6 % of cases (UDmap)."""
    return _if_named(subject, NameKind.DYNAMIC, "the name is that of a line for customers: {}")


def listed_by_policy(subject: Subject) -> str | None:
    """The provider itself says that its customers' lines should not deliver mail."""
    return _if_listed(subject, Listing.POLICY, "listed as a line for customers by {}")


def static_name(subject: Subject) -> str | None:
    """The provider says that the line keeps its address."""
    return _if_named(subject, NameKind.STATIC, "the name is that of a fixed line: {}")


def mail_name(subject: Subject) -> str | None:
    """Somebody named it for mail, and the forward look-up confirms it."""
    return _if_named(subject, NameKind.MAIL, "the name is that of a mail server: {}")


def forward_confirmed(subject: Subject) -> str | None:
    """PTR and address records are kept by people who talk to each other."""
    handmade = {NameKind.PLAIN, NameKind.STATIC, NameKind.MAIL}
    if subject.name is None or subject.name_kind not in handmade:
        return None
    return "its name resolves back to the address" if subject.name.confirmed else None


def mx_points_here(subject: Subject) -> str | None:
    """Somebody wants mail delivered there."""
    exchangers = [name.name for name in _names(subject) if name.mx_points_here]
    return f"an MX of the domain points to it ({_quoted(exchangers[0])})" if exchangers else None


def delivered(subject: Subject) -> str | None:
    """Our own server saw it, which no header can forge."""
    return "it delivered the mail to us itself" if subject.deliveries else None


def only_claimed(subject: Subject) -> str | None:
    """Below the boundary a header names whom its writer wants."""
    if not subject.target.sightings or subject.deliveries:
        return None
    return "only hops that may be forged name it"


def authenticated(subject: Subject) -> str | None:
    """People submit mail from client systems with their password, and no server is expected."""
    return "every mail came from a user who had logged in" if subject.authenticated else None


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
    for sighting, helo in _helos(subject):
        domains = {same_name(address.rpartition("@")[2]) for address in sighting.recipients}
        if same_name(helo) in domains:
            return f"it said HELO with the recipient's own domain: {_quoted(helo)}"
    return None


def helo_varies(subject: Subject) -> str | None:
    """A server has one name; bots and the programs behind a NAT have many."""
    names = {same_name(helo) for _, helo in _helos(subject)}
    if len(names) < MANY_HELO_NAMES:
        return None
    return f"it said HELO with {len(names)} different names"


def helo_is_name(subject: Subject) -> str | None:
    """It knows its name, and the DNS agrees in both directions."""
    confirmed = {same_name(name.name) for name in _names(subject) if name.confirmed}
    helos = {same_name(helo) for _, helo in _helos(subject)}
    if not helos or not helos <= confirmed or _any_helo(subject, HeloForm.DYNAMIC):
        return None
    return f"it said HELO with its own confirmed name: {_quoted(min(helos))}"


def listed_as_exploited(subject: Subject) -> str | None:
    """Others have seen it do what only infected hosts and open proxies do."""
    return _if_listed(subject, Listing.EXPLOITED, "listed as infected or hijacked by {}")


def listed_as_spam_source(subject: Subject) -> str | None:
    """Others got spam from it, too; so they do from large mail servers."""
    zones = subject.listings.get(Listing.SPAM_SOURCE)
    return f"listed as a source of spam by {', '.join(zones)}" if zones else None


def _if_role(subject: Subject, role: OsRole, clause: str) -> str | None:
    reading = subject.os
    if reading is None or reading.role is not role or subject.answers_everywhere:
        return None
    return clause.format(_described(reading))


def _described(reading: OsReading) -> str:
    more = len(reading.names) - 1
    others = f" and {more} more" if more else ""
    return f"{_quoted(reading.name or '')}{others}, {reading.accuracy} %"


def _quoted(text: str) -> str:
    return text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE]}…"


def _is_appliance(subject: Subject) -> bool:
    return subject.os is not None and (subject.os.is_device or subject.os.is_gateway)


def _names(subject: Subject) -> tuple[PtrName, ...]:
    match subject.facts.dns:
        case Measured(DnsResult(names=names)):
            return names
        case _:
            return ()


def _if_named(subject: Subject, kind: NameKind, clause: str) -> str | None:
    if subject.name is None or subject.name_kind is not kind:
        return None
    return clause.format(_quoted(subject.name.name))


def _helos(subject: Subject) -> Iterable[tuple[Sighting, str]]:
    return [(sighting, sighting.helo) for sighting in subject.deliveries if sighting.helo]


def _any_helo(subject: Subject, form: HeloForm) -> str | None:
    address = subject.target.address
    return next((helo for _, helo in _helos(subject) if helo_form(helo, address) is form), None)


def _if_helo(subject: Subject, form: HeloForm, clause: str) -> str | None:
    # A mail program says what it likes to the server where its user logged in.
    helo = None if subject.authenticated else _any_helo(subject, form)
    return None if helo is None else clause.format(_quoted(helo))


def _if_listed(subject: Subject, listing: Listing, clause: str) -> str | None:
    """Lists of lines mean the host that delivers; whoever hands its mail to a relay may be there.

    Spamhaus asks not to look other hops up in PBL and XBL, nor users who logged in.
    """
    zones = subject.listings.get(listing)
    if not zones or not subject.deliveries or subject.authenticated:
        return None
    return clause.format(", ".join(zones))


RULES: tuple[Rule, ...] = (
    Rule("client-windows", Family.OS, client_windows),
    Rule("ambiguous-windows", Family.OS, ambiguous_windows),
    Rule("server-windows", Family.OS, server_windows),
    Rule("other-system", Family.OS, other_system),
    Rule("device", Family.OS, device),
    Rule("gateway", Family.OS, gateway),
    Rule("hides-a-windows", Family.OS, hides_a_windows),
    Rule("answers-everywhere", Family.SERVICE, answers_everywhere),
    Rule("port-closed", Family.SERVICE, port_closed),
    Rule("port-filtered", Family.SERVICE, port_filtered),
    Rule("no-greeting", Family.SERVICE, no_greeting),
    Rule("unsteady-port", Family.SERVICE, unsteady_port),
    Rule("greets", Family.SERVICE, greets),
    Rule("speaks-smtp", Family.SERVICE, speaks_smtp),
    Rule("serves-own-name", Family.SERVICE, serves_own_name),
    Rule("no-ptr", Family.ADDRESS, no_ptr),
    Rule("generic-name", Family.ADDRESS, generic_name),
    Rule("dynamic-name", Family.ADDRESS, dynamic_name),
    Rule("listed-by-policy", Family.ADDRESS, listed_by_policy),
    Rule("static-name", Family.ADDRESS, static_name),
    Rule("mail-name", Family.ADDRESS, mail_name),
    Rule("forward-confirmed", Family.ADDRESS, forward_confirmed),
    Rule("mx-points-here", Family.ADDRESS, mx_points_here),
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
    Rule("helo-is-name", Family.RECEIPT, helo_is_name),
    Rule("listed-as-exploited", Family.REPUTATION, listed_as_exploited),
    Rule("listed-as-spam-source", Family.REPUTATION, listed_as_spam_source),
)
