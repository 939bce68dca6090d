"""A growing log, across its rotation, as ``tail -F`` follows it."""

import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO

from botprobe.errors import InputError
from botprobe.observers.maillog.files import CHUNK_BYTES

POLL_SECONDS = 1.0


class LogFollower:
    """Yields what is appended to a file, whole lines only; opens it anew when it was rotated.

    Renaming and re-creating (logrotate's ``create``) shows as another inode, ``copytruncate``
    as a file shorter than what was read of it.
    """

    def __init__(self, path: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._sleep = sleep
        self._rest = b""

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield what there is and then what comes, ``b""`` whenever nothing came; never ends.

        Raises:
            InputError: the file cannot be opened at the start.
        """
        file = self._open()
        if file is None:
            raise InputError(f"cannot read {self._path}")
        try:
            while True:
                # Asked before the read: the last lines of a file that was rotated away count too.
                replaced = self._was_replaced(file)
                chunk = file.read(CHUNK_BYTES)
                if chunk:
                    yield from self._whole_lines(chunk)
                elif replaced:
                    file.close()
                    file = self._reopen()
                elif os.fstat(file.fileno()).st_size < file.tell():
                    file.seek(0)
                    self._rest = b""
                else:
                    yield b""
                    self._sleep(POLL_SECONDS)
        finally:
            file.close()

    def _whole_lines(self, chunk: bytes) -> Iterator[bytes]:
        chunk = self._rest + chunk
        end = chunk.rfind(b"\n") + 1
        if not end and len(chunk) > CHUNK_BYTES:
            end = len(chunk)  # an endless line is cut, as everywhere
        self._rest = chunk[end:]
        if end:
            yield chunk[:end]

    def _was_replaced(self, file: BinaryIO) -> bool:
        try:
            return not os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except OSError:
            return False  # between the renaming and the new file

    def _reopen(self) -> BinaryIO:
        self._rest = b""
        while (file := self._open()) is None:
            self._sleep(POLL_SECONDS)
        return file

    def _open(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except OSError:
            return None
