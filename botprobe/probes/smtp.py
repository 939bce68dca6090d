"""SMTP probe: does the host speak SMTP on port 25, and what does it say of itself?

One polite session per run (RFC 5321): connect, wait for the greeting, say EHLO with our own name,
say QUIT. Nothing is said before the greeting (postscreen and greet_pause take that for a bot);
there is no fallback to HELO, no TLS, no authentication, and no message is offered.

The session itself is aiosmtplib's, which bounds a line at 8 KiB and a reply at 32 KiB; the clock
and the number of pieces are bounded here.
"""

import asyncio
import errno
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from aiosmtplib import SMTP, SMTPConnectResponseError, SMTPException, SMTPResponseException

from botprobe.errors import ConfigError, ParseError, ProbeUnavailable
from botprobe.model.heloname import is_helo_name
from botprobe.model.mail import IpAddress
from botprobe.model.results import PortState, Reply, SmtpResult
from botprobe.model.target import Target
from botprobe.probes.base import Permission

# RFC 5321, section 4.5.3.1.5: a reply line has at most 512 octets.
MAX_LINE = 512
# No limit in the RFC; an honest EHLO reply has about ten lines.
MAX_LINES = 100
# aiosmtplib reads a reply again from its beginning with each piece that arrives: 6,500 pieces of
# five bytes took 11 seconds of processor time, 500 take a twentieth of one. A tarpit that sends a
# letter a second needs fewer than the session has seconds.
MAX_PIECES = 500

# socket(7): to close then resets the connection, and leaves nothing to be answered for.
_RESET = struct.pack("ii", 1, 0)

# Seconds. Nothing is learnt from the answer to QUIT.
QUIT_TIMEOUT = 5

# What a router, a firewall or silence on the way makes of a connect. ICMP and ICMPv6 errors arrive
# as these (net/ipv4/icmp.c, net/ipv6/icmp.c of Linux); a route that we lack was ruled out before.
_FILTERED = frozenset(
    {
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EACCES,
    }
)


def port_state(error: OSError) -> PortState:
    """Say what a failed connect tells about the port.

    Raises:
        ProbeUnavailable: it failed for a reason of our own.
    """
    match error:
        case ConnectionRefusedError():
            return PortState.CLOSED
        case TimeoutError():
            return PortState.FILTERED
        case OSError(errno=number) if number in _FILTERED:
            return PortState.FILTERED
        case _:
            raise ProbeUnavailable(f"cannot connect: {error.strerror or error}") from error


def read_reply(code: int, message: str) -> Reply:
    """Make a reply of what aiosmtplib read, cut to what an honest server sends.

    Bytes that are not UTF-8 become visible escapes, so that a reply can be stored and shown.

    Raises:
        ParseError: the code is not one of SMTP's (RFC 5321, section 4.2.1).
    """
    raw = message.encode("utf-8", "surrogateescape")
    if not 200 <= code <= 599:
        raise ParseError(f"reply code {code}", raw)
    lines = raw.decode("utf-8", "backslashreplace").split("\n", MAX_LINES)[:MAX_LINES]
    return Reply(code, tuple(line[:MAX_LINE] for line in lines))


def why_it_broke(error: Exception, awaited: str) -> str:
    """Say in a clause how a session ended while ``awaited`` was due."""
    match error:
        case TimeoutError():
            return f"no {awaited} in time"
        case SMTPResponseException(message=str(text)) | ParseError(args=(str(text),)):
            return f"the {awaited} is not SMTP: {text[:MAX_LINE]}"
        case _:
            return f"hung up before the {awaited}"


