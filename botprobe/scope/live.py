"""The scope of a command that runs for a while: it follows the opt-out file."""

import time
from collections.abc import Callable
from pathlib import Path

from botprobe.errors import ConfigError, RefusedByScope
from botprobe.model.mail import IpAddress
from botprobe.model.origin import Origin
from botprobe.scope.addresses import Scope

# Seconds between two looks at the file; who opts out is to be left alone within one.
LOOK = 0.1


class LiveScope:
    """As the opt-out file is now, also at the socket; while the file is wrong, nobody is probed.

    Raises:
        ConfigError: it is wrong at the start.
    """

    def __init__(self, read: Callable[[], Scope], file: Path | None) -> None:
        self._read, self._file = read, file
        self._seen, self._looked = signature(file), time.monotonic()
        self._scope = read()
        self.changes = 0
        """How often the file was read again."""
        self.problem: str | None = None
        """What is wrong with the file, None if all is well."""

    def refusal(self, address: IpAddress) -> str | None:
        """As ``Scope.refusal``."""
        self.follow()
        if self.problem is not None:
            return "the opt-out file is wrong"
        return self._scope.refusal(address)

    def unknown(self, address: IpAddress) -> bool:
        """As ``Scope.unknown``."""
        return self._scope.unknown(address)

    def learn(self, address: IpAddress, origin: Origin) -> None:
        """As ``Scope.learn``."""
        self._scope.learn(address, origin)

    def forget(self, address: IpAddress) -> None:
        """As ``Scope.forget``."""
        self._scope.forget(address)

    def require(self, address: IpAddress) -> None:
        """As ``Scope.require``.

        Raises:
            RefusedByScope: it must not be probed; the text says why.
        """
        self.follow()
        if self.problem is not None:
            raise RefusedByScope("refused: the opt-out file is wrong")
        self._scope.require(address)

    def follow(self) -> None:
        """Read the file again if it is another than the one that was read."""
        now = time.monotonic()
        if self._file is None or now < self._looked + LOOK:
            return
        self._looked, seen = now, signature(self._file)
        if seen == self._seen:
            return
        self._seen, self.changes = seen, self.changes + 1
        try:
            self._scope, self.problem = self._read(), None
        except ConfigError as error:
            self.problem = str(error)


def signature(file: Path | None) -> object:
    """Return something that changes with a file."""
    if file is None:
        return None
    try:
        status = file.stat()
    except OSError:
        return ""
    return status.st_ino, status.st_size, status.st_mtime_ns
