"""What the router costs: the original's experiment, and how fast it looks and acts.

The original (Endo 2009) sent 10,000 mails of 3 KB through its router; that took 4.13 % longer than
without it, and 3.8 % when it sampled one packet of 500. Its mail took 130 ms and 5.3 ms more, ours
takes a tenth of a millisecond: so the goal is a cost in microseconds, for a packet and a mail.

Two kinds of mail are sent. For the cost of a packet, one thread is client and server in two
namespaces: the kernel carries each packet through the router within the call that sends it, and
nothing else happens. For the ratio, the standard library's client talks to a server in a process of
its own. Both stay on one processor, and its time is what is compared, so that other programs do no
harm. The rulesets take turns in short blocks, and a repetition is compared with itself.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from smtplib import SMTP
from tempfile import TemporaryDirectory

from botprobe.observers.router.credit import CreditRule
from botprobe.observers.router.kernel import Kernel
from botprobe.observers.router.ledger import Ledger
from botprobe.observers.router.rules import TABLE, RouterRules, removal, ruleset
from tests.lab.namespace import LabError, Namespace, connect, new_namespace, private, run
from tests.lab.routing import Server, inside, wait_for

INSIDE = ip_network("198.18.0.0/16")
SOURCES = [str(IPv4Address("198.18.0.10") + number) for number in range(10)]
SENDERS = [str(IPv4Address("198.18.0.50") + number) for number in range(20)]
SERVER = "198.19.0.10"
MAIL = b"Subject: bench\r\n\r\n" + (b"x" * 70 + b"\r\n") * 42 + b".\r\n"
DIALOG = (
    (b"EHLO client.example\r\n", b"250-mx.example\r\n250 SIZE 10000000\r\n"),
    (b"MAIL FROM:<a@client.example>\r\n", b"250 2.1.0 Ok\r\n"),
    (b"RCPT TO:<b@mx.example>\r\n", b"250 2.1.5 Ok\r\n"),
    (b"DATA\r\n", b"354 End data with <CR><LF>.<CR><LF>\r\n"),
    (MAIL, b"250 2.0.0 Ok: queued\r\n"),
    (b"QUIT\r\n", b"221 2.0.0 Bye\r\n"),
)
GREETING = b"220 mx.example ESMTP\r\n"
MODES = {
    "without": None,
    "with rules": RouterRules(inside=(INSIDE,)),
    "sampling 1/500": RouterRules(inside=(INSIDE,), sampling=500),
}
ORIGINAL = {"with rules": 4.13, "sampling 1/500": 3.8}
RATIO = {"with rules": 4.13, "sampling 1/500": 2.0}
MAILS = 10_000
BLOCK = 200
# Student's t for a two-sided 95 % interval, by degrees of freedom; 1.96 for very many.
T95 = {9: 2.262, 11: 2.201, 14: 2.145, 19: 2.093, 29: 2.045}


def build() -> tuple[Namespace, Namespace]:
    """Lay the cables: client, router (here) and server."""
    router, client, server = Namespace(), new_namespace(), new_namespace()
    connect("r-inside", "inside", client)
    connect("r-outside", "outside", server)
    router.sysctl("net.ipv4.ip_forward", "1")
    router.ip(
        *("link set lo up", "address add 198.18.0.1/16 dev r-inside", "link set r-inside up"),
        *("address add 198.19.0.1/24 dev r-outside", "link set r-outside up"),
    )
    mine = [f"address add {one}/16 dev inside" for one in SOURCES + SENDERS]
    client.ip("link set lo up", *mine, "link set inside up", "route add default via 198.18.0.1")
    server.ip(
        *("link set lo up", f"address add {SERVER}/24 dev outside", "link set outside up"),
        "route add default via 198.19.0.1",
    )
    for place in (client, server):  # closed connections need not be remembered
        place.sysctl("net.ipv4.tcp_max_tw_buckets", "0")
    return client, server


@dataclass
class Post:
    """Client and server of one thread."""

    client: Namespace
    server: Namespace

    def __post_init__(self) -> None:
        with inside(self.server):
            self.listener = socket.create_server((SERVER, 25), backlog=64)
        wait_for(self._reaches, 10, "the links")

    def _reaches(self) -> bool:
        try:
            with inside(self.client):
                self.mails(len(SOURCES))
        except OSError:
            return False
        return True

    def mails(self, count: int) -> None:
        """Send mails; the thread is in the client's namespace."""
        for number in range(count):
            near = self.dial(SOURCES[number % len(SOURCES)])
            far, _ = self.listener.accept()
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far.sendall(GREETING)
            near.recv(4096)
            for command, reply in DIALOG:
                near.sendall(command)
                missing = len(command)
                while missing:
                    missing -= len(far.recv(missing))
                far.sendall(reply)
                near.recv(4096)
            near.close()
            far.close()

    def dial(self, source: str) -> socket.socket:
        """Connect from an address of the client."""
        near = socket.socket()
        near.settimeout(2)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        near.bind((source, 0))
        near.connect((SERVER, 25))
        return near

    def ordinary_mails(self, count: int) -> None:
        """Send mails by the standard library's client, to a server in a process of its own."""
        for number in range(count):
            source = (SOURCES[number % len(SOURCES)], 0)
            with SMTP(SERVER, 587, timeout=10, source_address=source, local_hostname="c") as smtp:
                smtp.sendmail("a@client.example", ["b@mx.example"], MAIL[:-3])


