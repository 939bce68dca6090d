"""What a service tells systemd: ready, alive, what it does (sd_notify(3), systemd.service(5))."""

import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Supervisor:
    """Sends states to the socket that systemd names; without one, nothing is sent."""

    address: str | None = None
    watchdog_seconds: float | None = None
    """How often systemd wants to hear from us, None if it does not."""
    _next_sign: float = 0.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Supervisor":
        """Read what systemd put into the environment."""
        watchdog = None
        if environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            usec = environ.get("WATCHDOG_USEC", "")
            watchdog = int(usec) / 1e6 if usec.isdigit() else None
        return cls(environ.get("NOTIFY_SOCKET"), watchdog)

    def ready(self) -> None:
        """Say that the service works."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that settings are being read again; ``ready`` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service comes to its end."""
        self._send("STOPPING=1")

    def status(self, line: str) -> None:
        """Say in one line what the service does; ``systemctl status`` shows it."""
        self._send(f"STATUS={line}")

    def alive(self) -> None:
        """Give a sign of life, twice as often as it is asked for."""
        if self.watchdog_seconds is not None and time.monotonic() >= self._next_sign:
            self._next_sign = time.monotonic() + self.watchdog_seconds / 2
            self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self.address:
            return
        # A name that begins with @ is one of Linux' abstract name space.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(state.encode(), address)
        except OSError as error:
            logger.debug("sd_notify: %s", error.strerror)
