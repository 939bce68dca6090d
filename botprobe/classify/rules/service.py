"""What a host answers on port 25, and whether its answers mean anything."""

from botprobe.classify.mailfunction import MailGrade
from botprobe.classify.rules.base import Group, Rule, quoted
from botprobe.classify.subject import Subject
from botprobe.model.verdict import Family


def answers_everywhere(subject: Subject) -> str | None:
    """Tarpits, honeypots and middleboxes accept every connection."""
    if not subject.system.answers_everywhere:
        return None
    count = len(subject.system.open_ports)
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
    if subject.grade is not MailGrade.SILENT:
        return None
    return "port 25 is open, and no SMTP greeting came"


def unsteady_port(subject: Subject) -> str | None:
    """Something on the way limits us, so that a closed port proves nothing."""
    if not subject.port_25_is_unsteady:
        return None
    return f"nmap found port 25 open, then it was {subject.grade}"


def greets(subject: Subject) -> str | None:
    """A mail server that does not like us is a mail server (554 may be our own reputation)."""
    if subject.grade is not MailGrade.GREETS:
        return None
    return "a mail server greets on port 25, though it refuses us"


def speaks_smtp(subject: Subject) -> str | None:
    """It takes mail."""
    if subject.grade is not MailGrade.SPEAKS:
        return None
    return "a mail server answers on port 25"


def serves_own_name(subject: Subject) -> str | None:
    """PTR, address record, greeting, EHLO and MX are five places that somebody keeps in order."""
    if subject.grade is not MailGrade.OWN_NAME:
        return None
    return "a mail server answers on port 25; PTR, greeting, EHLO and MX agree on its name"


def greets_elsewhere(subject: Subject) -> str | None:
    """What a filter on our way hides is a mail server all the same."""
    seen = subject.elsewhere
    if seen is None or not subject.greeted_elsewhere:
        return None
    return f"a mail server answered {quoted(seen.vantage)}; here {_port_here(subject)}"


def places_disagree(subject: Subject) -> str | None:
    """Somebody on the way, or the host itself, treats the two places differently."""
    seen = subject.elsewhere
    if seen is None or subject.greeted_elsewhere:
        return None
    there = quoted(seen.vantage)
    if seen.port is not None and subject.port is not None and seen.port is not subject.port:
        return f"port 25 is {subject.port} from here and {seen.port} from {there}"
    if seen.alive is not None and subject.alive is not None and seen.alive is not subject.alive:
        answered, not_answered = ("here", there) if subject.alive else (there, "here")
        return f"echo requests from {answered} are answered, those from {not_answered} are not"
    return None


def _port_here(subject: Subject) -> str:
    return f"port 25 is {subject.port}" if subject.port else "port 25 could not be asked"


SERVICE_RULES = Group(
    looks_at=lambda subject: (
        *(subject.system, subject.grade, subject.shows_life),
        *(subject.facts.elsewhere, subject.facts.ping, subject.port),
    ),
    rules=(
        Rule("answers-everywhere", Family.SERVICE, answers_everywhere),
        Rule("port-closed", Family.SERVICE, port_closed),
        Rule("port-filtered", Family.SERVICE, port_filtered),
        Rule("no-greeting", Family.SERVICE, no_greeting),
        Rule("unsteady-port", Family.SERVICE, unsteady_port),
        Rule("greets", Family.SERVICE, greets),
        Rule("speaks-smtp", Family.SERVICE, speaks_smtp),
        Rule("serves-own-name", Family.SERVICE, serves_own_name),
        Rule("greets-elsewhere", Family.SERVICE, greets_elsewhere),
        Rule("places-disagree", Family.SERVICE, places_disagree),
    ),
)