@contextmanager
def ordinary_server(server: Namespace) -> Iterator[int]:
    """Take mails on port 587, in a process that shares our processor; yield its clock."""
    assert __spec__ is not None
    command = server.enter(sys.executable, "-m", __spec__.name, "--serve")
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        # The processor's time of another process (clock_getcpuclockid in glibc).
        yield ~process.pid << 3 | 2
    finally:
        process.kill()
        process.wait()


def carried() -> int:
    """Return how many packets the router took in."""
    links = json.loads(run("ip", "-j", "-s", "link"))
    return sum(
        int(one["stats64"]["rx"]["packets"]) for one in links if one["ifname"].startswith("r-")
    )


Send = Callable[[int], None]


@dataclass(frozen=True)
class Way:
    """A way to send mails."""

    post: Post
    send: Send
    clocks: tuple[int, ...] = (time.CLOCK_PROCESS_CPUTIME_ID,)

    def used(self) -> float:
        """Return the processor's time of all that take part, in seconds."""
        return sum(map(time.clock_gettime, self.clocks))


def timed_block(way: Way, mode: str, mails: int) -> float:
    """Load a ruleset, send mails, and return the processor's seconds for one."""
    rules = MODES[mode]
    run("nft", "-f", "-", text=removal() if rules is None else ruleset(rules))
    with inside(way.post.client):
        way.send(3 * len(SOURCES))  # each is known by now
        began = way.used()
        way.send(mails)
        return (way.used() - began) / mails


def packets_of(way: Way) -> float:
    """Return how many packets of a mail the router carries."""
    before = carried()
    with inside(way.post.client):
        way.send(200)
    return (carried() - before) / 200


