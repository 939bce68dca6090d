"""The laboratory as a whole: it works, it is tight, and nothing of it stays."""

import json
import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.lab import namespace
from tests.lab.namespace import LabError
from tests.lab.runner import ROOT, lab_command, run_in_lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(90)]

_PEOPLE = """
[[host]]
name = "real"
addresses = ["198.18.4.25", "2001:db8:4::25"]
real = "postfix"
ptr = "mx.example"
forward = true
mx = ["example"]

[[host]]
name = "played"
addresses = ["198.18.10.1", "2001:db8:10::1"]
ping = true
open = [25]
hops = 3
ptr = "played.example"
dnsbl = ["127.0.0.4"]
"""

_GREET = """
import socket, sys
for address in sys.argv[1:]:
    try:
        with socket.create_connection((address, 25), timeout=2) as server:
            print(server.recv(200).decode().strip())
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.fixture
def people(tmp_path: Path) -> str:
    """A small population."""
    path = tmp_path / "people.toml"
    path.write_text(_PEOPLE)
    return str(path)


class TestHosts:
    @pytest.mark.parametrize("link", [[], ["--veth"]])
    def test_real_and_played_servers_greet(self, people: str, link: list[str]) -> None:
        """Both speak SMTP, over IPv4 and IPv6, by TUN device and by veth cable."""
        addresses = ("198.18.4.25", "2001:db8:4::25", "198.18.10.1", "2001:db8:10::1")

        done = run_in_lab(
            "python", "-c", _GREET, *addresses, options=["--population", people, *link]
        )

        real, played = "220 mx.example ESMTP Postfix", "220 played.example ESMTP Postfix"
        assert done.stdout.splitlines() == [real, real, played, played]

    def test_port_25_blocked_on_the_way_out(self, people: str) -> None:
        """Nobody answers on 25 any more, and nobody refuses."""
        options = ["--population", people, "--block-25"]

        done = run_in_lab("python", "-c", _GREET, "198.18.4.25", "198.18.10.1", options=options)

        assert done.stdout.split() == ["TimeoutError", "TimeoutError"]

    def test_dns(self, people: str) -> None:
        """The system's resolver asks the laboratory's server: PTR, A, MX, block list."""
        program = """
import dns.resolver as dns
print(dns.resolve_address("198.18.10.1")[0], dns.resolve("mx.example", "AAAA")[0])
print(dns.resolve("example", "MX")[0], dns.resolve("1.10.18.198.dnsbl.example", "A")[0])
print(dns.resolve("2.0.0.127.dnsbl.example", "A")[0])
try:
    dns.resolve("1.0.0.127.dnsbl.example", "A")
except dns.NXDOMAIN:
    print("not listed")
"""
        done = run_in_lab("python", "-c", program, options=["--population", people])

        assert done.stdout.splitlines() == [
            "played.example. 2001:db8:4::25",
            "10 mx.example. 127.0.0.4",
            "127.0.0.2",
            "not listed",
        ]

    def test_ping_sockets_can_be_closed(self, people: str) -> None:
        """An unprivileged user may ping, unless told otherwise; raw sockets he never gets."""
        program = """
import socket
for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
    try:
        socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP)
        print("allowed")
    except PermissionError:
        print("denied")
"""
        options = ["--population", people, "--as-user"]

        usual = run_in_lab("python", "-c", program, options=options)
        closed = run_in_lab("python", "-c", program, options=[*options, "--no-ping"])

        assert usual.stdout.split() == ["allowed", "denied"]
        assert closed.stdout.split() == ["denied", "denied"]

    def test_the_wire_is_counted(self, people: str, tmp_path: Path) -> None:
        """Exactly the addresses and ports that were touched are in the account."""
        wire = tmp_path / "wire.json"
        program = _GREET + "socket.create_connection(('198.19.0.53', 53)).close()"
        options = ["--population", people, "--wire", str(wire)]

        run_in_lab("python", "-c", program, "198.18.10.1", "198.18.4.25", options=options)

        counted = json.loads(wire.read_text())
        assert {address: list(ports) for address, ports in counted.items()} == {
            "198.18.10.1": ["tcp/25"],
            "198.18.4.25": ["tcp/25"],
            "198.19.0.53": ["tcp/53"],
        }

    def test_nmap_recognises_random_systems(self) -> None:
        """Real nmap finds the entry of its own database that a host plays: 40 hosts."""
        hosts = ["--random", "40", "--seed", "5"]

        done = run_in_lab(
            *("python", "-m", "tests.lab.osaccuracy", *hosts),
            options=["--population", "/dev/null", *hosts],
        )

        assert done.returncode == 0, done.stdout + done.stderr


class TestTightness:
    def test_no_packet_gets_out(self, people: str) -> None:
        """The outer side sees nothing of what happens inside."""
        done = run_in_lab(
            *("python", "-c", _GREET, "198.18.10.1", "198.18.99.99", "2001:db8:99::1"),
            options=["--population", people, "--outside"],
        )

        assert "0 packets outside" in done.stderr

    def test_the_watch_does_see(self, people: str) -> None:
        """The capture that finds nothing outside does find the same packets inside."""
        program = """
