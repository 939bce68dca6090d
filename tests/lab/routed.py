"""What ``botprobe router`` makes of everybody behind it, in a private network.

``python -m tests.lab.routed FOLDER SCENE``, as the first process of a private namespace, has all
actors send, lets ``botprobe router --enforce`` watch, and prints what became of whom.
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tests.lab.namespace import LabError, Namespace, run
from tests.lab.routing import (
    ACTORS,
    ALLOWED,
    BOT,
    FORGED,
    MAIL_SERVER,
    PACKETS,
    SERVERS,
    SHARED,
    USER,
    VICTIM,
    Server,
    Session,
    answer,
    build,
    dial,
    forge,
    inside,
    mail,
    talk,
    wait_for,
)

SINK_PORT = 2525
# So many that nobody who also fetches comes near the threshold meanwhile, even by chance.
TURNS = 8
SINK_USER = 65_534
CLEANUP = 10

_SETTINGS = """\
[scope]
allow = ["198.18.0.0/15", "2001:db8::/32"]
[smtp]
helo_name = "router.trap.example"
[canary]
hosts = ["198.18.1.10", "2001:db8:5::10"]
"""


@dataclass(slots=True)
class Router:
    """The product, on the router."""

    folder: Path
    options: tuple[str, ...]
    process: subprocess.Popen[str] | None = None
    said: list[tuple[float, str]] = field(default_factory=list)
    """What it told on standard error, and when."""

    def start(self) -> None:
        """Start it, and wait until its ruleset is there."""
        settings = self.folder / "botprobe.toml"
        settings.write_text(_SETTINGS)
        allowed = [part for one in ALLOWED.addresses for part in ("--allow", one)]
        command = [
            *(sys.executable, "-m", "botprobe", "router", "--enforce", *self.options),
            *("--inside", "198.18.0.0/24", "--inside", "2001:db8:c::/48", *allowed),
            *("--every", "0.2", "--for", "60", "--json"),
            *("--textfile", str(self.folder / "router.prom")),
            *("--config", str(settings), "--store", str(self.folder / "botprobe.sqlite")),
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._listen, daemon=True).start()
        wait_for(lambda: "botprobe" in run("nft", "list", "tables"), 20, "the ruleset")

    def _listen(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append((time.monotonic(), line.rstrip()))
            print(line, end="", file=sys.stderr)

    def told_of(self, address: str) -> float | None:
        """Return when it told that it blocked somebody."""
        host = str(ip_address(address)) if "." in address else address.removesuffix("1")
        found = (at for at, line in self.said if f"{host}: credit" in line)
        return next(found, None)

    def stop(self, how: int) -> str:
        """End it, and return what it printed."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(how)
        printed = self.process.stdout.read()
        self.process.wait(20)
        return printed


def settled(client: Namespace) -> bool:
    """Say whether everybody reaches the servers; new links take a moment."""
    try:
        for one in ACTORS:
            for source in one.addresses:
                dial(client, source, 143).close()
    except OSError:
        return False
    return True


def visit(client: Namespace, source: str, limit: int) -> None:
    """Read mail and send some, as a user does who shares the address with others."""
    with dial(client, source, 143, limit) as mailbox:
        talk(mailbox, 7)
    with dial(client, source, 25, limit) as connection:
        talk(connection, 20)