class BoundedSocket(socket.socket):
    """A connection that ends itself when the peer's words come in too many pieces."""

    pieces = 0

    @property
    def exhausted(self) -> bool:
        """Whether it ended itself."""
        return self.pieces > MAX_PIECES

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive the next piece.

        Raises:
            ConnectionAbortedError: it is one too many.
        """
        self.pieces += 1
        if self.exhausted:
            raise ConnectionAbortedError(errno.ECONNABORTED, "too many pieces")
        return super().recv(size, flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpProbe:
    """Opens one SMTP session with the target."""

    permission: Permission
    helo_name: str
    """Our own host name, as EHLO has to give it."""
    port: int = 25
    connect_timeout: float = 10
    """Seconds."""
    greeting_timeout: float = 60
    """Seconds; Sendmail's greet_pause and postscreen are 5 to 20 s, and stack."""
    session_timeout: float = 90
    """Seconds from the open connection to the end, whatever the host does."""

    def __post_init__(self) -> None:
        if not is_helo_name(self.helo_name):
            raise ConfigError(f"not a host name to introduce ourselves by: {self.helo_name!r}")

    async def run(self, target: Target) -> SmtpResult:
        """Connect, wait for the greeting, introduce ourselves, and say goodbye.

        Raises:
            ProbeUnavailable: we have no way to the host (no route, no socket, forbidden).
            RefusedByScope: the target must not be asked.
        """
        try:
            connection = await self._connect(target.address)
        except ConnectionResetError as error:
            return SmtpResult(port=PortState.OPEN, broke=why_it_broke(error, "greeting"))
        except OSError as error:
            return SmtpResult(port=port_state(error))
        client = SMTP(
            sock=connection,
            local_hostname=self.helo_name,
            start_tls=False,
            timeout=self.greeting_timeout,
        )
        try:
            return await self._talk(client, connection)
        except asyncio.CancelledError:
            # Whoever opted out is to hear nothing more, and the kernel would answer each word.
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            raise
        finally:
            client.close()

    async def _connect(self, address: IpAddress) -> BoundedSocket:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        connection = _open_socket(family, socket.SOCK_STREAM)
        try:
            self.permission.require(address)
            _require_route(family, (str(address), self.port))
            async with asyncio.timeout(self.connect_timeout):
                loop = asyncio.get_running_loop()
                await loop.sock_connect(connection, (str(address), self.port))
        except BaseException:
            connection.close()
            raise
        return connection

    async def _talk(self, client: SMTP, connection: BoundedSocket) -> SmtpResult:
        seen = SmtpResult(port=PortState.OPEN)
        opened = time.monotonic()
        # A host may break off at any point: what it said so far still counts.
        try:
            async with asyncio.timeout(self.session_timeout):
                greeting = await _read_greeting(client)
                seen = replace(seen, greeting=greeting, greeting_seconds=time.monotonic() - opened)
                if greeting.code == 220:
                    ehlo = await client.execute_command(b"EHLO", self.helo_name.encode("ascii"))
                    seen = replace(seen, ehlo=read_reply(*ehlo))
                    with suppress(SMTPException):
                        await client.quit(timeout=QUIT_TIMEOUT)
        except (SMTPException, OSError, ParseError) as error:
            awaited = "greeting" if seen.greeting is None else "reply to EHLO"
            endless = f"the {awaited} came in too many pieces" if connection.exhausted else None
            if seen.ehlo is None:
                seen = replace(seen, broke=endless or why_it_broke(error, awaited))
        return seen


async def _read_greeting(client: SMTP) -> Reply:
    try:
        return read_reply(*await client.connect())
    except SMTPConnectResponseError as refusal:
        return read_reply(refusal.code, refusal.message)


def _open_socket(family: socket.AddressFamily, kind: socket.SocketKind) -> BoundedSocket:
    try:
        return BoundedSocket(family, kind | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise ProbeUnavailable(f"cannot open a socket: {error.strerror}") from error


def _require_route(family: socket.AddressFamily, peer: tuple[str, int]) -> None:
    """Tell a route that we lack from one that a router on the way lacks: both say ENETUNREACH.

    Connecting a UDP socket looks the route up and sends nothing.
    """
    with _open_socket(family, socket.SOCK_DGRAM) as finder:
        try:
            finder.connect(peer)
        except OSError as error:
            raise ProbeUnavailable(f"no route to {peer[0]}: {error.strerror}") from error
