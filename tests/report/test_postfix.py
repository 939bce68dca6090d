"""A report handed to a real Postfix on loopback, which holds every mail and delivers none."""

import base64
import os
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from botprobe.errors import DeliveryError
from botprobe.report.digest import MailServer, report_mail, send_mail
from tests.lab.servers import _POSTFIX_PROGRAMS, _make_queue, postfix_is_possible
from tests.report.certificate import self_signed
from tests.report.study import study_report

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(90),
    pytest.mark.skipif(not postfix_is_possible(), reason="Postfix needs to change its user"),
]

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
inet_interfaces = 127.0.0.1
myhostname = mx.test
mydestination = trap.example
mynetworks =
alias_maps =
alias_database =
local_recipient_maps = inline:{{boss=x}}
local_transport = local
default_transport = discard:nothing is delivered
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_data_restrictions = check_client_access static:HOLD
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {directory}/cert.pem
smtpd_tls_key_file = {directory}/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {directory}/auth
"""
# Whoever logs in may mail to anybody: without a login the recipient is refused.
OUTSIDE = "abuse@elsewhere.example"
LOGIN, PASSWORD = "reporter", "s3cret with spaces"
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
error unix - - n - - error
discard unix - - n - - discard
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running one."""

    directory: Path
    port: int

    def server(self, ca_file: Path | None, password: str | None = None) -> MailServer:
        """Return how it is reached; a password goes by way of its file."""
        file = self.directory / "password"
        file.write_text(f"{password}\n", "utf-8")
        return MailServer(
            username=None if password is None else LOGIN,
            password_file=None if password is None else str(file),
            host="127.0.0.1",
            port=self.port,
            security="starttls",
            ca_file=str(ca_file) if ca_file else None,
        )

    @property
    def certificate(self) -> Path:
        """The certificate that proves its name."""
        return self.directory / "cert.pem"

    def held(self) -> list[bytes]:
        """Return the mails that it holds."""
        names = sorted(path.name for path in (self.directory / "queue/hold").iterdir())
        command = ["postcat", "-c", str(self.directory), "-bhq"]
        return [
            subprocess.run([*command, name], capture_output=True, timeout=20, check=True).stdout
            for name in names
        ]


class _Logins(socketserver.StreamRequestHandler):
    """Answers as Dovecot's authentication service, for one name and one password.

    Postfix asks it by Dovecot's authentication protocol, version 1.1.
    """

    def handle(self) -> None:
        """Say what there is to choose from, then yes or no to each attempt."""
        self.wfile.write(
            b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n"
            b"COOKIE\t00000000000000000000000000000000\nDONE\n"
        )
        right = base64.b64encode(f"\0{LOGIN}\0{PASSWORD}".encode()).decode()
        for line in self.rfile:
            command, *parts = line.decode().rstrip("\n").split("\t")
            if command == "AUTH":
                known = f"resp={right}" in parts
                answer = f"OK\t{parts[0]}\tuser={LOGIN}" if known else f"FAIL\t{parts[0]}"
                self.wfile.write(f"{answer}\n".encode())


@contextmanager
def _authentication(path: Path) -> Iterator[None]:
    with socketserver.ThreadingUnixStreamServer(str(path), _Logins) as server:
        server.daemon_threads = True
        path.chmod(0o666)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(10)


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    """A Postfix of its own directories that insists on TLS."""
    # Not below tmp_path: each run of pytest closes the folders of all runs to other users.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        port = _configure(folder)
        with _authentication(folder / "auth"), _running(folder, port):
            try:
                yield Postfix(folder, port)
            finally:
                log = folder / "log"
                print(
                    log.read_text("utf-8", "replace") if log.exists() else "Postfix logged nothing"
                )


def _configure(folder: Path) -> int:
    """Write all that it reads, and return the port that it is to listen at."""
    _make_queue(folder)
    self_signed(folder)
    with socket.socket() as free:  # chosen late: the key takes a while, and others take ports, too
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "main.cf").write_text(MAIN_CF.format(directory=folder))
    (folder / "master.cf").write_text(MASTER_CF.format(port=port))
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))  # Postfix waits 2 s lest somebody is still writing
    return int(port)


@contextmanager
def _running(directory: Path, port: int) -> Iterator[None]:
    with (directory / "said").open("wb") as said:
        master = subprocess.Popen(
            [str(_POSTFIX_PROGRAMS / "master"), "-c", str(directory), "-d"],
            stdout=said,
            stderr=said,
        )
    try:
        deadline = time.monotonic() + 20
        while not _listens(port):
            assert master.poll() is None, (directory / "said").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        master.terminate()
        master.wait(10)


async def test_a_real_server_takes_the_report(postfix: Postfix) -> None:
    """By STARTTLS with a verified certificate the whole mail arrives."""
    message = report_mail(study_report(), "trap@trap.example", ["boss@trap.example"])

    refused = await send_mail(message, postfix.server(postfix.certificate))

    [held] = postfix.held()
    arrived = message_from_bytes(held, policy=policy.default)
    assert refused == ()
    assert arrived["Subject"] == message["Subject"]
    assert "with ESMTPS" in arrived["Received"]
    kinds = [part.get_content_type() for part in arrived.walk()]
    assert kinds == [part.get_content_type() for part in message.walk()]


async def test_a_refused_recipient_is_named(postfix: Postfix) -> None:
    """Postfix knows boss and no other."""
    recipients = ["boss@trap.example", "nobody@trap.example"]
    message = report_mail(study_report(), "trap@trap.example", recipients)

    [refused] = await send_mail(message, postfix.server(postfix.certificate))

    assert refused.startswith("nobody@trap.example refused: ")
    assert len(postfix.held()) == 1


async def test_nobody_known(postfix: Postfix) -> None:
    """If every recipient is refused, each stands in the complaint with the server's words."""
    message = report_mail(study_report(), "trap@trap.example", ["nobody@trap.example"])

    with pytest.raises(DeliveryError, match=r"took no mail: nobody@trap\.example refused: "):
        await send_mail(message, postfix.server(postfix.certificate))


async def test_an_unknown_certificate_gets_nothing(postfix: Postfix) -> None:
    """Who cannot prove its name is told nothing, and the operator in one line why."""
    message = report_mail(study_report(), "trap@trap.example", ["boss@trap.example"])

    with pytest.raises(DeliveryError, match="certificate"):
        await send_mail(message, postfix.server(None))

    assert postfix.held() == []


async def test_who_logs_in_may_mail_to_others(postfix: Postfix) -> None:
    """With the right password the server relays; without one it says so in its own words."""
    message = report_mail(study_report(), "trap@trap.example", [OUTSIDE])

    with pytest.raises(DeliveryError, match=r"abuse@elsewhere\.example refused: .*denied"):
        await send_mail(message, postfix.server(postfix.certificate))
    refused = await send_mail(message, postfix.server(postfix.certificate, PASSWORD))

    [held] = postfix.held()
    assert refused == ()
    assert "with ESMTPSA" in message_from_bytes(held, policy=policy.default)["Received"]


async def test_a_wrong_password_is_said_in_one_line(postfix: Postfix) -> None:
    """Nothing is handed over, and the line names the server but not the password."""
    message = report_mail(study_report(), "trap@trap.example", ["boss@trap.example"])

    with pytest.raises(DeliveryError, match=r"took no mail: .*authentication failed") as failure:
        await send_mail(message, postfix.server(postfix.certificate, "wr0ng"))

    assert "wr0ng" not in str(failure.value)
    assert "\n" not in str(failure.value)
    assert postfix.held() == []
