"""Which mail server wrote a ``Received`` field, as far as its form depends on that.

The writer is taken from the text that it puts behind its own name (``by mx (Postfix) with ...``);
the sender has no say in these slots. What each writer fills with what was read in their sources.
"""

import re
from enum import StrEnum

from botprobe.intake.clauses import Clauses


class Writer(StrEnum):
    """Mail servers whose fields read differently from the common form."""

    POSTFIX = "Postfix"
    SENDMAIL = "Sendmail"
    EXIM = "Exim"
    COMMUNIGATE = "CommuniGate Pro"
    CRITICAL_PATH = "Critical Path"
    QMAIL = "qmail"
    OPENSMTPD = "OpenSMTPD"
    HELO_ONLY = "no reverse DNS"
    """Exchange, SMTPSVC, Domino, MDaemon, PowerMTA and others that name only the HELO."""
    FETCHER = "fetcher"
    """fetchmail and the like: they took the mail from a mailbox, by POP or IMAP."""
    LOCAL = "local"
    """A program on the same machine handed the mail in."""
    OTHER = "other"


# Behind "by" or "with"; Critical Path has versions such as "7.0.030.2", Sendmail "8.17.1/8.17.1".
_SIGNATURE = re.compile(
    r"(?P<POSTFIX>Postfix\b)"
    r"|(?P<EXIM>Exim\b)"
    r"|(?P<CRITICAL_PATH>[0-9]{1,2}\.[0-9]\.[0-9]{3}(?![0-9/+]))"
    r"|(?P<SENDMAIL>8\.[0-9]|[0-9]+(?:\.\w+)++[/+])"
    r"|(?P<COMMUNIGATE>CommuniGate Pro)"
    r"|(?P<QMAIL>qmail|qpsmtpd|qp )"
    r"|(?P<OPENSMTPD>OpenSMTPD)"
    r"|(?P<FETCHER>fetchmail|getmail)"
)
_EXIM_ID = re.compile(r"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}$")
_EXIM_PROTOCOL = frozenset(("smtp", "esmtp", "esmtps", "esmtpa", "esmtpsa", "asmtp", "smtps"))

_LOCAL_PROTOCOLS = re.compile(
    r"local|bsmtp|uucp|novell_groupwise|qmail-scanner|thrift", re.IGNORECASE
)
_FETCH_PROTOCOLS = re.compile(r"pop[23]|apop|imap|kpop|odmr|etrn", re.IGNORECASE)
_HELO_ONLY_PROTOCOLS = re.compile(r"Microsoft|mapi|\[XMail|HTTP", re.IGNORECASE)


def writer_of(clauses: Clauses) -> Writer:
    """Recognise the writer by the slots that it fills itself."""
    protocol = " ".join(clauses.get("with").words)
    if protocol:
        if _FETCH_PROTOCOLS.match(protocol):
            return Writer.FETCHER
        if _LOCAL_PROTOCOLS.match(protocol):
            return Writer.LOCAL
        if _HELO_ONLY_PROTOCOLS.match(protocol):
            return Writer.HELO_ONLY
    comments = clauses.get("by").comments
    for comment in (*comments[:1], *clauses.get("with").comments):
        signature = _SIGNATURE.match(comment)
        if signature is not None and signature.lastgroup is not None:
            return Writer[signature.lastgroup]
    if protocol in _EXIM_PROTOCOL and _EXIM_ID.match(clauses.get("id").word or ""):
        return Writer.EXIM
    if comments or not protocol:
        return Writer.HELO_ONLY
    return Writer.OTHER
