"""Single keys from the terminal while something else is drawn on it."""

import asyncio
import os
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def pressed(terminal: int, act: Callable[[str], None]) -> Iterator[bool]:
    """Call ``act`` with each key until the block is left; the terminal is as before then.

    Ctrl-C stays what it is. Nothing is read where there is no terminal, or where the program runs
    in the background: it would be stopped for touching the terminal.

    Args:
        terminal: a file descriptor, mostly 0.
        act: called in the running loop.
    """
    if not os.isatty(terminal) or _in_background(terminal):
        yield False
        return
    loop, before = asyncio.get_running_loop(), termios.tcgetattr(terminal)

    def read() -> None:
        keys = _read(terminal)
        if not keys:  # the terminal has gone
            loop.remove_reader(terminal)
        for key in keys:
            act(key)

    tty.setcbreak(terminal, termios.TCSANOW)
    loop.add_reader(terminal, read)
    try:
        yield True
    finally:
        loop.remove_reader(terminal)
        with suppress(termios.error):  # it has gone
            termios.tcsetattr(terminal, termios.TCSANOW, before)


def _in_background(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # another session's terminal, which stops nobody here
        return False


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 64).decode("ascii", "replace")
    except OSError:
        return ""
