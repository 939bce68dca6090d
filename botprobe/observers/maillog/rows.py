"""The bytes of a chunk, looked at in thousands of lines at once, by NumPy.

A row is what stands from some place on: 8 to 192 bytes, of as many lines as are asked for in one
call. Rows reach beyond the end of their line where it is shorter; who reads them asks whether what
was found lies before it.
"""

import sys
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from botprobe.observers.maillog.heads import stamp_hour

Places = NDArray[np.int64]
Truths = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

MAX_ROW = 192
_WORD = 8
_LINE_FEED = 10
# A chunk with more hours, and fewer lines in each, is not in order.
_MANY_HOURS, _FEW_LINES = 16, 30
# For each length of a text: what of its row belongs to it.
_KEPT = np.array(
    [list(b"\xff" * length + bytes(MAX_ROW - length)) for length in range(MAX_ROW + 1)], np.uint8
).view(np.uint64)


class HourLines(NamedTuple):
    """Lines whose stamps are of one hour, by the numbers of the first and of the one behind."""

    hour: bytes
    first: int
    behind: int


class Start:
    """A text that rows may begin with."""

    def __init__(self, text: bytes) -> None:
        self.size = len(text)
        parts = (text[at : at + _WORD] for at in range(0, len(text), _WORD))
        self._words = [(_number(part), _number(b"\xff" * len(part))) for part in parts]

    def of(self, rows: Bytes) -> Truths:
        """Say which rows begin with the text."""
        words = rows.view(np.uint64)
        (wanted, kept), *more = self._words
        found: Truths = (words[:, 0] & kept) == wanted
        for column, (wanted, kept) in enumerate(more, start=1):
            found &= (words[:, column] & kept) == wanted
        return found


class Rows:
    """Whole lines of a log: one chunk after the other, in the same memory."""

    chunk: bytes
    starts: Places
    """Where each line begins."""
    ends: Places
    """Where each line ends: the place of its line feed."""

    def __init__(self) -> None:
        self._grow(1 << 20)

    def load(self, chunk: bytes) -> bool:
        """Look for the lines of a chunk; False if it has a NUL byte or an unfinished line."""
        size = len(chunk)
        if b"\0" in chunk or not chunk.endswith(b"\n"):
            return False
        if size + MAX_ROW > len(self._text):
            self._grow(size)
        self._text[:size] = np.frombuffer(chunk, np.uint8)
        self._text[size : size + MAX_ROW] = 0
        self.chunk = chunk
        self.ends = np.flatnonzero(
            np.equal(self._text[:size], _LINE_FEED, out=self._line_feeds[:size])
        )
        self.starts = np.concatenate(([0], self.ends[:-1] + 1))
        return True

    def _grow(self, size: int) -> None:
        # New memory for each chunk would cost three times what is done with it.
        self._text: Bytes = np.zeros(size + MAX_ROW, np.uint8)
        self._line_feeds: Truths = np.zeros(size + MAX_ROW, np.bool_)

    def at(self, places: Places, width: int) -> Bytes:
        """Return what stands from each place on; the width is rounded up to a multiple of 8."""
        width = -(-width // _WORD) * _WORD
        windows = np.ndarray((len(self.chunk) + 1,), f"V{width}", self._text, strides=(1,))
        return windows[np.minimum(places, len(self.chunk))].view(np.uint8).reshape(-1, width)

    def texts(self, places: Places, lengths: Places) -> list[bytes]:
        """Cut out texts of at most ``MAX_ROW`` bytes."""
        if not len(places):
            return []
        words = self.at(places, max(1, int(np.max(lengths)))).view(np.uint64)
        columns = words.shape[1]
        kept = words & _KEPT[:, :columns][lengths]
        # Strings of NumPy end before their last NUL bytes.
        texts: list[bytes] = kept.view(f"S{columns * _WORD}").ravel().tolist()
        return texts

    def lines(self, numbers: Places) -> bytes:
        """Join lines to a block of their own."""
        places = zip(self.starts[numbers].tolist(), self.ends[numbers].tolist(), strict=True)
        return b"".join([self.chunk[start : end + 1] for start, end in places])

    def hours(self, width: int) -> list[HourLines]:
        """Split by the hour of the stamps; nothing if the lines are not in order.

        Args:
            width: how much of most stamps tells the hour.
        """
        starts = self.starts.tolist()
        firsts = [*self._changes(width + 1), len(starts)]
        hours: list[HourLines] = []
        for first, behind in pairwise(firsts):
            hour = stamp_hour(self.chunk, starts[first])
            if len(hour) == width:
                hours.append(HourLines(hour, first, behind))
            else:  # a line in another form, which says nothing of the next one
                lines = range(first, behind)
                hours += (HourLines(stamp_hour(self.chunk, starts[n]), n, n + 1) for n in lines)
            if len(hours) > max(_MANY_HOURS, len(starts) // _FEW_LINES):
                return []
        return hours

    def _changes(self, width: int) -> list[int]:
        """Return the numbers of lines that begin otherwise than the line before."""
        rows = self.at(self.starts, width)
        if Start(self.chunk[:width]).of(rows).all():
            return [0]
        words = rows.view(np.uint64)
        words = words & _KEPT[width][: words.shape[1]]
        differs = words[1:] != words[:-1]
        return [0, *(np.flatnonzero(differs[:, 0] | differs[:, -1]) + 1).tolist()]


def find(rows: Bytes, character: bytes) -> Places:
    """Return where a character first stands in each row; 0 if it does not, or at the start."""
    place: Places = (rows == ord(character)).argmax(axis=1)
    return place


def first_word(rows: Bytes) -> Places:
    """Return how many letters and digits each row begins with; 0 also if it has nothing else."""
    # Bytes wrap around: what lies below the first letter or digit is far above the last one.
    other = ((rows | 0x20) - ord("a") > 25) & (rows - ord("0") > 9)
    length: Places = other.argmax(axis=1)
    return length


def _number(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text.ljust(_WORD, b"\0"), sys.byteorder))
