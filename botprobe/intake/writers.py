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
    NO_TRANSPORT = "no mail transport"
    """Batches, scanners and remote procedure calls: the line repeats what another one says."""
    NOVELL = "Novell"
    OTHER = "other"


# Behind "by" or "with"; Critical Path has versions such as "7.0.030.2", Sendmail "8.17.1/8.17.1".
_SIGNATURE = re.compile(
    r"(?P<POSTFIX>Postfix\b)"
    r"|(?P<EXIM>Exim\b)"
    r"|(?P<CRITICAL_PATH>[0-9]{1,2}\.[0-9]\.[0-9]{3}(?![0-9/+]))"
    r"|(?P<SENDMAIL>8\.[0-9]|[0-9]+(?>(?:\.\w+)+)[/+])"
    r"|(?P<COMMUNIGATE>CommuniGate Pro)"
    r"|(?P<QMAIL>qmail|qpsmtpd|qp )"
    r"|(?P<OPENSMTPD>OpenSMTPD)"
    r"|(?P<FETCHER>fetchmail|getmail)"
)
_SIGNATURE_BEHIND = re.compile(rf"\((?:{_SIGNATURE.pattern})")
_EXIM_ID = re.compile(r"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}$")
_EXIM_PROTOCOL = frozenset(("smtp", "esmtp", "esmtps", "esmtpa", "esmtpsa", "asmtp", "smtps"))

_PROTOCOL = re.compile(
    r"(?P<FETCHER>pop[23]|apop|imap|kpop|odmr|etrn)"
    r"|(?P<LOCAL>local)"
    r"|(?P<NO_TRANSPORT>bsmtp|uucp|novell_groupwise|qmail-scanner|thrift)"
    r"|(?P<NOVELL>Novell|NetMail)"
    r"|(?P<HELO_ONLY>Microsoft|mapi|\[XMail|http)",
    re.IGNORECASE,
)
# By the name of the group that matched.
_NAMED: dict[str | None, Writer] = {writer.name: writer for writer in Writer}


def writer_of(clauses: Clauses) -> Writer:
    """Recognise the writer by the slots that it fills itself."""
    protocol, own = clauses.protocol, clauses.by_comment
    if protocol is not None and (match := _PROTOCOL.match(protocol)) is not None:
        return _NAMED[match.lastgroup]
    if own is not None and (match := _SIGNATURE.match(own)) is not None:
        return _NAMED[match.lastgroup]
    behind = clauses.protocol_comments
    if behind and (match := _SIGNATURE_BEHIND.search(behind)) is not None:
        return _NAMED[match.lastgroup]
    if own is not None or protocol is None:
        return Writer.HELO_ONLY
    if protocol in _EXIM_PROTOCOL and _EXIM_ID.match(clauses.id or "") is not None:
        return Writer.EXIM
    return Writer.OTHER
