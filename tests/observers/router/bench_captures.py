"""Speed and memory of ``botprobe router --pcap`` beside tshark and a plain loop with dpkt.

The captures are an hour of a site with 1,300 machines, two of them bots (capturemaker). The loop
with dpkt counts the same by itself, in the simplest way, and both must come to the same numbers.
Targets at all shares of mail: 1,200 MB per CPU-second, below 50 MB of memory.
"""

import argparse
import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from typing import NamedTuple

import dpkt

from botprobe import __file__ as package
from tests.observers.router.capturemaker import generate
from tests.observers.router.reference import SMALL, Reference

SHARES = (0.01, 0.05, 0.2)
PEERS_BYTES = 100_000_000
"""tshark and dpkt read so much; tshark's memory grows with the file."""
_FIELDS = ("ip.src", "ipv6.src", "tcp.srcport", "tcp.dstport", "tcp.flags")
_SMALL = "tcp.port in {25,465,587,110,995,143,993} && (ip.len < 200 || ipv6.plen < 160)"
TSHARK = ("tshark", "-n", "-Y", _SMALL, "-T", "fields", *(f"-e{one}" for one in _FIELDS))


class Cost(NamedTuple):
    """What a program took."""

    cpu: float
    memory: float
    """The most that was resident, in MB."""
    printed: bytes


def count_with_dpkt(path: Path) -> dict[str, list[int]]:
    """Return credit, packets that send and packets that fetch, by address."""
    reference = Reference()
    with path.open("rb") as stream:
        for at, frame in dpkt.pcap.Reader(stream):
            packet = dpkt.ethernet.Ethernet(frame).data
            if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6):
                continue
            tcp = packet.data
            size = packet.len if isinstance(packet, dpkt.ip.IP) else packet.plen + 40
            if isinstance(tcp, dpkt.tcp.TCP) and size < SMALL:
                there, back = (packet.src, tcp.sport), (packet.dst, tcp.dport)
                reference.take(at, there, back, tcp.flags)
    return reference.result()


def run(command: Sequence[str]) -> Cost:
    """Run a program to its end; CPU seconds are those of user and system."""
    with tempfile.TemporaryFile() as printed:
        child = subprocess.Popen(command, stdout=printed, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{command[0]} ended with {child.returncode}")
        printed.seek(0)
        return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, printed.read())


def botprobe(path: Path) -> tuple[str, ...]:
    """Return our command."""
    return sys.executable, "-m", "botprobe", "router", "--pcap", str(path), "--json"


def dpkt_loop(path: Path) -> tuple[str, ...]:
    """Return the command of the loop."""
    return sys.executable, "-m", __spec__.name, "--count", str(path)


def counted_by_us(document: bytes) -> dict[str, list[int]]:
    """Return the same of our own table, without those who only answer."""
    return {
        ip_address(one["ip"]).packed.hex(): [
            one["credit"], one["smtp_packets"], one["mailbox_packets"]
        ]
        for one in json.loads(document)["addresses"]
        if one["smtp_packets"] or one["mailbox_packets"]
    }  # fmt: skip


def tell(name: str, size: int, *costs: Cost) -> None:
    """Print the median of some runs."""
    cpu, memory = median(one.cpu for one in costs), max(one.memory for one in costs)
    speed = size / 1e6 / cpu
    print(f"{name:<50}{cpu:>7.2f} CPU-s{speed:>7,.0f} MB per CPU-s{memory:>6,.0f} MB", flush=True)


def cut(path: Path, size: int) -> Path:
    """Copy the start of a capture, up to the end of a packet."""
    part, end = path.with_suffix(".part"), 24
    with path.open("rb") as stream:
        while end < size:
            stream.seek(end)
            end += 16 + int.from_bytes(stream.read(16)[8:12], "little")
    # A program that we start counts our own memory as its own: so this stays small.
    with part.open("wb") as copy:
        subprocess.run(("head", "-c", str(end), str(path)), stdout=copy, check=True)
    return part


def compare(path: Path, share: float, runs: int) -> bool:
    """Measure all three; say whether the counts are equal."""
    size = path.stat().st_size
    print(f"\ncapture: {size / 1e6:,.0f} MB, {share:.0%} of it mail", flush=True)
    costs = [run(botprobe(path)) for _ in range(runs)]
    tell(f"botprobe, median of {runs}", size, *costs)
    part = cut(path, PEERS_BYTES)
    length = part.stat().st_size
    start = f"the first {length / 1e6:,.0f} MB"
    if shutil.which("tshark"):
        listing = run((*TSHARK, "-r", str(part)))
        tell(f"tshark, only lists the packets, {start}", length, listing)
    tell(f"a loop with dpkt, {start}", length, run(dpkt_loop(part)))
    ours = counted_by_us(costs[0].printed)
    equal: bool = ours == json.loads(run(dpkt_loop(path)).printed)
    packets = sum(sent + fetched for _, sent, fetched in ours.values())
    print(f"{len(ours)} addresses with {packets:,} packets;", end=" ")
    print(f"equal to the independent count: {'yes' if equal else 'NO'}", flush=True)
    return equal


def main() -> None:
    """Generate, measure, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--share", type=float, nargs="*", default=SHARES, help="of mail in the bytes"
    )
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count:
        print(json.dumps(count_with_dpkt(options.count)))
        return
    # As an installer does it: else each run would compile botprobe anew where Python may not write.
    compileall.compile_dir(Path(package).parent, quiet=1)
    with tempfile.TemporaryDirectory(prefix="botprobe-bench-") as folder:
        path = Path(folder) / "big.pcap"
        for share in options.share:
            generate(path, options.megabytes * 1_000_000, share)
            if not compare(path, share, options.runs):
                sys.exit("the counts differ")


if __name__ == "__main__":
    main()
