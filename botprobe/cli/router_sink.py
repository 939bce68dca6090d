"""``botprobe router sink``: keep the mail that a router redirects, and deliver nothing."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

from botprobe.cli.stderr import complain
from botprobe.errors import UsageError
from botprobe.model.text import counted
from botprobe.observers.router.sink import open_sink


def run_sink(
    maildir: Path, address: str | None, port: int, most_bytes: int, seconds: float | None
) -> None:
    """Take mails until the time is over or Ctrl-C.

    Raises:
        UsageError: it would run as root.
        InputError: the Maildir or the port cannot be had.
    """
    if os.geteuid() == 0:
        raise UsageError("router sink: takes what bots send, so run it as a user, not as root")

    async def run() -> None:
        name = socket.gethostname()
        async with open_sink(address, port, maildir, name=name, most_bytes=most_bytes) as sink:
            complain(f"listening on port {port}, mails go to {maildir}")
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await asyncio.Event().wait()
            finally:
                complain(f"{counted(sink.kept, 'mail')} kept, {sink.refused:,} refused")

    with suppress(KeyboardInterrupt):
        asyncio.run(run())
