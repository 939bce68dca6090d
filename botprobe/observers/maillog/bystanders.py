"""Lines of other programs, passed over or counted by the thousand.

A mail log is often half Dovecot's, amavis' or rspamd's. Only logins count of them; what is not
surely one of a common form, or surely none, is left to ``logins``, ``sendmail`` and ``exim``.
"""

import numpy as np

from botprobe.observers.maillog.heads import POSTFIX_PROGRAMS, Family
from botprobe.observers.maillog.hours import Hours
from botprobe.observers.maillog.logins import logs_logins
from botprobe.observers.maillog.rows import Bytes, Places, Rows, Start, Truths, find
from botprobe.observers.maillog.sendmail import is_sendmail

# Longer ones are left to the others: a tag, a process id.
_TAG, _PID = 32, 16
_DOVECOT = b"dovecot"
_MESSAGE = Start(b": ")
_LOGINS = {
    protocol: tuple(
        Start(b": %s-login: %s" % (protocol.encode(), form))
        for form in (b"Login: user=", b"Info: Login: user=")
    )
    for protocol in ("pop3", "imap")
}


def count_bystanders(rows: Rows, numbers: Places, family: Family, into: Hours) -> Truths:
    """Count lines of a host that are no Postfix's, and say which of them are done with."""
    start = rows.starts[numbers]
    host = Start(b" %s " % family.host)
    ours = host.of(rows.at(start + family.stamp_width, host.size))
    tag = start + family.stamp_width + host.size
    text = rows.at(tag, _TAG)
    length = ((text == ord("[")) | (text == ord(":")) | (text == ord(" "))).argmax(axis=1)
    ours &= (length > 0) & (tag + length < rows.ends[numbers])
    tags = rows.texts(tag, length)
    idle = {name for name in set(tags) if not _counts(name)}
    done = ours & np.fromiter(map(idle.__contains__, tags), np.bool_, len(tags))
    logs = ours & np.fromiter(map(_DOVECOT.__eq__, tags), np.bool_, len(tags))
    chosen = np.flatnonzero(logs)
    done[chosen] = _count_logins(rows, numbers[chosen], (tag + length)[chosen], into)
    return done


def _counts(tag: bytes) -> bool:
    """Say whether lines with a tag may count."""
    _, slash, program = tag.rpartition(b"/")
    if slash and program in POSTFIX_PROGRAMS:
        return True
    return logs_logins(program) or is_sendmail(program) or program.startswith(b"exim")


def _count_logins(rows: Rows, numbers: Places, place: Places, into: Hours) -> Truths:
    """Count what Dovecot logs, from behind its tag."""
    text = rows.at(place + _pid(rows.at(place, _PID)), 40)
    sure = _MESSAGE.of(text) & (place < rows.ends[numbers])
    for protocol, forms in _LOGINS.items():
        logged_in = numbers[sure & (forms[0].of(text) | forms[1].of(text))]
        for events, part in into.parts(logged_in):
            events.logins[protocol] += part.stop - part.start
    return sure


def _pid(text: Bytes) -> Places:
    """Return how long a process id in brackets is, 0 if there is none."""
    closing = find(text, b"]")
    digits = (text[:, 1:] - ord("0") > 9).argmax(axis=1)
    return np.where(
        (text[:, 0] == ord("[")) & (digits > 0) & (closing == digits + 1), closing + 1, 0
    )
