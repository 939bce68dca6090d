"""A .zst file to read from, which says when it is damaged or was cut off.

The library takes the end of the file for the end. But the lengths of all frames and blocks stand in
front of them (RFC 8878, section 3.1): the file is walked from one to the next without unpacking it.
"""

from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

_FRAME = b"\x28\xb5\x2f\xfd"
_LONGEST_HEADER = 18
_REPEATED_BYTE, _CHECKSUM_BYTES = 1, 4


class ZstFile(RawIOBase):
    """What is packed in a file, as bytes."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: that cannot be done.
        """
        self._path, self._packed = path, zstandard.open(path, "rb")

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Unpack into a buffer, and return how much there was.

        Raises:
            OSError: the file is damaged.
            EOFError: it was cut off.
        """
        try:
            size: int = self._packed.readinto(buffer)
        except zstandard.ZstdError as error:
            raise OSError(str(error)) from error
        if not size and self._path.is_file() and not is_whole(self._path):
            raise EOFError("it ends before the end of its last frame")
        return size

    def close(self) -> None:
        """Close the file."""
        self._packed.close()
        super().close()


def is_whole(path: Path) -> bool:
    """Say whether a file ends where a frame ends.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size, place = path.stat().st_size, 0
        while place < size:
            file.seek(place)
            end = _end_of_frame(file, size)
            if end is None or end > size:
                return False
            place = end
    return True


def _end_of_frame(file: BinaryIO, size: int) -> int | None:
    """Return where a frame ends, from where it begins; None if it is none, or breaks off."""
    place, start = file.tell(), file.read(_LONGEST_HEADER)
    if start[:4] != _FRAME:  # one to be skipped, by its length; or none
        skipped = start[1:4] == b"\x2a\x4d\x18" and start[0] >> 4 == 5 and len(start) >= 8
        return place + 8 + int.from_bytes(start[4:8], "little") if skipped else None
    try:
        place += zstandard.frame_header_size(start)
        checksum = zstandard.get_frame_parameters(start).has_checksum
    except zstandard.ZstdError:
        return None
    last = False
    while not last and place < size:
        file.seek(place)
        block = int.from_bytes(file.read(3), "little")
        last, kind, length = bool(block & 1), block >> 1 & 3, block >> 3
        place += 3 + (1 if kind == _REPEATED_BYTE else length)
    return place + _CHECKSUM_BYTES * checksum if last else None