def play(client: Namespace, server: Namespace, router: Router) -> dict[str, Any]:
    """Have everybody send, wait for the router to act, and see who still gets through."""
    for one in ACTORS:
        for source in one.addresses:
            for limit in one.guests:
                visit(client, source, limit)
    open_lines = [
        (one, source, dial(client, source, 25, one.limit))
        for one in ACTORS
        for source in one.addresses
        if one.sends
    ]
    crossed: dict[str, float] = {}
    for one, source, connection in open_lines:
        for _ in range(TURNS):
            if one.fetches:  # first, as mail programs do: a look may come at any moment
                with dial(client, source, 143) as mailbox:
                    talk(mailbox, one.fetches // TURNS)
            talk(connection, one.sends // TURNS)
        crossed[source] = time.monotonic()
    for mail_server, forged, victim in zip(
        SERVERS, FORGED.addresses, VICTIM.addresses, strict=True
    ):
        forge(client, (forged, 40_000), (mail_server, 25))
        forge(server, (mail_server, 25), (victim, 40_000))
    wait_for(lambda: all(map(router.told_of, BOT.addresses)), 15, "the blocks")
    time.sleep(1.5)  # whoever is asked on port 25 has answered by now
    acted = {source: (router.told_of(source) or 0) - crossed[source] for source in BOT.addresses}
    kept = {source: True for _, source, _ in open_lines}
    for _, source, connection in open_lines:
        kept[source] &= talk(connection, 3) == 3
        # A reset: nobody sends the rest of it again and again.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    sent = {source: mail(client, source) for one in ACTORS for source in one.addresses}
    return {"acted": acted, "kept": kept, "sent": sent, "arrived": sorted(Session.mails)}


def play_long(client: Namespace, router: Router) -> dict[str, Any]:
    """Have somebody fall silent, and one behind a NAT go on alone for longer than a clean-up."""
    with dial(client, USER.addresses[0], 25) as user:
        talk(user, 20)
    source = SHARED.addresses[0]
    for limit in SHARED.guests:
        visit(client, source, limit)
    bot = dial(client, source, 25, SHARED.limit)
    for _ in range(CLEANUP + 2):
        talk(bot, 1)
        time.sleep(1)
    talk(bot, PACKETS)
    alone = dial(client, BOT.addresses[0], 25)
    talk(alone, PACKETS)
    wait_for(lambda: router.told_of(BOT.addresses[0]), 10, "the block")
    time.sleep(0.5)  # two more looks
    kept = talk(bot, 3) == 3
    return {"kept": kept}


def start_sink(folder: Path, place: Namespace, listen: str) -> subprocess.Popen[bytes]:
    """Start the sink as a user who may do nothing but read where Python is."""
    maildir = folder / "maildir"
    maildir.mkdir()
    os.chown(maildir, SINK_USER, SINK_USER)
    process = subprocess.Popen(
        place.enter(
            *("setpriv", f"--reuid={SINK_USER}", f"--regid={SINK_USER}", "--clear-groups"),
            *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search", "--"),
            *(sys.executable, "-m", "botprobe", "router", "sink", "--for", "100"),
            *("--maildir", str(maildir / "trap"), "--listen", listen),
        )
    )
    wait_for(lambda: listen in run(*place.enter("ss", "-ltn")), 20, "the sink")
    return process


def stop_sink(sink: subprocess.Popen[bytes], folder: Path) -> list[str]:
    """End the sink, and return the mails in its Maildir."""
    sink.send_signal(signal.SIGINT)
    sink.wait(20)
    return [path.read_text() for path in sorted((folder / "maildir/trap/new").iterdir())]


def written_down(folder: Path) -> dict[str, Any]:
    """Return what the week's report and the bot's dossier say afterwards."""
    where = ("--store", str(folder / "botprobe.sqlite"), "--json")
    product = (sys.executable, "-m", "botprobe")
    return {
        "report": json.loads(run(*product, "report", "--week", "this", *where)),
        "dossiers": [
            json.loads(run(*product, "host", address, *where)) for address in BOT.addresses[:1]
        ],
    }


def killed_and_off(router: Router) -> dict[str, str]:
    """Kill the product, then have it take away what it left."""
    router.start()
    router.stop(signal.SIGKILL)
    left = run("nft", "list", "ruleset")
    run(sys.executable, "-m", "botprobe", "router", "off")
    return {"killed": left, "off": run("nft", "list", "ruleset")}


def flushed(router: Router) -> tuple[int, str]:
    """Have an administrator load his own ruleset meanwhile; return how the product ends."""
    router.start()
    assert router.process is not None
    run("nft", "flush", "ruleset")
    code = router.process.wait(20)
    wait_for(lambda: "gone" in router.said[-1][1], 5, "the error")
    return code, router.said[-1][1]


SCENES = {
    "drop": ("--action", "drop", "--keep", "--investigate"),
    "redirect": (
        *("--action", "redirect", "--sink", str(SINK_PORT)),
        *("--sampling", "5", "--block-for", "6"),
    ),
    "elsewhere": ("--action", "redirect", "--sink", f"{SERVERS[0]}:{SINK_PORT}", "--no-confirm"),
    "forgetful": ("--action", "drop", "--no-confirm", "--cleanup", str(CLEANUP)),
}


def main(folder: Path, scene: str) -> None:
    """Build, play, take away; print what became of whom."""
    if os.getpid() != 1:
        raise LabError("not the first process of a private namespace")
    client, server = build()
    with inside(server):
        _ = [Server(address, port) for address in SERVERS for port in (25, 143)]
    with inside(client):
        _ = [Server(address, 25) for address in MAIL_SERVER.addresses]
    wait_for(lambda: settled(client), 20, "the servers")
    router, told = Router(folder, SCENES[scene]), dict[str, Any]()
    if scene in ("drop", "forgetful"):
        router.start()
        told |= play(client, server, router) if scene == "drop" else play_long(client, router)
    else:
        near = scene == "redirect"
        listen = str(SINK_PORT) if near else f"{SERVERS[0]}:{SINK_PORT}"
        sink = start_sink(folder, Namespace() if near else server, listen)
        router.start()
        if not near:
            answer(server)
        told |= play(client, server, router)
        if near:
            time.sleep(6.5)
            told["later"] = {source: mail(client, source) for source in BOT.addresses}
            told["arrived later"] = Session.mails[len(told["arrived"]) :]
        told["sink"] = stop_sink(sink, folder)
    told["table"] = json.loads(
        router.stop(signal.SIGTERM if scene == "redirect" else signal.SIGINT)
    )
    told["blocks"] = [line for _, line in router.said if "credit" in line]
    told["metrics"] = (folder / "router.prom").read_text()
    told["ruleset"] = {"interrupted": run("nft", "list", "ruleset")}
    if scene == "drop":
        told["written"] = written_down(folder)
        told["ruleset"] |= killed_and_off(router)
        told["flushed"] = flushed(router)
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
