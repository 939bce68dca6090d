"""Reports by mail: their parts, and what happens at a server."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from botprobe.errors import ConfigError, DeliveryError, InputError
from botprobe.report.digest import MailServer, report_mail, send_mail
from botprobe.report.weekly import WeeklyReport
from tests.report.certificate import self_signed
from tests.report.study import study_report


@pytest.fixture
def study() -> WeeklyReport:
    """The report of the study."""
    return study_report()


@pytest.fixture
def message(study: WeeklyReport) -> EmailMessage:
    """Its mail."""
    return report_mail(study, "trap@trap.example", ["boss@trap.example", "hand@trap.example"])


@dataclass
class FakeServer:
    """A mail server on loopback that writes down what it hears."""

    refuses: str = ""
    """The recipient that it does not know."""
    heard: list[str] = field(default_factory=list)
    data: bytes = b""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one session, to its end."""
        try:
            writer.write(b"220 mx.test ESMTP\r\n")
            while line := (await reader.readline()).decode().strip():
                self.heard.append(line)
                if line == "DATA":
                    writer.write(b"354 go on\r\n")
                    self.data = await reader.readuntil(b"\r\n.\r\n")
                writer.write(self.reply(line))
        finally:
            writer.close()
            self.ended.set()

    def reply(self, line: str) -> bytes:
        """Answer a command."""
        match line.split(maxsplit=1)[0].upper():
            case "EHLO":
                return b"250-mx.test\r\n250 AUTH PLAIN LOGIN\r\n"
            case "AUTH":
                return b"235 welcome\r\n"
            case "RCPT" if self.refuses and self.refuses in line:
                return b"550 no such user\r\n"
            case "QUIT":
                return b"221 bye\r\n"
            case _:
                return b"250 fine\r\n"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on a free port of loopback until a session has ended."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 22)
        async with server:
            yield server.sockets[0].getsockname()[1]
            await self.ended.wait()


def closed_without_goodbye(listener: socket.socket, context: ssl.SSLContext) -> bool:
    """Take a mail over TLS, leave the session open, and say whether the client hangs up."""
    accepted, _ = listener.accept()
    accepted.settimeout(5)
    fake = FakeServer()
    with context.wrap_socket(accepted, server_side=True) as secure:
        secure.sendall(b"220 mx.test ESMTP\r\n")
        with secure.makefile("rb") as lines:
            while (line := lines.readline()) != b"QUIT\r\n":
                if line == b"DATA\r\n":
                    secure.sendall(b"354 go on\r\n")
                    fake.data = b"".join(iter(lines.readline, b".\r\n"))
                secure.sendall(fake.reply(line.decode()))
        secure.sendall(fake.reply("QUIT"))
        bare = socket.socket(fileno=secure.detach())
    with bare:
        bare.settimeout(5)
        try:
            while bare.recv(4096):  # the client's half of the goodbye
                pass
        except TimeoutError:
            return False
    return bool(fake.data)


class TestParts:
    def test_text_html_pictures_and_page(self, message: EmailMessage) -> None:
        """Everybody can read it: plain text, HTML with PNG pictures, and the page attached."""
        kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]

        assert kinds[:2] == ["text/plain", "text/html"]
        assert set(kinds[2:-1]) == {"image/png"}
        assert kinds[-1] == "text/html"
        assert message["Auto-Submitted"] == "auto-generated"

    def test_each_picture_is_shown(self, message: EmailMessage) -> None:
        """Every picture of the mail is named by its HTML, and none is missing."""
        pictures = [part for part in message.walk() if part.get_content_type() == "image/png"]
        html = message.get_body(("html",))
        assert html is not None
        text = html.get_content()

        assert pictures
        assert text.count("cid:") == len(pictures)
        for picture in pictures:
            assert f"cid:{picture['Content-ID'].strip('<>')}" in text
            assert picture.get_content().startswith(b"\x89PNG")

    def test_text_holds_the_figure(self, message: EmailMessage) -> None:
        """Whoever reads plain text gets the same numbers."""
        body = message.get_body(("plain",))
        assert body is not None

        assert "Windows Server" in body.get_content()
        assert "44 hosts whose system was told" in body.get_content()

    @pytest.mark.parametrize("address", ["nobody", "a@b@c", "x@y.example\nBcc: z@y.example"])
    def test_a_recipient_is_an_address(self, study: WeeklyReport, address: str) -> None:
        """No recipient can smuggle in a header field."""
        with pytest.raises(InputError, match="not a mail address"):
            report_mail(study, "trap@trap.example", [address])

    def test_needs_a_sender(self, study: WeeklyReport) -> None:
        """Without mail.sender nothing is made up."""
        with pytest.raises(ConfigError, match=r"mail\.sender"):
            report_mail(study, None, ["boss@trap.example"])


