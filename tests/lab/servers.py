"""The laboratory's real servers: NSD for DNS, Postfix for mail, on a Linux machine of its own.

The machine is a second network namespace behind a veth cable. The servers have configurations and
queues of their own in the laboratory's temporary file system; those of the system are not touched.
They need no clean-up: they end with the laboratory's process namespace.
Nothing is ever delivered: Postfix accepts no recipient, and knows no transport but ``error``.
"""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from tests.lab import namespace, zones
from tests.lab.namespace import MAIL_LINK, LabError, Namespace
from tests.lab.population import Host, Population

NEAR, FAR = "198.19.255.1", "198.19.255.2"
NEAR_6, FAR_6 = "2001:db8:ffff::1", "2001:db8:ffff::2"

_FAR_LINK = "lab-mail-far"
_START_TIMEOUT = 10.0

_POSTFIX_PROGRAMS = Path("/usr/lib/postfix/sbin")
# What Postfix demands of its queue: directory, group, mode.
_QUEUE: tuple[tuple[str, str, int], ...] = (
    *(
        (name, "root", 0o700)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush")
    ),
    *((name, "root", 0o700) for name in ("hold", "incoming", "private", "saved", "trace")),
    ("maildrop", "postdrop", 0o1730),
    ("public", "postdrop", 0o710),
)
_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
inet_interfaces = {addresses}
myhostname = {name}
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:no delivery in the laboratory
default_transport = error:no delivery in the laboratory
smtpd_relay_restrictions = reject
smtpd_tls_security_level = none
smtpd_client_connection_count_limit = 0
"""
_MASTER_CF = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_NSD_CONF = """\
server:
    ip-address: {address}
    username: ""
    zonesdir: "{directory}"
    database: ""
    pidfile: ""
    logfile: "{directory}/log"
    xfrdfile: "{directory}/xfrd"
    xfrdir: "{directory}"
    zonelistfile: "{directory}/zones"
    server-count: 1
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: root.zone
zone:
    name: "{dnsbl_zone}"
    zonefile: dnsbl.zone
