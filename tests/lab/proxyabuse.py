"""Real proxies, abused: squid, tinyproxy, Dante and microsocks among honest web and mail traffic.

``python -m tests.lab.proxyabuse FOLDER SESSIONS`` runs as the first process of a private namespace
(tests.lab.namespace) in which loopback is the only interface. It captures all of it with tcpdump
into FOLDER/abuse.pcap, and writes FOLDER/truth.json: which connection to a mail server was caused
by whom. What the victims' own log says is the truth, not what any client believes.
"""

import asyncio
import json
import os
import random
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path

from tests.lab.capturing import captured
from tests.lab.namespace import LabError, Namespace, private, run

SPAMMERS = tuple(f"198.18.10.{n}" for n in range(1, 31))
USERS = tuple(f"198.18.11.{n}" for n in range(1, 21))
SQUID, TINYPROXY, DANTE, MICROSOCKS, FRONT = (f"198.18.20.{n}" for n in range(1, 6))
VICTIMS = ("198.18.30.1", "198.18.30.2")
NAMES = {"198.18.30.1": "mx1.victim.example", "198.18.30.2": "mx2.victim.example"}
WEB, MAIL_SERVER = "198.18.40.1", "198.18.50.1"
ALL = (*SPAMMERS, *USERS, SQUID, TINYPROXY, DANTE, MICROSOCKS, FRONT, *VICTIMS, WEB, MAIL_SERVER)

_TOKEN = re.compile(rb"X-Origin: ([0-9.]+)")
READY_SECONDS = 20
SESSION_SECONDS = 60
# Mail servers are far away, in seconds: an answer takes longer than clocks are wrong.
ROUND_TRIP = 0.01

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Ask = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Coroutine[None, None, None]]

