"""The honeypot: takes the mail that a router redirects, keeps it, and delivers nothing.

The SMTP session is aiosmtpd's (RFC 5321), which bounds lines and mails. Every recipient is
accepted; what comes lies in a Maildir that ``botprobe watch`` reads, below a Received field of our
own, so that the bot's address is the boundary.
"""

import asyncio
import mailbox
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
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
# Seconds of a whole session: whoever says a line a minute is never silent.
LONGEST = 600
# Octets that the bytes of one mail may take in memory, with what each line takes besides them, and
# those of all sessions together.
MAX_WEIGHT = 3 * MAX_MAIL
MAX_MEMORY = 128 << 20
_LINE = 100
# Seconds between two counts of what a full Maildir holds: somebody may have taken mails away.
_RECOUNT = 60


@dataclass(slots=True)
class SinkHandler:
    """What aiosmtpd calls; keeps each mail whole, until there are too many bytes."""

    path: Path
    folder: mailbox.Maildir
    name: str
    most_bytes: int
    kept: int = 0
    refused: int = 0
    _bytes: int = 0
    """Of the mails in the Maildir, and of those on their way into it."""
    _writing: int = 0
    _counted: float = field(default_factory=time.monotonic)

    async def count(self) -> None:
        """See how much the Maildir holds already."""
        self._counted = time.monotonic()
        self._bytes = await asyncio.to_thread(_bytes_in, self.path) + self._writing

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
        mail = self._trace(session, envelope) + envelope.content
        said = "250 OK" if await self._keep(mail) else "452 insufficient system storage"
        server.release()
        return said

    async def _keep(self, mail: bytes) -> bool:
        if not await self._has_room(len(mail)):
            self.refused += 1
            return False
        # Taken before it is written: meanwhile others ask for room.
        self._bytes += len(mail)
        self._writing += len(mail)
        try:
            await asyncio.to_thread(self.folder.add, mail)
        except OSError:
            self._bytes -= len(mail)
            self.refused += 1
            return False
        finally:
            self._writing -= len(mail)
        self.kept += 1
        return True

    async def _has_room(self, size: int) -> bool:
        if self._bytes + size > self.most_bytes and time.monotonic() - self._counted > _RECOUNT:
            with suppress(OSError):  # the Maildir was taken away: writing will tell
                await self.count()
        return self._bytes + size <= self.most_bytes

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


def _bytes_in(maildir: Path) -> int:
    total = 0
    for name in ("new", "cur"):
        with os.scandir(maildir / name) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # somebody takes mails away meanwhile
                    total += entry.stat(follow_symlinks=False).st_size
    return total


@dataclass(slots=True)
class _Memory:
    """What all sessions keep in memory of mails that are not whole yet."""

    taken: int = 0


class _Weighed(asyncio.Protocol):
    """What aiosmtpd lacks: a session that takes too much memory is cut off.

    It keeps a mail as a list of lines, in which an empty one takes 56 octets (CPython 3.11), and a
    line without an end as it comes (1.4.6).
    """

    def __init__(self, memory: _Memory, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._memory, self._weight = memory, 0
        self.has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set the session its end."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a server's connection
        self._end = asyncio.get_running_loop().call_later(LONGEST, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Weigh what comes."""
        weight = len(data) + _LINE * data.count(b"\n")
        self._weight += weight
        self._memory.taken += weight
        if self._weight > MAX_WEIGHT or self._memory.taken > MAX_MEMORY:
            self.cut_off()
        else:
            super().data_received(data)

    def cut_off(self) -> None:
        """End the session, whatever its bot is about."""
        transport: asyncio.Transport | None = self.transport  # type: ignore[attr-defined]  # aiosmtpd's
        if transport is not None:
            transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Give the memory back."""
        self.has_ended = True
        self._end.cancel()
        self.release()
        super().connection_lost(error)

    def release(self) -> None:
        """Give the memory of a mail back that was kept or refused."""
        self._memory.taken -= self._weight
        self._weight = 0


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
        most_bytes: of all mails in the Maildir together.

    Raises:
        InputError: aiosmtpd is not installed, the Maildir cannot be written, or the port is taken.
    """
    session_type = _session_type()
    try:
        maildir = _open_maildir(folder)
        handler = SinkHandler(folder, maildir, name, most_bytes)
        await handler.count()
    except OSError as error:
        raise InputError(f"cannot write the Maildir {folder}: {error.strerror}") from error
    sessions = WeakSet[Any]()
    try:
        server = await asyncio.get_running_loop().create_server(
            _factory(session_type, sessions, handler, name), address, port, backlog=MAX_SESSIONS
        )
    except OSError as error:
        raise InputError(f"cannot listen on port {port}: {error.strerror}") from error
    async with server:
        try:
            yield handler
        finally:
            for one in sessions:
                one.cut_off()


def _factory(
    session_type: type[Any], sessions: WeakSet[Any], handler: SinkHandler, name: str
) -> Callable[[], asyncio.Protocol]:
    """Return what makes the protocol of each connection: a session, as long as there is room."""
    memory = _Memory()

    def session() -> asyncio.Protocol:
        if sum(not one.has_ended for one in sessions) >= MAX_SESSIONS:
            return _Full()
        one: asyncio.Protocol = session_type(
            memory,
            handler,
            hostname=name,
            ident="ESMTP",
            data_size_limit=MAX_MAIL,
            timeout=SILENCE,
            enable_SMTPUTF8=True,
        )
        sessions.add(one)
        return one

    return session


def _open_maildir(folder: Path) -> mailbox.Maildir:
    """Make what is missing; the library leaves a folder that is there, but empty, as it is."""
    for path in (folder, folder / "tmp", folder / "new", folder / "cur"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return mailbox.Maildir(folder, create=False)


def _token(text: str) -> str:
    """Cut a name of the bot's to one that ends no line and no field."""
    kept = visible(text)[:255]
    return "".join(each for each in kept if each.isascii() and each not in "<>()[]; \t")


def _session_type() -> Any:
    try:
        from aiosmtpd.smtp import SMTP  # noqa: PLC0415  # optional
    except ImportError as error:
        raise InputError("the sink needs the package aiosmtpd: install botprobe[sink]") from error
    return type("Session", (_Weighed, SMTP), {})
