"""Why a mail server refuses a command: the kinds of rejects, by the words of its replies.

The words are those of Postfix (smtpd_check.c, cleanup), sendmail (proto.m4) and Exim; a table of
the operator's own goes before them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

OTHER = "other"
PROTOCOL = "protocol"
"""A command at the wrong time, or one that nobody honest sends."""
RATE = "rate"
CONTENT = "content"
"""A header or body check, or a milter that looked at the message."""


@dataclass(frozen=True, slots=True)
class RejectKind:
    """A kind, and the lower-case words that tell it."""

    kind: str
    words: bytes


# The first one that fits counts: "Recipient address rejected: User unknown" is user-unknown.
_KNOWN: tuple[tuple[str, bytes], ...] = (
    ("relay-denied", b"relay access denied"),
    ("relay-denied", b"relaying denied"),
    ("relay-denied", b"relay not permitted"),
    ("dnsbl", b"blocked using"),
    ("greylisted", b"greylist"),
    ("user-unknown", b"user unknown"),
    ("user-unknown", b"unknown user"),
    ("user-unknown", b"unrouteable address"),
    ("user-unknown", b"undeliverable address"),
    ("user-unknown", b"unverified address"),
    ("sender-rejected", b"sender address rejected"),
    ("sender-rejected", b"sender verify fail"),
    ("sender-rejected", b"domain of sender address"),
    ("helo-rejected", b"helo command rejected"),
    ("recipient-rejected", b"recipient address rejected"),
    ("client-rejected", b"client host rejected"),
    ("client-rejected", b"access denied"),
    ("data-rejected", b"data command rejected"),
    ("end-of-data-rejected", b"end-of-data rejected"),
    (PROTOCOL, b"pipelining"),
    (PROTOCOL, b"command rejected"),
    (PROTOCOL, b"protocol error"),
    (PROTOCOL, b"protocol synchronization error"),
    (PROTOCOL, b"syntax or protocol errors"),
    (PROTOCOL, b"unrecognized commands"),
    (PROTOCOL, b"nonmail commands"),
    (RATE, b"ratelimit"),
    ("client-rejected", b"connect' acl"),
    ("client-rejected", b'connect" acl'),
    ("storage", b"insufficient system storage"),
    ("size", b"message size exceeds"),
    ("size", b"message file too big"),
    (RATE, b"too many"),
    (RATE, b"rate limit"),
    ("tls-required", b"starttls"),
    ("auth-required", b"authentication required"),
    ("temporary-failure", b"temporary lookup failure"),
    ("temporary-failure", b"server configuration"),
    ("temporary-failure", b"service currently unavailable"),
    ("service-unavailable", b"service unavailable"),
)


def reason_of(reply: bytes) -> bytes:
    """Cut a logged reply to the words of the server.

    Behind the envelope (``; from=<...>``) stand the sender's HELO and addresses, and before the
    reason often the refused address: nothing of the sender may decide.
    """
    return reply.partition(b"; from=<")[0].rpartition(b">: ")[2]


def reject_kind(reply: bytes, own: Sequence[RejectKind] = ()) -> str:
    """Say why a command was refused.

    Args:
        reply: the reply as logged, from its code to the envelope (``; from=<...>``).
        own: kinds of the operator, looked at first.
    """
    text = reason_of(reply).lower()
    for entry in own:
        if entry.words in text:
            return entry.kind
    for kind, words in _KNOWN:
        if words in text:
            return kind
    return OTHER
