"""The honeypot: takes the mail that a router redirects, keeps it, and delivers nothing.

The SMTP session is aiosmtpd's (RFC 5321), which bounds lines and mails. Every recipient is
accepted; what comes lies in a Maildir that ``botprobe watch`` reads, below a Received field of our
own, so that the bot's address is the boundary.
"""

import asyncio
import mailbox
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from weakref import WeakSet

from botprobe.errors import InputError
from botprobe.model.text import visible

MAX_MAIL = 10 << 20
MAX_RECIPIENTS = 100
# A bot opens hundreds; more wait in the kernel's queue.
MAX_SESSIONS = 200
# Seconds that a session may be silent.
SILENCE = 60


@dataclass(slots=True)
class SinkHandler:
    """What aiosmtpd calls; keeps each mail whole, until there are too many bytes."""

    folder: mailbox.Maildir
    name: str
    most_bytes: int
    kept: int = 0
    refused: int = 0
    _bytes: int = 0

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Accept every recipient, up to a number."""
        del server, session, options
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Keep a mail; say "try again later" if that is not possible."""
        del server
        mail = self._trace(session, envelope) + envelope.content
        if self._bytes + len(mail) > self.most_bytes:
            self.refused += 1
            return "452 insufficient system storage"
        try:
            await asyncio.to_thread(self.folder.add, mail)
        except OSError:
            self.refused += 1
            return "452 insufficient system storage"
        self._bytes += len(mail)
        self.kept += 1
        return "250 OK"

    def _trace(self, session: Any, envelope: Any) -> bytes:
        """Write the fields that a delivering server adds (RFC 5321, section 4.4)."""
        peer = ip_address(session.peer[0].partition("%")[0])
        peer = getattr(peer, "ipv4_mapped", None) or peer
        literal = f"IPv6:{peer}" if peer.version == 6 else str(peer)
        helo = _token(session.host_name or "unknown")
        sender = _token(envelope.mail_from or "")
        lines = [
            f"Return-Path: <{sender}>",
            *(f"Delivered-To: {_token(one)}" for one in envelope.rcpt_tos[:1]),
            f"Received: from {helo} ([{literal}])",
            f"\tby {self.name} (botprobe sink) with ESMTP id {time.time_ns():x};",
            f"\t{formatdate()}",
        ]
        return "".join(f"{line}\r\n" for line in lines).encode("ascii", "replace")


class _Full(asyncio.Protocol):
    """Says that there are too many sessions, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse (RFC 5321, section 3.8)."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a server's connection
        transport.write(b"421 too many sessions\r\n")
        transport.close()


@asynccontextmanager
async def open_sink(
    address: str | None, port: int, folder: Path, *, name: str, most_bytes: int
) -> AsyncIterator[SinkHandler]:
    """Listen until the block is left.

    Args:
        address: where to listen; None is every address of both families.
        port: any above 1023 needs no privilege.
        folder: the Maildir; it is made if it is not there.
        name: our own, for the greeting and the Received field.
        most_bytes: of all mails of this run together.

    Raises:
        InputError: aiosmtpd is not installed, the Maildir cannot be written, or the port is taken.
    """
    smtp = _library()
    try:
        maildir = mailbox.Maildir(folder, create=True)
    except OSError as error:
        raise InputError(f"cannot write the Maildir {folder}: {error.strerror}") from error
    handler = SinkHandler(maildir, name, most_bytes)
    open_sessions: WeakSet[Any] = WeakSet()

    def session() -> Any:
        if sum(one.transport is not None for one in open_sessions) >= MAX_SESSIONS:
            return _Full()
        one = smtp(
            handler,
            hostname=name,
            ident="ESMTP",
            data_size_limit=MAX_MAIL,
            timeout=SILENCE,
            enable_SMTPUTF8=True,
        )
        open_sessions.add(one)
        return one

    try:
        server = await asyncio.get_running_loop().create_server(
            session, address, port, backlog=MAX_SESSIONS
        )
    except OSError as error:
        raise InputError(f"cannot listen on port {port}: {error.strerror}") from error
    async with server:
        yield handler


def _token(text: str) -> str:
    """Cut a name of the bot's to one that ends no line and no field."""
    kept = visible(text)[:255]
    return "".join(each for each in kept if each.isascii() and each not in "<>()[]; \t")


def _library() -> Any:
    try:
        from aiosmtpd.smtp import SMTP  # noqa: PLC0415  # optional
    except ImportError as error:
        raise InputError("the sink needs the package aiosmtpd: install botprobe[sink]") from error
    return SMTP