def overheads(way: Way, repetitions: int) -> dict[str, list[float]]:
    """Return the processor's seconds for a mail of each repetition, by mode."""
    found: dict[str, list[float]] = {mode: [] for mode in MODES}
    for number in range(repetitions):
        blocks: dict[str, list[float]] = {mode: [] for mode in MODES}
        for turn in range(MAILS // BLOCK):
            order = list(MODES)
            random.Random(number * 100 + turn).shuffle(order)
            for mode in order:
                blocks[mode].append(timed_block(way, mode, BLOCK))
        for mode, times in blocks.items():
            found[mode].append(statistics.median(times))
    run("nft", "-f", "-", text=removal())
    return found


def interval(values: list[float]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval."""
    degrees = len(values) - 1
    t = next((T95[least] for least in sorted(T95, reverse=True) if least <= degrees), 12.7)
    return statistics.fmean(values), t * statistics.stdev(values) / len(values) ** 0.5


def tell_overheads(what: str, found: dict[str, list[float]], packets: float) -> None:
    """Print the original's experiment."""
    plain = found["without"]
    print(
        f"{what}: {len(plain)} repetitions of {MAILS} mails of 3 KB for each ruleset, in blocks of"
        f" {BLOCK} that take turns; {packets:.1f} packets a mail"
    )
    print(f"  without         {statistics.fmean(plain) * 1e6:7.1f} us a mail")
    for mode, (goal, theirs) in {one: (RATIO[one], ORIGINAL[one]) for one in RATIO}.items():
        more = [with_ - without for with_, without in zip(found[mode], plain, strict=True)]
        cost, half = interval([one * 1e6 for one in more])
        ratio, about = interval(
            [100 * one / without for one, without in zip(more, plain, strict=True)]
        )
        print(
            f"  {mode:<15} {statistics.fmean(found[mode]) * 1e6:7.1f} us a mail:"
            f" {cost:+.2f} +- {half:.2f} us a mail (at most 15; the original 5,349),"
            f" {cost / packets:+.3f} +- {half / packets:.3f} us a packet (at most 1.0),"
            f" {ratio:+.2f} +- {about:.2f} % (at most {goal}; the original {theirs})"
        )


def fill(count: int) -> None:
    """Load the rules and put so many hosts into each of their sets."""
    first = IPv4Address("198.18.0.0")
    hosts = [first + number for number in range(count)]
    # By the host alone sets have plain numbers, by more than that the types of nftables.
    plain = ", ".join(str(int(one)) for one in hosts)
    counted = ", ".join(f"{int(one)} counter packets 40 bytes 4000" for one in hosts)
    pairs = ", ".join(f"{one} . {SERVER}" for one in hosts)
    hops = ", ".join(f"{int(one)} . 64 counter packets 40 bytes 4000" for one in hosts)
    sets = dict.fromkeys(("sent", "fetched", "oneway"), counted)
    sets |= dict.fromkeys(("opened", "collected"), hops)
    sets |= {"servers": plain, "targets": pairs}
    lines = [f"add element {TABLE} {name}4 {{ {them} }}\n" for name, them in sets.items()]
    run("nft", "-f", "-", text=ruleset(MODES["with rules"] or RouterRules()) + "".join(lines))


def look(count: int) -> None:
    """Look as the router does, and print what it took.

    Five times where nothing changed, and five times where every counter did; the first look of all,
    in which Python starts to work, is left out.
    """
    ledger, kernel = Ledger(rule=CreditRule()), Kernel()
    looks: dict[bool, list[float]] = {True: [], False: []}
    for number in range(11):
        changed = number % 2 == 1
        if changed:
            for key in kernel._sent.elements:
                kernel._sent.elements[key] = 39
        began = time.perf_counter()
        sent = asyncio.run(kernel.sent())
        over = ledger.may_cross(sent)
        if number:
            looks[changed].append(time.perf_counter() - began)
            assert len(sent) == count * changed
        del sent
        assert not over
    used = memory()
    began = time.perf_counter()
    ledger.update(asyncio.run(kernel.traffic()), 100.0)
    ledger.learn(asyncio.run(kernel.details()), 100.0)
    table = ledger.judged()
    whole = time.perf_counter() - began
    assert len(table) == count
    print(
        json.dumps(
            [*(statistics.median(looks[one]) for one in (True, False)), used, whole, memory()]
        )
    )


def memory() -> float:
    """Return the most memory of this program so far, in MB; getrusage knows its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measured(*command: str) -> tuple[float, float, str]:
    """Run a program; return its seconds, its memory in MB, and what it printed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise LabError(f"{command[0]} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024, printed


def tell_looks() -> None:
    """Print how long a look takes, beside nft's own list."""
    goals = {10_000: "50 ms", 100_000: "1 s and 100 MB"}
    for count, goal in goals.items():
        fill(count)
        _, _, printed = measured(sys.executable, "-m", __spec__.name, "--look", str(count))
        first, later, used, whole, most = json.loads(printed)
        peer, theirs, _ = measured("nft", "-j", "list", "table", *TABLE.split())
        print(
            f"{count:,} hosts: a look {later * 1e3:.0f} ms, {first * 1e3:.0f} ms if all have sent,"
            f" {used:.0f} MB (at most {goal}); the whole table, when somebody crosses,"
            f" {whole * 1e3:.0f} ms and {most:.0f} MB; nft -j list table {peer * 1e3:.0f} ms,"
            f" {theirs:.0f} MB"
        )
    run("nft", "-f", "-", text=removal())


@contextmanager
def product(folder: Path) -> Iterator[list[tuple[float, str]]]:
    """Run the router; yield what it tells, and when."""
    command = [sys.executable, "-m", "botprobe", "router", "--enforce", "--no-confirm"]
    options = ["--inside", str(INSIDE), "--for", "120", "--json", "--store", str(folder / "s")]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = subprocess.Popen(
        command + options,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    told: list[tuple[float, str]] = []

    def hear() -> None:
        assert process.stderr is not None
        told.extend((time.monotonic(), line) for line in process.stderr)

    threading.Thread(target=hear, daemon=True).start()
    try:
        yield told
    finally:
        process.terminate()
        process.wait(20)


def act(post: Post) -> list[float]:
    """Return the seconds from the packet that crosses the threshold to the block, by sender."""
    delays: list[float] = []
    with TemporaryDirectory() as name, product(Path(name)) as told:
        wait_for(lambda: "botprobe" in run("nft", "list", "tables"), 20, "the ruleset")
        for sender in SENDERS:
            with inside(post.client):
                near = post.dial(sender)
            far, _ = post.listener.accept()
            far.sendall(GREETING)
            near.recv(4096)
            for _ in range(CreditRule().threshold + 1):
                near.sendall(b"NOOP\r\n")
                far.recv(4096)
                far.sendall(b"250 Ok\r\n")
                near.recv(4096)
            crossed = time.monotonic()
            while not (at := [when for when, line in told if f"{sender}: " in line]):
                if time.monotonic() - crossed > 5:
                    raise LabError(f"{sender} was not acted on within 5 s: {told}")
                time.sleep(0.005)
            delays.append(at[0] - crossed)
            near.close()
            far.close()
            time.sleep(random.Random(sender).random() * 0.5)  # looks come at other moments
    return sorted(delays)


def main_inside(repetitions: int) -> None:
    """Measure, as the first process of a private namespace."""
    if os.getpid() != 1:
        raise LabError("not the first process of a private namespace")
    client, server = build()
    post = Post(client, server)
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(everywhere)})
    alone = Way(post, post.mails)
    tell_overheads("one thread", overheads(alone, repetitions), packets_of(alone))
    with ordinary_server(server) as clock:
        library = Way(post, post.ordinary_mails, (time.CLOCK_PROCESS_CPUTIME_ID, clock))
        tell_overheads("smtplib", overheads(library, repetitions), packets_of(library))
    os.sched_setaffinity(0, everywhere)
    tell_looks()
    delays = act(post)
    print(
        f"from crossing the threshold to the block, {len(delays)} senders:"
        f" median {statistics.median(delays):.2f} s, longest {delays[-1]:.2f} s (at most 1 s)"
    )


def main() -> None:
    """Read the options, and go into a private namespace."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--look", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        Server(SERVER, 587)
        print("ready", flush=True)
        threading.Event().wait()
    elif options.look:
        look(options.look)
    elif options.inside:
        main_inside(options.repetitions)
    else:
        assert __spec__ is not None
        again = [sys.executable, "-m", __spec__.name, "--inside"]
        again += ["--repetitions", str(options.repetitions)]
        print("load average before", *(f"{one:.2f}" for one in os.getloadavg()))
        sys.stdout.flush()
        subprocess.run(private(again, as_root=os.geteuid() == 0), check=True)


if __name__ == "__main__":
    main()
