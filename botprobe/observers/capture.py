"""Packets out of capture files, filtered in C before Python sees any of them.

Read are pcap and pcapng (the IETF opsawg drafts pcap and pcapng), both also packed by gzip, and
folders of rotated files. libpcap does the work, so a gigabyte of which little is wanted takes a
second and no memory; what is handed on begins with the IP header, whatever the link was.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from botprobe.errors import InputError
from botprobe.observers.reading import ReadNotes

_MAGICS = frozenset(
    bytes.fromhex(magic)
    for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "0a0d0d0a")  # pcap, ns, pcapng
)
_GZIP = b"\x1f\x8b"

# So many packets are in memory at a time.
_BATCH = 4096

_ETHERNET = 1
# From the link's type (tcpdump.org/linktypes.html) to the length of its header, where it is fixed.
_HEADERS = {0: 4, 108: 4, 9: 4, 12: 0, 14: 0, 101: 0, 228: 0, 229: 0, 113: 16, 276: 20}
_VLAN_TAGS = frozenset((b"\x81\x00", b"\x88\xa8", b"\x91\x00"))
_IP = frozenset((b"\x08\x00", b"\x86\xdd"))
# Behind "vlan" all offsets of a filter are shifted (pcap-filter(7)): so it stands last.
_WITH_VLAN = "({0}) or (vlan and (({0}) or (vlan and ({0}))))"


class Packet(NamedTuple):
    """One packet of the network layer, as far as it was captured."""

    at: float
    """Seconds since the epoch."""
    data: bytes
    """From the IP header on."""


@dataclass(slots=True)
class CaptureNotes(ReadNotes):
    """What was read of captures, and what could not be."""

    packets: int = 0
    """That the filter let through."""
    strangers: int = 0
    """Of these, packets that are no IP."""


def capture_files(paths: Iterable[Path], notes: ReadNotes) -> list[Path]:
    """List the files to read; of a folder all captures in it, by the time of their first packet.

    Args:
        paths: captures and folders.
        notes: where a folder that cannot be read, or holds no capture, is noted.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
        elif inside := _captures_in(path, notes):
            files += sorted(inside, key=lambda one: (_first_moment(one), one))
    return files


def _captures_in(folder: Path, notes: ReadNotes) -> list[Path]:
    try:
        inside = [one for one in folder.iterdir() if _is_capture(one)]
        problem = "" if inside else f"no capture in the folder {folder}"
    except OSError as error:
        inside, problem = [], f"cannot read {folder}: {error.strerror}"
    if problem:
        notes.files += 1
        notes.miss(problem)
    return inside


def read_packets(files: Iterable[Path], bpf: str, notes: CaptureNotes) -> Iterator[Packet]:
    """Yield the packets that a filter lets through, file by file.

    Args:
        files: captures; one that cannot be read, or not to its end, is noted, and the next follows.
        bpf: a filter as of pcap-filter(7); frames with VLAN tags come in by themselves.
        notes: where what was read is counted.

    Raises:
        InputError: pcapy-ng is not installed.
    """
    for file in files:
        for link, batch in read_batches(file, bpf, notes):
            for header, frame in batch:
                data = network_layer(link, frame)
                if data is None:
                    notes.strangers += 1
                else:
                    seconds, micros = header.getts()
                    yield Packet(seconds + micros / 1e6, data)


def read_batches(
    file: Path, bpf: str, notes: CaptureNotes
) -> Iterator[tuple[int, list[tuple[Any, bytes]]]]:
    """Yield the link's type and some thousand frames with libpcap's header, until the end.

    Raises:
        InputError: pcapy-ng is not installed.
    """
    notes.files += 1
    pcapy = _library()
    try:
        with _readable(file) as name:
            reader = pcapy.open_offline(name)
            reader.setfilter(_WITH_VLAN.format(bpf) if reader.datalink() == _ETHERNET else bpf)
            for batch in _batches(reader):
                notes.packets += len(batch.packets)
                if batch.broke:
                    notes.damaged.append(f"{file}: {batch.broke.removeprefix(f'{name}: ')}")
                yield reader.datalink(), batch.packets
    except pcapy.PcapError as error:
        notes.miss(f"cannot read {file}: {str(error).removeprefix(f'{name}: ')}")
    except OSError as error:
        notes.miss(f"cannot read {file}: {error.strerror}")


class _Batch(NamedTuple):
    packets: list[tuple[Any, bytes]]
    """Each with libpcap's header."""
    broke: str
    """Why there will be no more, where that is not the end of the file."""


def _batches(reader: Any) -> Iterator[_Batch]:
    complete = True
    while complete:
        packets: list[tuple[Any, bytes]] = []
        broke = ""
        try:
            complete = reader.dispatch(_BATCH, lambda *packet: packets.append(packet)) > 0  # noqa: B023  # called before the next turn
        except _library().PcapError as error:
            complete, broke = False, str(error)
        yield _Batch(packets, broke)


def network_layer(link: int, frame: bytes) -> bytes | None:
    """Return a frame from its IP header on; None where it holds none.

    Args:
        link: the link's type, as of tcpdump.org/linktypes.html.
        frame: as captured.
    """
    if link == _ETHERNET:
        start, kind = 14, frame[12:14]
        while kind in _VLAN_TAGS:
            kind, start = frame[start + 2 : start + 4], start + 4
        if kind not in _IP:
            return None
    elif (start := _HEADERS.get(link, -1)) < 0:
        return None
    data = frame[start:]
    return data if data[:1] and data[0] >> 4 in (4, 6) else None


def _library() -> Any:
    """Return pcapy-ng, an extra that most installations do without.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pcapy  # noqa: PLC0415  # optional
    except ImportError as error:
        raise InputError("captures need the package pcapy-ng: install botprobe[capture]") from error
    return pcapy


def _is_capture(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError:
        return False
    return start in _MAGICS or start[:2] == _GZIP


def _first_moment(path: Path) -> float:
    """The time of the first packet; a file without one comes last."""
    pcapy = _library()
    with suppress(pcapy.PcapError, OSError), _readable(path) as name:
        header, _ = pcapy.open_offline(name).next()
        if header is not None:
            seconds, micros = header.getts()
            return float(seconds + micros / 1e6)
    return float("inf")


@contextmanager
def _readable(path: Path) -> Iterator[str]:
    """Give a name that libpcap can open: of the file, or of the pipe that unpacks it.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
    if start[:2] != _GZIP:
        yield os.fspath(path)
        return
    # A program of its own: libpcap would wait for a thread of ours while it keeps it from running.
    with subprocess.Popen(
        ["gzip", "-dc", "--", os.fspath(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as unpacking:
        assert unpacking.stdout is not None  # noqa: S101  # it is a pipe
        try:
            yield f"/dev/fd/{unpacking.stdout.fileno()}"
        finally:
            unpacking.kill()
