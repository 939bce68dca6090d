"""Speed and memory of tracing a big capture beside tshark, and methods against each other.

The capture: a proxy with 400 abused sessions, mail of its own and honest users (15 % of the bytes,
half of them what it fetches), among the traffic of other hosts. Targets: 500 MB per CPU-second,
below 200 MB.
"""

import argparse
import heapq
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from botprobe.observers.packets.segments import address
from botprobe.observers.proxytrace.captures import open_captures
from botprobe.observers.proxytrace.legtable import LegTable
from botprobe.observers.proxytrace.proxies import PROXIES_FILTER, ProxySearch, legs_filter
from tests.observers.proxytrace.methods import METHODS, precision_and_recall
from tests.observers.proxytrace.talk import BANNER, PROXY, VICTIM, Abuse, Talk, both, mail
from tests.observers.wire import ACK, SYN, Segment

SECONDS = 600.0
ABUSES, OWN, USERS = 400, 20, 200
VICTIMS = (VICTIM, "192.0.2.26")
BULK = bytes(range(256)) * 5 + bytes(168)
LIST_CONNECTS = ("tshark", "-n", "-Y", 'http.request.method == "CONNECT"', "-T", "fields")
FIELDS = ("-e", "ip.src", "-e", "http.request.uri")

Frame = tuple[float, bytes]


def crowd(luck: random.Random) -> list[Abuse]:
    """Return sessions in bursts of equal destinations; a third of the orders are by name."""
    abuses = []
    for n in range(ABUSES):
        victim = VICTIMS[n % 4 == 0]
        host = f"mx{victim[-1]}.victim.example" if n % 3 == 0 else victim
        abuses.append(
            Abuse(
                at=10 + (n // 100) * 140 + luck.random() * 3,
                origin=(f"198.51.100.{n % 90 + 1}", 20_000 + n),
                port=40_000 + n,
                victim=victim,
                order=f"CONNECT {host}:25 HTTP/1.1\r\n\r\n".encode(),
                queue_id=f"Q{n:06}",
                lag=0.0002 + luck.random() * 0.002,
            )
        )
    return abuses


def proxied(luck: random.Random) -> list[Frame]:
    """Return all frames that have to do with mail and the proxy."""
    segments = both(*crowd(luck))
    for n in range(OWN):
        own = Talk((PROXY, 45_000 + n), (VICTIM, 25), luck.random() * SECONDS)
        own.say(own.at + 0.02, BANNER, client=False)
        for m, (client, data) in enumerate(mail("root@victim.example", f"OWN{n}")):
            own.say(own.at + 0.01 + m * 0.001, data, client=client)
        segments += own.packets
    return sorted((one.at, one.frame()) for one in segments)


def bulk(size: int, luck: random.Random) -> Iterator[Frame]:
    """Yield other traffic: downloads by other hosts, by the proxy, and by its users from it."""
    flows = [
        *((f"10.1.{n >> 8}.{n & 255}", f"203.0.114.{n % 250}", 443) for n in range(2000)),
        *((PROXY, f"203.0.115.{n}", 80) for n in range(USERS)),
        *((f"10.2.0.{n}", PROXY, 3128) for n in range(USERS)),
    ]
    weights = [0.85 / 2000] * 2000 + [0.075 / USERS] * (2 * USERS)
    count = size // (len(BULK) + 70)
    sequence = [0] * len(flows)
    chosen = luck.choices(range(len(flows)), weights, k=count)
    heads = [_head(flow, n) for n, flow in enumerate(flows)]
    for n, (client, server, port) in enumerate(flows):
        for flags, ends in ((SYN, (client, server)), (SYN | ACK, (server, client))):
            ports = (1024 + n, port) if flags == SYN else (port, 1024 + n)
            one = Segment(
                source=ends[0], target=ends[1], from_port=ports[0], to_port=ports[1],
                flags=flags, sequence=0,
            )  # fmt: skip
            yield n * 1e-4, one.frame()
    for n, flow in enumerate(chosen):
        before, after = heads[flow]
        sequence[flow] += len(BULK)
        number = struct.pack("!I", (sequence[flow] - len(BULK) + 1) & 0xFFFFFFFF)
        yield 1 + n * (SECONDS - 1) / count, before + number + after


def _head(flow: tuple[str, str, int], number: int) -> tuple[bytes, bytes]:
    client, server, port = flow
    one = Segment(
        source=server, target=client, from_port=port, to_port=1024 + number, payload=BULK
    ).frame()
    return one[:38], one[42:]


def generate(path: Path, size: int) -> dict[int, int]:
    """Write the capture; return the truth: from the proxy's port to the origin's."""
    luck = random.Random(9)
    mails = proxied(luck)
    with path.open("wb", 1 << 20) as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for at, frame in heapq.merge(mails, bulk(size, luck), key=lambda one: one[0]):
            length = len(frame)
            head = struct.pack("<IIII", int(at), int(at % 1 * 1e6), length, length)
            stream.write(head + frame)
    return {one.port: one.origin[1] for one in crowd(random.Random(9))}


def run(command: Sequence[str]) -> tuple[float, float]:
    """Run a program; return its CPU seconds and the most memory of any child so far, in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, after.ru_maxrss / 1024


def table_of(path: Path) -> LegTable:
    """Collect the legs of a capture."""
    capture, search = open_captures([path]), ProxySearch()
    for at, data in capture.read(PROXIES_FILTER):
        search.take(at, data)
    hosts = search.found()
    assert [str(address(host)) for host in hosts] == [PROXY]
    table = LegTable(hosts, search.ports(hosts))
    for at, data in capture.read(legs_filter(hosts)):
        table.take(at, data)
    table.finish()
    return table


def main() -> None:
    """Generate, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="botprobe-bench-") as folder:
        path = Path(folder) / "big.pcap"
        truth = generate(path, options.megabytes * 1_000_000)
        size = path.stat().st_size / 1e6
        print(f"capture: {size:,.0f} MB, {len(truth)} abused sessions")
        _measure(
            "botprobe", size, (sys.executable, "-m", "botprobe", "proxytrace", str(path), "--json")
        )
        if shutil.which("tshark"):
            command = (*LIST_CONNECTS, *FIELDS, "-r", str(path))
            _measure("tshark, only lists the CONNECTs", size, command)
        else:
            print("tshark is not installed")
        table = table_of(path)
    print(f"{'method':<32}precision  recall")
    for name, method in METHODS.items():
        precision, recall = precision_and_recall(table.mail, method(table), truth)
        print(f"{name:<32}{precision:>9.3f}{recall:>8.3f}")


def _measure(name: str, size: float, command: Sequence[str]) -> None:
    used, memory = run(command)
    print(f"{name}: {used:.2f} CPU-s, {size / used:,.0f} MB per CPU-second, {memory:,.0f} MB")


if __name__ == "__main__":
    main()
