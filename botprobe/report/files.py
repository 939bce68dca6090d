"""Files for people and for other programs, written whole."""

import os
import tempfile
from pathlib import Path

from botprobe.errors import InputError


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a text into a file; whoever reads it sees the old or the new one, never half of it.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".", suffix=".part", delete=False
        ) as part:
            try:
                part.write(text)
                part.flush()
                os.fsync(part.fileno())
                os.fchmod(part.fileno(), mode)
                os.replace(part.name, path)  # noqa: PTH105  # a name, not a Path
            except BaseException:
                os.unlink(part.name)  # noqa: PTH108
                raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
