"""A report handed to a real Postfix on loopback, which holds every mail and delivers none."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from botprobe.errors import DeliveryError
from botprobe.report.digest import MailServer, report_mail, send_mail
from tests.lab.servers import _POSTFIX_PROGRAMS, _make_queue, postfix_is_possible
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
mynetworks = 127.0.0.1
alias_maps =
alias_database =
local_recipient_maps = inline:{{boss=x}}
local_transport = local
default_transport = error:nothing is delivered
smtpd_data_restrictions = check_client_access static:HOLD
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {directory}/cert.pem
smtpd_tls_key_file = {directory}/key.pem
"""
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
error unix - - n - - error
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

    def server(self, ca_file: Path | None) -> MailServer:
        """Return how it is reached."""
        return MailServer(
            host="127.0.0.1",
            port=self.port,
            security="starttls",
            ca_file=str(ca_file) if ca_file else None,
        )

    def held(self) -> list[bytes]:
        """Return the mails that it holds."""
        names = sorted(path.name for path in (self.directory / "queue/hold").iterdir())
        command = ["postcat", "-c", str(self.directory), "-bhq"]
        return [
            subprocess.run([*command, name], capture_output=True, timeout=20, check=True).stdout
            for name in names
        ]


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def postfix(tmp_path: Path) -> Iterator[Postfix]:
    """A Postfix of its own directories that insists on TLS."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _make_queue(tmp_path)
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ("-subj", "/CN=mx.test", "-addext", "subjectAltName=IP:127.0.0.1")
    openssl = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    subprocess.run(
        [*openssl, "-keyout", str(key), "-out", str(cert), *subject],
        capture_output=True,
        timeout=30,
        check=True,
    )
    (tmp_path / "main.cf").write_text(MAIN_CF.format(directory=tmp_path))
    (tmp_path / "master.cf").write_text(MASTER_CF.format(port=port))
    for name in ("main.cf", "master.cf"):
        os.utime(tmp_path / name, (0, 0))  # Postfix waits 2 s lest somebody is still writing
    master = subprocess.Popen(
        [str(_POSTFIX_PROGRAMS / "master"), "-c", str(tmp_path), "-d"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while not _listens(port):
            assert master.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Postfix(tmp_path, port)
    finally:
        master.terminate()
        master.wait(10)


async def test_a_real_server_takes_the_report(postfix: Postfix) -> None:
    """By STARTTLS with a verified certificate the whole mail arrives."""
    message = report_mail(study_report(), "trap@trap.example", ["boss@trap.example"])

    refused = await send_mail(message, postfix.server(postfix.directory / "cert.pem"))

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

    [refused] = await send_mail(message, postfix.server(postfix.directory / "cert.pem"))

    assert refused.startswith("nobody@trap.example refused: ")
    assert len(postfix.held()) == 1


async def test_nobody_known(postfix: Postfix) -> None:
    """If every recipient is refused, each stands in the complaint with the server's words."""
    message = report_mail(study_report(), "trap@trap.example", ["nobody@trap.example"])

    with pytest.raises(DeliveryError, match=r"took no mail: nobody@trap\.example refused: "):
        await send_mail(message, postfix.server(postfix.directory / "cert.pem"))


async def test_an_unknown_certificate_gets_nothing(postfix: Postfix) -> None:
    """Who cannot prove its name is told nothing, and the operator in one line why."""
    message = report_mail(study_report(), "trap@trap.example", ["boss@trap.example"])

    with pytest.raises(DeliveryError, match="certificate"):
        await send_mail(message, postfix.server(None))

    assert postfix.held() == []