"""


def postfix_is_possible() -> bool:
    """Say whether Postfix is installed and may change its user, as it does for safety."""
    try:
        uid = pwd.getpwnam("postfix").pw_uid
        grp.getgrnam("postdrop")
    except KeyError:
        return False
    mapped = Path("/proc/self/uid_map").read_text("ascii").split()
    whole = int(mapped[0]) <= uid < int(mapped[0]) + int(mapped[2])
    return whole and (_POSTFIX_PROGRAMS / "master").exists()


@dataclass(frozen=True, slots=True)
class MailMachine:
    """The second machine."""

    there: Namespace
    directory: Path
    """Of the laboratory, for what the servers write."""

    @classmethod
    def build(cls, directory: Path) -> "MailMachine":
        """Make the machine and its cable."""
        there = namespace.new_namespace()
        namespace.connect(MAIL_LINK, _FAR_LINK, there)
        for place, link, address, address_6 in (
            (Namespace(), MAIL_LINK, NEAR, NEAR_6),
            (there, _FAR_LINK, FAR, FAR_6),
        ):
            place.ip(
                f"link set {link} addrgenmode none",
                f"link set {link} up",
                f"address add {address}/30 dev {link}",
                f"address add {address_6}/126 dev {link} nodad",
            )
        there.ip("link set lo up")
        return cls(there, directory)

    def own(self, addresses: Sequence[IPv4Address | IPv6Address]) -> None:
        """Give the machine more addresses, and let the scanner find them."""
        self.there.ip(*(f"address add {address} dev lo" for address in addresses))
        Namespace().ip(
            *(f"route add {one} via {FAR if one.version == 4 else FAR_6}" for one in addresses)
        )

    def block_25(self) -> None:
        """Drop what comes in for port 25, before even the machine's own addresses are looked up."""
        for family in ("-4", "-6"):
            namespace.run(
                *self.there.enter("ip", family, "rule", "add", "pref", "10"),
                *("ipproto", "tcp", "dport", "25", "blackhole"),
            )
            namespace.run(
                *self.there.enter("ip", family, "rule", "add", "pref", "20", "lookup", "local")
            )
            namespace.run(*self.there.enter("ip", family, "rule", "delete", "pref", "0"))

    def serve_dns(self, population: Population) -> None:
        """Start NSD with the population's zones, and wait until it answers."""
        directory = self.directory / "nsd"
        directory.mkdir()
        address = population.settings.dns
        (directory / "root.zone").write_text(zones.root_zone(population), "ascii")
        (directory / "dnsbl.zone").write_text(zones.block_list_zone(population), "ascii")
        configuration = directory / "nsd.conf"
        configuration.write_text(
            _NSD_CONF.format(
                address=address, directory=directory, dnsbl_zone=population.settings.dnsbl_zone
            ),
            "ascii",
        )
        command = [_program("nsd"), "-d", "-c", str(configuration)]
        self._start(command, directory / "log", lambda: _answers(address))

    def serve_mail(self, hosts: Sequence[Host]) -> None:
        """Start Postfix with a greeting of its own on each host's addresses."""
        directory = self.directory / "postfix"
        _make_queue(directory)
        listeners = {
            f"[{address}]" if address.version == 6 else str(address): host.ptr or host.name
            for host in hosts
            for address in host.addresses
        }
        (directory / "main.cf").write_text(
            _MAIN_CF.format(
                directory=directory,
                addresses=", ".join(listeners),
                name=hosts[0].ptr or hosts[0].name,
            ),
            "ascii",
        )
        smtpd = (
            f"{address}:25 inet n - n - - smtpd -o myhostname={name}\n"
            for address, name in listeners.items()
        )
        (directory / "master.cf").write_text(_MASTER_CF + "".join(smtpd), "ascii")
        for name in ("main.cf", "master.cf"):
            os.utime(directory / name, (0, 0))  # Postfix waits 2 s lest somebody is still writing
        first = str(hosts[0].addresses[0])
        command = [str(_POSTFIX_PROGRAMS / "master"), "-c", str(directory), "-d"]
        self._start(command, directory / "log", lambda: _listens(first, 25))

    def serve_proxies(self, hosts: Sequence[Host]) -> None:
        """Start the proxies that the hosts have for services."""
        places = [
            (service, str(address), port)
            for host in hosts
            for address in host.addresses
            for port, service in host.services.items()
        ]
        arguments = [str(part) for place in places for part in place]
        command = [sys.executable, "-m", "tests.lab.proxies", *arguments]
        self._start(
            command,
            self.directory / "proxies",
            lambda: all(_listens(address, port) for _, address, port in places),
        )

    def _start(self, command: Sequence[str], log: Path, ready: Callable[[], bool]) -> None:
        """Start a server and wait until it is ready, or raise ``LabError`` with its own words."""
        process = subprocess.Popen(
            self.there.enter(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_TIMEOUT
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"{command[0]} does not start: {_first_complaint(log)}")
            time.sleep(0.01)


def _make_queue(directory: Path) -> None:
    queue, data = directory / "queue", directory / "data"
    for path in (queue, data, queue / "pid"):
        path.mkdir(parents=True)
    shutil.chown(data, "postfix")
    for name, group, mode in _QUEUE:
        path = queue / name
        path.mkdir()
        shutil.chown(path, "postfix", group)
        path.chmod(mode)


def _first_complaint(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    return next((line for line in lines if "error" in line or "fatal" in line), "no reason given")


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise LabError(f"{name} is not installed")
    return found


def _answers(server: IPv4Address) -> bool:
    """Ask a DNS server for the root's SOA record."""
    query = bytes.fromhex("4c42 0000 0001 0000 0000 0000 00 0006 0001")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.1)
        try:
            asker.connect((str(server), 53))
            asker.send(query)
            reply = asker.recv(512)
            return reply[:2] == query[:2] and not reply[3] & 15  # the code: no error
        except OSError:
            return False


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=0.1):
            return True
    except OSError:
        return False
