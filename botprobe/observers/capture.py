"""Packets out of capture files, filtered in C before Python sees any of them.

Read are pcap and pcapng (the IETF opsawg drafts pcap and pcapng), both also packed by gzip, and
folders of rotated files. libpcap does the work, so a gigabyte of which little is wanted takes a
second and no memory; what is handed on begins with the IP header, whatever the link was.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from botprobe.errors import InputError
from botprobe.observers.reading import ReadNotes

_MAGICS = frozenset(
    bytes.fromhex(magic)
    for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "0a0d0d0a")  # pcap, ns, pcapng
)
_GZIP = b"\x1f\x8b"

# So many frames are in memory at a time; libpcap takes none of more than 256 KB.
_BATCH = 1024
# How pcapy-ng describes a frame of a batch.
_ROW = Struct("=4I")

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


@dataclass(frozen=True, slots=True)
class Batch:
    """Some hundred frames in one piece: an object for each costs more than to read it."""

    link: int
    """The link's type (tcpdump.org/linktypes.html)."""
    data: bytes
    """The frames, one behind the other."""
    index: bytes
    """The rows, packed."""

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self.index) // _ROW.size

    def rows(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield of each frame: seconds since the epoch, microseconds, start in ``data``, length."""
        return _ROW.iter_unpack(self.index)

    def places(self) -> tuple[list[int], list[int]]:
        """Return where in ``data`` the frames begin, and their lengths."""
        numbers = memoryview(self.index).cast("I")
        return numbers[2::4].tolist(), numbers[3::4].tolist()

    def frames(self) -> Iterator[bytes]:
        """Yield frame by frame."""
        for _, _, start, length in self.rows():
            yield self.data[start : start + length]

    def moment(self, number: int) -> float:
        """Return the time of a frame, in seconds since the epoch."""
        seconds, micros, _, _ = _ROW.unpack_from(self.index, number * _ROW.size)
        return float(seconds + micros / 1e6)

    def part(self, start: int, stop: int) -> "Batch":
        """Return some of the frames."""
        return replace(self, index=self.index[start * _ROW.size : stop * _ROW.size])


def pack(link: int, frames: Iterable[tuple[int, int, bytes]]) -> Batch:
    """Make a batch of single frames, each with its seconds and microseconds."""
    data, index = bytearray(), bytearray()
    for seconds, micros, frame in frames:
        index += _ROW.pack(seconds, micros, len(data), len(frame))
        data += frame
    return Batch(link, bytes(data), bytes(index))


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
        for batch in read_batches(file, bpf, notes):
            for seconds, micros, start, length in batch.rows():
                data = network_layer(batch.link, batch.data[start : start + length])
                if data is None:
                    notes.strangers += 1
                else:
                    yield Packet(seconds + micros / 1e6, data)


def read_batches(file: Path, bpf: str, notes: CaptureNotes) -> Iterator[Batch]:
    """Yield the frames that a filter lets through, until the end.

    Raises:
        InputError: pcapy-ng is not installed.
    """
    notes.files += 1
    pcapy = _library()
    try:
        with _readable(file) as name:
            reader, whole = _open(name, bpf), 0
            try:
                while batch := _next_batch(reader):
                    whole += 1
                    notes.packets += len(batch)
                    yield batch
            except pcapy.PcapError as error:
                notes.damaged.append(f"{file}: {_reason(error, name)}")
                rest = _before_damage(file, bpf, whole)
                notes.packets += len(rest)
                yield rest
    except pcapy.PcapError as error:
        notes.miss(f"cannot read {file}: {_reason(error, name)}")
    except OSError as error:
        notes.miss(f"cannot read {file}: {error.strerror}")


def _open(name: str, bpf: str) -> Any:
    reader = _library().open_offline(name)
    reader.setfilter(_WITH_VLAN.format(bpf) if reader.datalink() == _ETHERNET else bpf)
    return reader


def _next_batch(reader: Any) -> Batch:
    data, index = reader.next_batch(_BATCH)
    return Batch(reader.datalink(), data, index)


def _before_damage(file: Path, bpf: str, whole: int) -> Batch:
    """Read again what comes after whole batches: pcapy-ng forgets a batch that ends in damage."""
    link, frames = _ETHERNET, list[tuple[Any, bytes]]()
    with suppress(_library().PcapError, OSError), _readable(file) as name:
        reader = _open(name, bpf)
        link = reader.datalink()
        for _ in range(whole):
            reader.next_batch(_BATCH)
        reader.dispatch(_BATCH, lambda *frame: frames.append(frame))
    return pack(link, ((*header.getts(), frame) for header, frame in frames))


def _reason(error: Exception, name: str) -> str:
    return str(error).removeprefix(f"{name}: ")


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