SQUID_CONF = """\
http_port {address}:3128
tcp_outgoing_address {address}
hosts_file {folder}/hosts
pid_filename {folder}/squid.pid
cache_log {folder}/squid.log
access_log {folder}/squid-access.log
cache deny all
cache_mem 8 MB
pinger_enable off
http_access allow all
shutdown_lifetime 0 seconds
cache_effective_user proxy
"""
TINYPROXY_CONF = """\
Port 8888
Listen {address}
Bind {address}
Timeout 60
MaxClients 400
LogFile "{folder}/tinyproxy.log"
LogLevel Connect
DisableViaHeader Yes
"""
# Debian 13 has no Dante: where it is not installed, the laboratory does without.
HAS_DANTE = shutil.which("danted", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None

DANTE_CONF = """\
logoutput: {folder}/danted.log
internal: {address} port = 1080
external: {address}
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
"""


class Victims:
    """Mail servers that take everything, and remember which connection brought whose mail."""

    def __init__(self) -> None:
        self.truth: dict[str, str] = {}
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak SMTP."""
        peer, in_data = writer.get_extra_info("peername"), False

        async def answer(text: str) -> None:
            await asyncio.sleep(ROUND_TRIP)
            writer.write(f"{text}\r\n".encode())

        with suppress(OSError, asyncio.CancelledError):
            await answer("220 mx.victim.example ESMTP")
            while line := await reader.readline():
                if in_data:
                    if token := _TOKEN.match(line):
                        self.truth[f"{peer[0]}:{peer[1]}"] = token[1].decode()
                    in_data = line != b".\r\n"
                    if not in_data:
                        self._count += 1
                        await answer(f"250 2.0.0 Ok: queued as {self._count:08X}")
                elif line[:4].upper() == b"DATA":
                    in_data = True
                    await answer("354 End data with <CR><LF>.<CR><LF>")
                else:
                    await answer("221 Bye" if line[:4] == b"QUIT" else "250 Ok")
        writer.close()


async def serve_web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request with a page."""
    body = b"<p>" + b"honest " * 2000
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while await reader.readuntil(b"\r\n\r\n"):
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
    writer.close()


async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """Order by CONNECT, the first request or one behind a page."""
    writer.write(f"CONNECT {host}:25 HTTP/1.1\r\nHost: {host}:25\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in answer:
        raise LabError(f"refused: {answer[:60]!r}")


async def socks4(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """Order by SOCKS 4."""
    packed = bytes(map(int, host.split(".")))
    writer.write(b"\x04\x01\x00\x19" + packed + b"me\0")
    if (await reader.readexactly(8))[1] != 90:
        raise LabError("refused by SOCKS 4")


async def socks5(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """Order by SOCKS 5, by name where it is one."""
    writer.write(b"\x05\x01\x00")
    await reader.readexactly(2)
    if host[0].isdigit():
        place = b"\x01" + bytes(map(int, host.split(".")))
    else:
        place = b"\x03" + bytes((len(host),)) + host.encode()
    writer.write(b"\x05\x01\x00" + place + b"\x00\x19")
    if (await reader.readexactly(10))[1] != 0:
        raise LabError("refused by SOCKS 5")


WAYS: tuple[tuple[str, int, Ask, bool], ...] = (
    (SQUID, 3128, connect, True),
    (TINYPROXY, 8888, connect, True),
    *(((DANTE, 1080, socks4, False), (DANTE, 1080, socks5, True)) if HAS_DANTE else ()),
    (MICROSOCKS, 1080, socks5, True),
)


async def send_mail(
    stream: Stream, origin: str, number: int, begun: asyncio.Event | None = None
) -> None:
    """Send one mail; all sessions say the same but for the recipient and one field."""
    reader, writer = stream

    async def say(line: str, code: bytes) -> None:
        writer.write(f"{line}\r\n".encode())
        answer = await reader.readline()
        if not answer.startswith(code):
            raise LabError(f"{line}: {answer!r}")

    await reader.readline()
    await say("EHLO localhost", b"250")
    if begun is not None:
        begun.set()
    await say("MAIL FROM:<win@lottery.example>", b"250")
    await say(f"RCPT TO:<user{number % 7}@victim.example>", b"250")
    await say("DATA", b"354")
    body = (
        f"Received: from forged.example ([192.0.2.1])\r\nSubject: win\r\n\r\n{'money ' * 50}\r\n."
    )
    await say(f"X-Origin: {origin}\r\n{body}", b"250")
    await say("QUIT", b"221")
    writer.close()


async def spam(number: int, way: tuple[str, int, Ask, bool], luck: random.Random) -> bool:
    """Order a connection to a mail server from a proxy, and use it."""
    proxy, port, ask, names = way
    origin, victim = luck.choice(SPAMMERS), VICTIMS[0 if number % 4 else 1]
    host = NAMES[victim] if names and number % 3 == 0 else victim
    await asyncio.sleep(luck.random() * 2)
    with suppress(OSError, asyncio.IncompleteReadError, LabError):
        async with asyncio.timeout(SESSION_SECONDS):
            stream = await asyncio.open_connection(proxy, port, local_addr=(origin, 0))
            # An honest request first, on the same connection, which only squid then keeps.
            if proxy == SQUID and number % 5 == 0:
                stream[1].write(f"GET http://{WEB}/ HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode())
                await _page(stream[0])
            await ask(*stream, host)
            await send_mail(stream, origin, number)
            return True
    return False


async def spam_hidden(
    number: int, luck: random.Random, turn: asyncio.Event, begun: asyncio.Event
) -> bool:
    """Do the same through the proxy behind TLS; the next one's turn comes after the first answer.

    So they overlap on a slow machine as on a fast one, and no two keep step: all say the same,
    and nothing but their moments tells them apart.
    """
    origin, context = luck.choice(SPAMMERS), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await turn.wait()
    with suppress(OSError, asyncio.IncompleteReadError, LabError):
        async with asyncio.timeout(SESSION_SECONDS):
            stream = await asyncio.open_connection(
                FRONT, 8443, local_addr=(origin, 0), ssl=context, server_hostname="front.example"
            )
            await connect(*stream, VICTIMS[0])
            await send_mail(stream, origin, number, begun)
            return True
    begun.set()
    return False


async def browse(luck: random.Random) -> None:
    """Look at pages through a proxy, as people do, and through CONNECT to 443."""
    user, (proxy, port) = luck.choice(USERS), luck.choice(((SQUID, 3128), (TINYPROXY, 8888)))
    await asyncio.sleep(luck.random() * 3)
    with suppress(OSError, asyncio.IncompleteReadError, LabError, TimeoutError):
        async with asyncio.timeout(SESSION_SECONDS):
            reader, writer = await asyncio.open_connection(proxy, port, local_addr=(user, 0))
            if luck.random() < 0.5:
                writer.write(f"CONNECT {WEB}:443 HTTP/1.1\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
                for _ in range(3):
                    writer.write(b"GET / HTTP/1.1\r\n\r\n")
                    await _page(reader)
            else:
                words = "the mail server 198.18.30.1 and mx1.victim.example are down"
                writer.write(
                    f"POST http://{WEB}/ HTTP/1.1\r\nHost: {WEB}\r\n"
                    f"Content-Length: {len(words)}\r\n\r\n{words}".encode()
                )
                await _page(reader)
            writer.close()


async def _page(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    size = re.search(rb"Content-Length: ([0-9]+)", head, re.IGNORECASE)
    await reader.readexactly(int(size[1]) if size else 0)


async def own_mail(source: str, number: int, luck: random.Random) -> None:
    """A host sends mail of its own: an honest mail server, or a report of the proxy's machine."""
    await asyncio.sleep(luck.random() * 3)
    with suppress(OSError, asyncio.IncompleteReadError, LabError):
        async with asyncio.timeout(SESSION_SECONDS):
            stream = await asyncio.open_connection(VICTIMS[0], 25, local_addr=(source, 0))
            await send_mail(stream, source, number)


async def live(sessions: int, hidden: int) -> dict[str, object]:
    """Serve, abuse and browse; return the truth."""
    victims, luck = Victims(), random.Random(9)
    servers = [
        *[await asyncio.start_server(victims.serve, one, 25, backlog=1000) for one in VICTIMS],
        await asyncio.start_server(victims.serve, MAIL_SERVER, 25),
        *[await asyncio.start_server(serve_web, WEB, port, backlog=1000) for port in (80, 443)],
    ]
    jobs = [spam(n, WAYS[n % len(WAYS)], luck) for n in range(sessions)]
    turns = [asyncio.Event() for _ in range(hidden + 1)]
    turns[0].set()
    jobs += [spam_hidden(n, luck, turns[n], turns[n + 1]) for n in range(hidden)]
    noise = [browse(luck) for _ in range(sessions)]
    noise += [own_mail(MAIL_SERVER, n, luck) for n in range(20)]
    proxies = dict.fromkeys([*(proxy for proxy, *_ in WAYS), FRONT])
    lenient = [one for one in (SQUID, DANTE, FRONT) if one in proxies]
    noise += [own_mail(luck.choice(lenient), n, luck) for n in range(12)]
    results = await asyncio.gather(*jobs, *noise)
    for one in servers:
        one.close()
    done = sum(result is True for result in results)
    return {
        "truth": victims.truth,
        "asked": sessions + hidden,
        "done": done,
        "proxies": list(proxies),
    }


def start_front(folder: Path) -> subprocess.Popen[bytes]:
    """Start the proxy behind TLS, and wait until it takes connections."""
    certificate, key = str(folder / "front.crt"), str(folder / "front.key")
    run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=front.example", "-keyout", key, "-out", certificate),
    )
    options = (FRONT, "8443", certificate, key)
    started = subprocess.Popen((sys.executable, "-m", "tests.lab.tlsfront", *options))
    _wait_for(FRONT, 8443)
    return started


def start_proxies(folder: Path) -> list[subprocess.Popen[bytes]]:
    """Start the real programs, and wait until each takes connections."""
    for name, text, address in (
        ("squid.conf", SQUID_CONF, SQUID),
        ("tinyproxy.conf", TINYPROXY_CONF, TINYPROXY),
        ("danted.conf", DANTE_CONF, DANTE),
    ):
        (folder / name).write_text(text.format(address=address, folder=folder))
    log = (folder / "proxies.log").open("wb")
    dante = ("danted", "-f", str(folder / "danted.conf"), "-N", "4")
    commands = (
        ("squid", "-N", "-f", str(folder / "squid.conf")),
        ("tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")),
        *([dante] if HAS_DANTE else []),
        ("microsocks", "-i", MICROSOCKS, "-p", "1080", "-b", MICROSOCKS),
    )
    started = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
    for proxy, port, *_ in WAYS:
        _wait_for(proxy, port)
    return started


def _wait_for(address: str, port: int) -> None:
    wanted = f"{address}:{port} "
    deadline = time.monotonic() + READY_SECONDS
    while wanted not in run("ss", "-Hltn"):
        if time.monotonic() > deadline:
            raise LabError(f"no proxy listens at {address}:{port}")
        time.sleep(0.05)


def run_private(module: str, *arguments: str) -> str:
    """Run a module as the first process of a private namespace, and return what it printed."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        private(command, as_root=os.geteuid() == 0),
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=150,
    )
    return done.stdout


def main(folder: Path, sessions: int) -> None:
    """Build, capture, abuse."""
    if os.getpid() != 1:
        raise LabError("not the first process of a private namespace")
    lines = ["link set lo mtu 1500 up", *(f"address add {one}/32 dev lo" for one in ALL)]
    Namespace().ip(*lines)
    hosts = "127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for ip, name in NAMES.items())
    (folder / "hosts").write_text(hosts)
    run("mount", "--bind", str(folder / "hosts"), "/etc/hosts")
    folder.chmod(0o777)
    started = [*start_proxies(folder), start_front(folder)]
    try:
        with captured(folder / "abuse.pcap", WEB):
            told = asyncio.run(live(sessions, sessions // 3))
    finally:
        for one in started:
            one.terminate()
    (folder / "truth.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
