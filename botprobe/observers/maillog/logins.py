"""POP3 and IMAP logins: Dovecot, Courier, Cyrus, UW, qpopper.

N_p of the method is the number of POP3 accesses; each asks the DNS once, for the client's name.
"""

import re
from collections import Counter

# Program names of Courier, UW and Cyrus, with the protocol that they serve.
_PROTOCOLS = {
    b"pop3d": "pop3", b"pop3d-ssl": "pop3", b"ipop3d": "pop3", b"pop3": "pop3", b"pop3s": "pop3",
    b"imapd": "imap", b"imapd-ssl": "imap", b"imap": "imap", b"imaps": "imap",
}  # fmt: skip
# Of other programs nothing counts.
_PROGRAMS = {b"dovecot", b"pop3-login", b"imap-login", *_PROTOCOLS}
_LOGIN = re.compile(rb"(?:\[\d++\])?: (?:\[ID [^\]\n]*+\] )?(?:LOGIN, |Login user=|login: )")
_DOVECOT = re.compile(rb"(?:\[\d++\])?: (pop3|imap)-login: (?:Info: )?Login: user=")
_DOVECOT_OWN_TAG = re.compile(rb"(?:\[\d++\])?: (?:Info: )?Login: user=")
_QPOPPER = re.compile(rb"(?:\[\d++\])?: .{0,40}POP login by user ")


def logs_logins(program: bytes) -> bool:
    """Say whether a program may log in users."""
    return program in _PROGRAMS or program.endswith(b"popper")


def count_login(program: bytes, rest: bytes, logins: Counter[str]) -> None:
    """Count one line if it is a login.

    Args:
        program: the tag of the line.
        rest: what follows the tag.
        logins: counts per protocol, added to.
    """
    if program == b"dovecot":
        match = _DOVECOT.match(rest)
        if match is not None:
            logins[match[1].decode()] += 1
    elif program in _PROTOCOLS:
        if _LOGIN.match(rest):
            logins[_PROTOCOLS[program]] += 1
    elif program.endswith(b"popper"):
        if _QPOPPER.match(rest):
            logins["pop3"] += 1
    elif program in {b"pop3-login", b"imap-login"} and _DOVECOT_OWN_TAG.match(rest):
        logins[program.removesuffix(b"-login").decode()] += 1
