"""How much of a mail server a host is, in grades, by what it said on port 25 (RFC 5321).

A grade is what the session showed. Whether silence proves that there is no mail server is decided
by the rules, which see the other probes too.
"""

from enum import StrEnum

from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import PortState, PtrName, Reply, SmtpResult


class MailGrade(StrEnum):
    """Grades of mail service, least first."""

    CLOSED = "closed"
    FILTERED = "filtered"
    SILENT = "silent"
    """Open, but no SMTP greeting came: silence, garbage, an endless banner, a hang-up."""
    GREETS = "greets"
    """An SMTP server is there, but refused us (4xx, 5xx) or did not take our EHLO."""
    SPEAKS = "speaks"
    """Greeted with 220 and took our EHLO."""
    OWN_NAME = "own-name"
    """Speaks, and PTR (forward-confirmed), greeting, EHLO and an MX agree on its name."""


class SmtpFunction(StrEnum):
    """The grades in the three steps that other programs read."""

    NONE = "none"
    GREETS = "greets"
    MAIL_SERVER = "mail-server"


def mail_grade(facts: Facts) -> MailGrade | None:
    """Grade the mail service of a host; None if port 25 was not measured."""
    if not isinstance(facts.smtp, Measured):
        return None
    result = facts.smtp.result
    if result.port is not PortState.OPEN:
        return MailGrade.CLOSED if result.port is PortState.CLOSED else MailGrade.FILTERED
    if result.greeting is None:
        return MailGrade.SILENT
    if not result.takes_mail:
        return MailGrade.GREETS
    return MailGrade.OWN_NAME if _serves_own_name(result, facts) else MailGrade.SPEAKS


def mail_function(facts: Facts) -> SmtpFunction | None:
    """Say which function the host showed on port 25; None if it was not measured."""
    match mail_grade(facts):
        case MailGrade.CLOSED | MailGrade.FILTERED | MailGrade.SILENT:
            return SmtpFunction.NONE
        case MailGrade.GREETS:
            return SmtpFunction.GREETS
        case MailGrade.SPEAKS | MailGrade.OWN_NAME:
            return SmtpFunction.MAIL_SERVER
        case None:
            return None


def announced_name(reply: Reply | None) -> str | None:
    """Return the name that a server gives itself: the first word of a greeting or EHLO reply.

    RFC 5321, sections 4.2 and 4.1.1.1, put the domain there.
    """
    words = reply.lines[0].split(maxsplit=1) if reply and reply.lines else []
    return same_name(words[0]) if words else None


def same_name(name: str) -> str:
    """Write a host name in the one form in which names are compared."""
    return name.rstrip(".").lower()


def _serves_own_name(result: SmtpResult, facts: Facts) -> bool:
    match facts.dns:
        case Measured(dns):
            return any(_agrees(name, result) for name in dns.names)
        case _:
            return False


def _agrees(ptr: PtrName, result: SmtpResult) -> bool:
    said = {announced_name(result.greeting), announced_name(result.ehlo)}
    return bool(ptr.confirmed and ptr.mx_points_here) and said == {same_name(ptr.name)}