class TestSending:
    async def test_arrives_as_it_was_written(self, message: EmailMessage) -> None:
        """The server gets both recipients and the whole mail."""
        fake = FakeServer()
        async with fake.listening() as port:
            refused = await send_mail(message, MailServer(host="127.0.0.1", port=port))

        assert refused == ()
        assert [line for line in fake.heard if line.startswith("RCPT")] == [
            "RCPT TO:<boss@trap.example>",
            "RCPT TO:<hand@trap.example>",
        ]
        arrived = message_from_bytes(fake.data.removesuffix(b".\r\n"), policy=policy.default)
        assert len(list(arrived.walk())) == len(list(message.walk()))

    async def test_says_who_was_refused(self, message: EmailMessage) -> None:
        """One unknown recipient does not hinder the others, and is named."""
        fake = FakeServer(refuses="hand@")
        async with fake.listening() as port:
            refused = await send_mail(message, MailServer(host="127.0.0.1", port=port))

        assert refused == ("hand@trap.example refused: no such user",)
        assert fake.data

    async def test_logs_in_with_the_password_of_the_file(
        self, message: EmailMessage, tmp_path: Path
    ) -> None:
        """Name and password go to the server, and only the file holds the password."""
        (tmp_path / "password").write_text("hunter2\n")
        fake = FakeServer()
        async with fake.listening() as port:
            server = MailServer(
                host="127.0.0.1",
                port=port,
                username="trap",
                password_file=str(tmp_path / "password"),
            )
            await send_mail(message, server)

        [login] = [line for line in fake.heard if line.startswith("AUTH PLAIN")]
        assert base64.b64decode(login.split()[-1]) == b"\0trap\0hunter2"

    async def test_starttls_is_insisted_on(self, message: EmailMessage) -> None:
        """A server that offers no STARTTLS gets no mail, if the operator wants it encrypted."""
        fake = FakeServer()
        async with fake.listening() as port:
            server = MailServer(host="127.0.0.1", port=port, security="starttls")
            with pytest.raises(DeliveryError, match="STARTTLS"):
                await send_mail(message, server)

        assert fake.data == b""

    async def test_does_not_wait_for_a_goodbye(self, message: EmailMessage, tmp_path: Path) -> None:
        """A server that keeps the TLS session open after QUIT leaves no connection behind."""
        certificate, key = self_signed(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            server = MailServer(
                host="127.0.0.1", port=port, security="tls", ca_file=str(certificate)
            )
            closed, _ = await asyncio.gather(
                asyncio.to_thread(closed_without_goodbye, listener, context),
                send_mail(message, server),
            )

        assert closed

    async def test_nobody_there(self, message: EmailMessage, free_port: int) -> None:
        """A closed port is one line, not a traceback."""
        with pytest.raises(DeliveryError, match=f"127.0.0.1:{free_port} took no mail"):
            await send_mail(message, MailServer(host="127.0.0.1", port=free_port))

    async def test_unreadable_files(self, message: EmailMessage, tmp_path: Path) -> None:
        """A wrong path of password or certificates is named as the setting that it is."""
        lost = str(tmp_path / "lost")
        with pytest.raises(ConfigError, match=r"mail\.password_file"):
            await send_mail(message, MailServer(host="127.0.0.1", password_file=lost))
        with pytest.raises(ConfigError, match=r"mail\.ca_file"):
            await send_mail(message, MailServer(host="127.0.0.1", security="tls", ca_file=lost))


@pytest.fixture
def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
