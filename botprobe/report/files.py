"""Files for people and for other programs, written whole."""

import os
import tempfile
from pathlib import Path

from botprobe.errors import InputError


def write_whole(path: Path, text: str) -> None:
    """Put a text into a file that anybody may read; otherwise as ``write_bytes``."""
    write_bytes(path, text.encode(), mode=0o644)


def write_bytes(path: Path, data: bytes, mode: int) -> None:
    """Put bytes into a file; whoever reads it sees the old or the new ones, never half of them.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=".", suffix=".part", delete=False
        ) as part:
            try:
                part.write(data)
                part.flush()
                os.fsync(part.fileno())
                os.fchmod(part.fileno(), mode)
                os.replace(part.name, path)  # noqa: PTH105  # a name, not a Path
            except BaseException:
                os.unlink(part.name)  # noqa: PTH108
                raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
