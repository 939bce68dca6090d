"""What is said on open ports: each service is a short script in a table by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.lab.stream import Hear, Reset, Say, Script, Wait


class Identity(NamedTuple):
    """Who a service says it is."""

    name: str
    """Host name for greetings."""


Service = Callable[[Identity], Script]


def smtp(who: Identity) -> Script:
    """Speak as Postfix does: greeting, EHLO with the usual extensions, QUIT."""
    yield from _smtp_session(who, b"220 " + who.name.encode() + b" ESMTP Postfix\r\n")


def smtp_refuse(who: Identity) -> Script:
    """Turn every client away (RFC 5321, section 3.1)."""
    yield Say(b"554 " + who.name.encode() + b" no SMTP service here\r\n")
    while line := (yield Hear()):
        if line.upper().startswith(b"QUIT"):
            yield Say(b"221 bye\r\n")
            return
        yield Say(b"503 bad sequence of commands\r\n")


def silent(_: Identity) -> Script:
    """Take connections and never say a word."""
    while (yield Hear()):
        pass


SERVICES: Mapping[str, Service] = {
    "smtp": smtp,
    "smtp-refuse": smtp_refuse,
    "silent": silent,
}


def _smtp_session(who: Identity, greeting: bytes) -> Script:
    yield Say(greeting)
    name = who.name.encode()
    while line := (yield Hear()):
        match line.split(maxsplit=1)[0].upper() if line.strip() else b"":
            case b"EHLO":
                extensions = (b"PIPELINING", b"SIZE 10240000", b"ETRN", b"ENHANCEDSTATUSCODES", b"8BITMIME")
                lines = (b"250-" + text + b"\r\n" for text in (name, *extensions))
                yield Say(b"".join(lines) + b"250 CHUNKING\r\n")
            case b"HELO":
                yield Say(b"250 " + name + b"\r\n")
            case b"QUIT":
                yield Say(b"221 2.0.0 Bye\r\n")
                return
            case b"NOOP" | b"RSET":
                yield Say(b"250 2.0.0 Ok\r\n")
            case _:
                yield Say(b"502 5.5.2 Error: command not recognized\r\n")
