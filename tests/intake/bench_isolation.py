"""What it would cost to read mails in a child process without network: ``scripts/bench-isolation``.

The child has an unshared network namespace and takes mails over a pipe; it answers with JSON that
the parent decodes and checks, since a child that was taken over may write what it likes. Processor
time is that of both. docs/decisions/0110 says what was chosen.
"""

import argparse
import json
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address
from types import GenericAlias
from typing import Any, get_type_hints

import msgspec

from botprobe.intake.message import read_mail
from botprobe.model.mail import Hop, IpAddress, Mail
from tests.intake.bench_headers import _peak_memory, _sample_header

# Another user's namespaces are asked for as anybody may, where the kernel lets anybody.
WITHOUT_NETWORK = ("unshare", "--user", "--map-root-user", "--net", "--")
SOMEBODY = ("192.0.2.1", 25)

ENCODER = msgspec.json.Encoder(enc_hook=str)


def _mirror(kind: type, **changed: object) -> Any:
    """Return a type with the fields of another one, some of another type: JSON has no addresses."""
    hints = get_type_hints(kind) | changed
    return msgspec.defstruct(f"Told{kind.__name__}", list(hints.items()))


TOLD_HOP = _mirror(Hop, ip=str | None)
DECODER = msgspec.json.Decoder(_mirror(Mail, hops=GenericAlias(tuple, (TOLD_HOP, ...))))


def decoded(raw: bytes) -> Mail:
    """Make a mail of what a child told, which may be anything."""
    told = msgspec.structs.asdict(DECODER.decode(raw))
    hops = [msgspec.structs.asdict(hop) for hop in told.pop("hops")]
    return Mail(hops=tuple(Hop(**hop | {"ip": _address(hop["ip"])}) for hop in hops), **told)


def _address(text: str | None) -> IpAddress | None:
    return None if text is None else ip_address(text)


def child() -> None:
    """Read mails from the pipe until it ends; the first word says whether there is a network."""
    pipe, out = sys.stdin.buffer, sys.stdout.buffer
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        try:
            asker.connect(SOMEBODY)  # looks the route up, and sends nothing
            out.write(b"network\n")
        except OSError:
            out.write(b"no network\n")
    out.flush()
    while size := pipe.read(4):
        answer = ENCODER.encode(read_mail(pipe.read(int.from_bytes(size)), "mail"))
        out.write(len(answer).to_bytes(4) + answer)
        out.flush()
    out.write(json.dumps([time.process_time(), _peak_memory()]).encode())


class Child:
    """A process without network that reads mails."""

    def __init__(self) -> None:
        started = time.monotonic()
        command = [*WITHOUT_NETWORK, sys.executable, "-m", "tests.intake.bench_isolation"]
        self._process = subprocess.Popen(
            [*command, "--child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        if self._out.readline() != b"no network\n":
            raise SystemExit("bench-isolation: this machine gives no namespace without network")
        self.start = time.monotonic() - started

    def read(self, data: bytes) -> Mail:
        """Let it read a mail, and check what it answers."""
        self._in.write(len(data).to_bytes(4) + data)
        self._in.flush()
        return decoded(self._out.read(int.from_bytes(self._out.read(4))))

    def end(self) -> tuple[float, float]:
        """End it, and return its processor seconds and its peak memory in MB."""
        self._in.close()
        seconds, memory = json.loads(self._out.read())
        self._process.wait()
        return seconds, memory


def measure(read: Callable[[bytes], Mail], mails: int, data: bytes) -> tuple[float, list[float]]:
    """Read a mail so many times; return our processor seconds, and the seconds of each."""
    waits, spent = [], time.process_time()
    for _ in range(mails):
        began = time.perf_counter()
        read(data)
        waits.append(time.perf_counter() - began)
    return time.process_time() - spent, waits


def shown(name: str, mails: int, cpu: float, waits: list[float]) -> str:
    """Write a line of figures."""
    cuts = statistics.quantiles(waits, n=100)
    return (
        f"{name}: {mails / cpu:,.0f} mails per CPU-second,"
        f" each {1e6 * cuts[49]:.0f} µs (p50), {1e6 * cuts[98]:.0f} µs (p99)"
    )


def main() -> None:
    """Print the figures of both ways, and of a process for each mail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return
    data = (_sample_header() + b"\n" + b"spam and eggs, again and again\n" * 97)[:3_000]
    mails = options.mails
    here, waits = measure(lambda one: read_mail(one, "mail"), mails, data)
    print(shown("in the process itself", mails, here, waits))
    own = Child()
    if own.read(data) != read_mail(data, "mail"):
        raise SystemExit("bench-isolation: the child reads otherwise")
    cpu, waits = measure(own.read, mails, data)
    seconds, memory = own.end()
    print(shown("in a child without network", mails, cpu + seconds, waits))
    print(f"  the child: {own.start:.2f} s to start, {memory:.0f} MB")
    few, before = 20, resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    for _ in range(few):
        lone = Child()
        lone.read(data)
        lone.end()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    each = (time.monotonic() - began) / few
    print(f"a child for each mail: {few / cost:.1f} mails per CPU-second, each {each:.2f} s")


if __name__ == "__main__":
    main()
