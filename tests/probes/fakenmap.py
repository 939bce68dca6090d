"""A program that is called like nmap and behaves as badly as a test wants."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botprobe.model.mail import IpAddress

# What an address can make the fake do instead of answering.
DIE, HANG, GARBAGE, FLOOD, OMIT, GIVE_UP = "die", "hang", "garbage", "flood", "omit", "give up"

_SOURCE = '''#!{python} -IS
import os, signal, subprocess, sys
folder, version, problem, hosts = {folder!r}, {version!r}, {problem!r}, {hosts!r}
arguments = sys.argv[1:]
with open(folder + "/calls", "a") as calls:
    print(*arguments, file=calls)

def hang():
    """Wait for ever, together with a child, and hold a pipe open as long as either lives."""
    with open(folder + "/alive", "wb") as alive:
        alive.write(b"up\\n")
        alive.flush()
        child = subprocess.Popen(["sleep", "60"], pass_fds=[alive.fileno()])
        signal.pause()

def answer(address):
    does = hosts.get(address, [])
    if does == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "hang":
        hang()
    if does == "garbage":
        print("<<<")
    while does == "flood":
        print("<hostname/>" * 10000)
    if does == "give up":
        print('<host timedout="true">')
        print('<address addr="%s" addrtype="ipv4"/></host>' % address, flush=True)
    if isinstance(does, str):
        return
    family = "ipv6" if ":" in address else "ipv4"
    print('<host><address addr="%s" addrtype="%s"/><ports>' % (address, family))
    for port in ports:
        state = "open" if port in does else "closed"
        print('<port protocol="tcp" portid="%d"><state state="%s"/></port>' % (port, state))
    print('</ports>')
    sure = does and len(does) < len(ports)
    if "-O" in arguments and (sure or "--osscan-limit" not in arguments):
        print('<os><osmatch name="System of %s" accuracy="100" line="1"/></os>' % address)
    print('</host>', flush=True)

if arguments == ["--version"]:
    print(version)
    sys.exit()
if problem:
    sys.exit(problem)
ports = [int(port) for port in arguments[arguments.index("-p") + 1].split(",")]
print('<?xml version="1.0"?><!DOCTYPE nmaprun><nmaprun version="7.93">', flush=True)
for address in arguments[arguments.index("-p") + 2 :]:
    if address != "-6":
        answer(address)
print("</nmaprun>")
'''


@dataclass(slots=True, kw_only=True)
class FakeNmap:
    """Writes the program into a folder, and reads back how it was called."""

    folder: Path
    hosts: Mapping[str, list[int] | str] = field(default_factory=dict)
    """The open ports of an address, or what it makes the fake do; an unknown one has none."""
    version: str = "Nmap version 7.93 ( https://nmap.org )"
    problem: str = ""
    """Complaint with which it refuses to scan."""

    @property
    def program(self) -> str:
        """Write the program as it is described now, and give its path."""
        path = self.folder / "nmap"
        path.write_text(
            _SOURCE.format(
                python=sys.executable,
                folder=str(self.folder),
                version=self.version,
                problem=self.problem,
                hosts=self.hosts,
            )
        )
        path.chmod(0o755)
        return str(path)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call, those that only look at nmap left out."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line.split() for line in lines if "--version" not in line and " -p 9 " not in line]

    def called_for(self, address: IpAddress) -> int:
        """Count the calls that name an address."""
        return sum(str(address) in call for call in self.calls)

    def scanned(self, addresses: list[IpAddress]) -> list[list[IpAddress]]:
        """Say which of the addresses went together, call by call."""
        return [[a for a in addresses if str(a) in call] for call in self.calls]
