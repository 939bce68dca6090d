"""What an SMTP session did: envelope, names, counts; no word of a body is kept.

Read is the client's side (RFC 5321), byte by byte as it comes; of the server's, its greeting.
"""

import re
from dataclasses import dataclass

MAX_LINE = 1024
MAX_MAILS = 1000
MAX_RECIPIENTS = 50
# Of each mail; the fields are the spammer's own, and of interest because they are forged.
MAX_RECEIVED = 10

_PATH = re.compile(rb"(MAIL[ \t]+FROM|RCPT[ \t]+TO)[ \t]*:[ \t]*<?([^>\s]*)>?", re.IGNORECASE)
_HELLO = re.compile(rb"(?:HELO|EHLO|LHLO)[ \t]+(\S+)", re.IGNORECASE)
_COMMAND = re.compile(rb"(?:RSET|QUIT|NOOP)[ \t]*\Z|MAIL[ \t]+FROM[ \t]*:", re.IGNORECASE)


@dataclass(slots=True)
class SentMail:
    """One mail's envelope."""

    sender: str
    recipients: list[str]
    recipient_count: int = 0
    size: int = 0
    """Bytes of the message."""
    received: list[str] | None = None
    """The ``Received`` fields that the client wrote itself."""

    @property
    def domains(self) -> frozenset[str]:
        """The domains of the envelope."""
        paths = (self.sender, *self.recipients)
        return frozenset(path.rpartition("@")[2].lower() for path in paths if "@" in path)


class SmtpReader:
    """Follows the client of one session; feed it in order."""

    def __init__(self) -> None:
        """Begin before the first byte."""
        self.helo: str | None = None
        self.greeting: str | None = None
        self.mails: list[SentMail] = []
        self.more_mails = 0
        self.encrypted = False
        self.gaps = 0
        self._line = bytearray()
        self._greeting = bytearray()
        self._tls_asked = self._in_data = self._in_header = self._in_received = False

    @property
    def speaks(self) -> bool:
        """Whether anything of SMTP was seen."""
        return self.helo is not None or bool(self.mails)

    def client(self, data: bytes) -> None:
        """Take what the client sent next."""
        if self.encrypted:
            return
        if (self._tls_asked or not self.speaks) and not self._line and data[:2] == b"\x16\x03":
            self.encrypted = True
            return
        lines = (bytes(self._line) + data).split(b"\n")
        for line in lines[:-1]:
            self._take(line.rstrip(b"\r"), len(line) + 1)
        rest = lines[-1]
        if self._in_data and len(rest) > MAX_LINE and self.mails:
            self.mails[-1].size += len(rest) - MAX_LINE
        self._line = bytearray(rest[:MAX_LINE])

    def server(self, data: bytes) -> None:
        """Take what the server said next; only its first line is of interest."""
        if self.greeting is None:
            self._greeting += data[:MAX_LINE]
            line, end, _ = bytes(self._greeting).partition(b"\n")
            if end or len(line) >= MAX_LINE:
                self.greeting = line.rstrip(b"\r").decode("utf-8", "replace")[:200]

    def gap(self) -> None:
        """Bytes of the client are missing."""
        self.gaps += 1
        self._line.clear()

    def _take(self, line: bytes, size: int) -> None:
        if self._in_data and not (self._first_of_data and _COMMAND.match(line)):
            self._take_data(line, size)
        else:
            self._in_data = False
            self._take_command(line)

    @property
    def _first_of_data(self) -> bool:
        """A server may have refused DATA: then a command follows, where a mail has its header."""
        return not self.mails or self.mails[-1].size == 0

    def _take_command(self, line: bytes) -> None:
        if hello := _HELLO.match(line):
            self.helo = hello[1].decode("utf-8", "replace")[:255]
        elif path := _PATH.match(line):
            self._take_path(path[1][:1].upper(), path[2].decode("utf-8", "replace")[:320])
        elif line[:4].upper() == b"DATA":
            self._in_data = self._in_header = True
        elif line[:8].upper() == b"STARTTLS":
            self._tls_asked = True

    def _take_path(self, kind: bytes, path: str) -> None:
        if kind == b"M":
            if len(self.mails) >= MAX_MAILS:
                self.more_mails += 1
            else:
                self.mails.append(SentMail(path, []))
        elif self.mails:
            mail = self.mails[-1]
            mail.recipient_count += 1
            if len(mail.recipients) < MAX_RECIPIENTS:
                mail.recipients.append(path)

    def _take_data(self, line: bytes, size: int) -> None:
        if line == b".":
            self._in_data = self._in_header = self._in_received = False
            return
        if not self.mails:
            return
        mail = self.mails[-1]
        mail.size += size
        if self._in_header:
            self._take_header(mail, line)

    def _take_header(self, mail: SentMail, line: bytes) -> None:
        if not line:
            self._in_header = False
            return
        received = mail.received or []
        # Some tools write another field's name in front of it, on the same line.
        at = line.lower().find(b"received:")
        folded = line[:1] in b" \t"
        if folded and self._in_received and received:
            received[-1] = (received[-1] + " " + line.strip().decode("utf-8", "replace"))[:500]
        elif at >= 0 and not folded and (at == 0 or line[:at].rstrip().endswith(b":")):
            self._in_received = True
            if len(received) < MAX_RECEIVED:
                received.append(line[at + 9 :].strip().decode("utf-8", "replace")[:500])
        else:
            self._in_received = False
        mail.received = received