import socket
from tests.lab.outside import OutsideWatch
with OutsideWatch() as watch:
    for address in ("127.0.0.1", "198.18.99.99", "2001:db8:99::1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", (address, 9))
        print(watch.count())
"""
        done = run_in_lab("python", "-c", program, options=["--population", people])

        assert done.stdout.split() == ["0", "1", "1"]

    def test_outside_it_is_not_the_laboratory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither without the marker nor with a marker alone does anything count as inside."""
        monkeypatch.delenv(namespace.MARKER, raising=False)
        with pytest.raises(LabError, match="not inside the laboratory"):
            namespace.require_lab()
        monkeypatch.setenv(namespace.MARKER, "1")
        with pytest.raises(LabError, match="not inside the laboratory"):
            namespace.require_lab()

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ("route add default via 198.18.0.2", "0.0.0.0/0 is routed"),
            ("route add 203.0.113.0/24 via 198.18.0.2", "203.0.113.0/24 is routed"),
            ("-6 route add default via 2001:db8::2", "::/0 is routed"),
            ("link add stranger type veth peer name other", None),
        ],
    )
    def test_a_way_out_is_noticed(self, people: str, change: str, complaint: str | None) -> None:
        """Any route beyond the ranges is refused; an interface that is down is harmless."""
        program = f"""
import subprocess
from tests.lab import namespace
namespace.require_lab()
subprocess.run(["ip", *{change.split()!r}], check=True)
try:
    namespace.require_lab()
    print("closed")
except namespace.LabError as error:
    print(error)
"""
        done = run_in_lab("python", "-c", program, options=["--population", people])

        assert (complaint or "closed") in done.stdout

    def test_the_resolver_of_the_system_is_not_touched(self, people: str) -> None:
        """resolv.conf changes inside only, and the sockets of daemons are out of reach."""
        before = Path("/etc/resolv.conf").read_bytes()
        program = "cat /etc/resolv.conf; ls /run"

        done = run_in_lab("sh", "-c", program, options=["--population", people])

        assert done.stdout.split()[:2] == ["nameserver", "198.19.0.53"]
        assert set(done.stdout.split()[2:]) <= {namespace.LINK, "mount"}
        assert Path("/etc/resolv.conf").read_bytes() == before


class TestLife:
    @pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", 137)])
    def test_the_exit_code_is_the_command_s(self, people: str, script: str, code: int) -> None:
        """Whoever calls the laboratory learns how the command ended."""
        done = run_in_lab("sh", "-c", script, options=["--population", people])

        assert done.returncode == code

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            (["--population", "/nonexistent"], "/nonexistent: No such file"),
            (["--random", "-1"], "cannot draw -1 hosts"),
        ],
    )
    def test_mistakes_get_one_line(self, options: list[str], complaint: str) -> None:
        """No traceback, exit code 1."""
        done = run_in_lab("true", options=options)

        assert complaint in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.returncode == 1

    def test_nothing_survives_a_kill(self, people: str) -> None:
        """When the first process is killed outright, all others end with it."""
        command = lab_command(["sh", "-c", "echo up; cat"], "--population", people)
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as lab:
            assert lab.stdout is not None
            assert lab.stdout.readline() == b"up\n"
            family = [os.pidfd_open(pid) for pid in _descendants(lab.pid)]
            lab.kill()

            assert len(family) > 5
            for process in family:
                assert select.select([process], [], [], 5)[0], "a process outlived the laboratory"
                os.close(process)

    def test_an_interrupt_is_for_the_command(self, people: str, tmp_path: Path) -> None:
        """Ctrl-C ends the command; the laboratory then ends in good order, with its account."""
        wire = tmp_path / "wire.json"
        options = ["--population", people, "--wire", str(wire)]
        with subprocess.Popen(
            lab_command(["sh", "-c", "echo up; exec sleep 60"], *options),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as lab:
            assert lab.stdout is not None
            assert lab.stdout.readline() == b"up\n"

            os.killpg(lab.pid, signal.SIGINT)

            assert lab.wait(timeout=10) == 128 + signal.SIGINT
            assert json.loads(wire.read_text()) == {}


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for child in children for one in (int(child), *_descendants(int(child)))]


class TestUser:
    def test_without_root_the_mail_server_is_played(self, people: str) -> None:
        """In a user's own namespaces everything works but Postfix, which says so."""
        options = ["--population", people]
        command = lab_command(["python3", "-c", _GREET, "198.18.4.25", "198.18.10.1"], *options)

        done = subprocess.run(
            ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--", *command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert "no Postfix without root" in done.stderr
        assert [line[:4] for line in done.stdout.splitlines()] == ["220 ", "220 "]
