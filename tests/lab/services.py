"""What is said on open ports: each service is a short script in a table by name.

To add one, write a generator of ``stream`` actions and name it in ``SERVICES``.
"""

from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import partial
from typing import NamedTuple

from tests.lab.stream import Hear, Reset, Say, Script, Wait
from tests.lab.windowsservices import WINDOWS_SERVICES

_POSTFIX_EXTENSIONS = ("PIPELINING", "SIZE 10240000", "ENHANCEDSTATUSCODES", "8BITMIME", "CHUNKING")
_EXCHANGE_EXTENSIONS = (
    *("SIZE 37748736", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "X-ANONYMOUSTLS", "AUTH NTLM"),
    *("X-EXPS GSSAPI NTLM", "8BITMIME", "BINARYMIME", "CHUNKING", "XRDST"),
)


class Identity(NamedTuple):
    """Who a service says it is."""

    name: str
    """Host name for greetings."""


Service = Callable[[Identity], Script]


def smtp(who: Identity) -> Script:
    """Speak as Postfix does."""
    yield Say(_line(f"220 {who.name} ESMTP Postfix"))
    yield from _session(who.name, _POSTFIX_EXTENSIONS)


def smtp_delayed(who: Identity) -> Script:
    """Greet after five seconds, as sendmail's greet_pause does."""
    yield Wait(5)
    yield from smtp(who)


def smtp_postscreen(who: Identity) -> Script:
    """Greet in two parts with six seconds between, as Postfix's postscreen does."""
    yield Say(_line(f"220-{who.name} ESMTP Postfix"))
    yield Wait(6)
    yield from smtp(who)


def smtp_exchange(who: Identity) -> Script:
    """Speak as Microsoft Exchange does."""
    yield Say(_line(f"220 {who.name} Microsoft ESMTP MAIL Service ready at {formatdate()}"))
    yield from _session(f"{who.name} Hello", _EXCHANGE_EXTENSIONS)


def smtp_hmail(who: Identity) -> Script:
    """Speak as a mail server for Windows desktops does, which says no more than it must."""
    yield Say(_line(f"220 {who.name} ESMTP"))
    yield from _session(who.name, ("SIZE 20480000", "AUTH LOGIN", "HELP"))


def smtp_refuse(who: Identity) -> Script:
    """Turn every client away, but politely (RFC 5321, section 3.1)."""
    yield Say(_line(f"554 {who.name} no SMTP service here"))
    while line := (yield Hear()):
        if line.upper().startswith(b"QUIT"):
            yield Say(_line(f"221 {who.name} closing connection"))
            return
        yield Say(_line("503 bad sequence of commands"))


def smtp_busy(who: Identity) -> Script:
    """Say that now is not the time, and hang up (RFC 5321, section 3.8)."""
    yield Say(_line(f"421 {who.name} too many connections, try again later"))


def smtp_tarpit(who: Identity) -> Script:
    """Let a greeting drip, one letter a second."""
    for letter in f"220 {who.name} ESMTP please be patient with us ".ljust(300, "."):
        yield Say(letter.encode())
        yield Wait(1)
    yield Say(b"\r\n")


def smtp_endless(who: Identity) -> Script:
    """Never come to the end of the greeting."""
    while True:
        yield Say(_line(f"220-{who.name} and one more line") * 200)


def smtp_hostile(who: Identity) -> Script:
    """Greet with what terminals, logs and web pages must not be shown raw."""
    yield Say(
        b"220 \x1b]0;owned\x07\x1b[2J\x1b[31m<script>alert(1)</script>\x00\xff\xe2\x80\xae moc\r\n"
    )
    yield from _session("\x1b[1mhostile\x1b[0m", ("=cmd|' /C calc'!A0", "SIZE\t\x08\x7f"))


def smtp_drop(who: Identity) -> Script:
    """Hang up in the middle of the greeting."""
    yield Say(f"220 {who.name} ESM".encode())


def smtp_reset(who: Identity) -> Script:
    """Greet, and break off at the first word of the client."""
    yield Say(_line(f"220 {who.name} ESMTP"))
    yield Hear()
    yield Reset()


def garbage(_: Identity) -> Script:
    """Answer everything with bytes that mean nothing."""
    noise = bytes((7 * index * index + 3 * index) % 256 for index in range(600))
    yield Say(noise)
    while (yield Hear()):
        yield Say(noise)


def silent(_: Identity) -> Script:
    """Take connections and never say a word."""
    while (yield Hear()):
        pass


def _windows(service: Callable[[str], Script], who: Identity) -> Script:
    # NetBIOS: 15 letters, no dots.
    return service(who.name.partition(".")[0].upper()[:15])


SERVICES: Mapping[str, Service] = {
    **{name: partial(_windows, service) for name, service in WINDOWS_SERVICES.items()},
    "garbage": garbage,
    "silent": silent,
    "smtp": smtp,
    "smtp-busy": smtp_busy,
    "smtp-delayed": smtp_delayed,
    "smtp-drop": smtp_drop,
    "smtp-endless": smtp_endless,
    "smtp-exchange": smtp_exchange,
    "smtp-hmail": smtp_hmail,
    "smtp-hostile": smtp_hostile,
    "smtp-postscreen": smtp_postscreen,
    "smtp-refuse": smtp_refuse,
    "smtp-reset": smtp_reset,
    "smtp-tarpit": smtp_tarpit,
}


def _session(title: str, extensions: tuple[str, ...]) -> Script:
    """Take commands until QUIT; nothing is accepted for delivery."""
    while line := (yield Hear()):
        match line[:4].upper():
            case b"EHLO":
                *first, last = (title, *extensions)
                yield Say(b"".join(_line(f"250-{text}") for text in first) + _line(f"250 {last}"))
            case b"HELO":
                yield Say(_line(f"250 {title}"))
            case b"NOOP" | b"RSET":
                yield Say(_line("250 2.0.0 Ok"))
            case b"QUIT":
                yield Say(_line("221 2.0.0 Bye"))
                return
            case b"MAIL" | b"RCPT" | b"DATA":
                yield Say(_line("550 5.7.1 no mail is accepted in the laboratory"))
            case _:
                yield Say(_line("502 5.5.2 Error: command not recognized"))


def _line(text: str) -> bytes:
    return text.encode("latin-1") + b"\r\n"
