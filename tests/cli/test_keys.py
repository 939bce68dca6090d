"""Keys that are pressed while a table is drawn."""

import asyncio
import os
import pty
import termios

from rich.live import Live

from botprobe.cli.keys import pressed
from botprobe.cli.router_live import RouterBoard
from botprobe.cli.router_options import Pace
from botprobe.cli.router_screen import SortBy
from botprobe.cli.router_view import View
from botprobe.observers.router.credit import CreditRule


async def test_each_key_is_told_and_the_terminal_is_as_before() -> None:
    """Without echo and without waiting for a line; afterwards lines are lines again."""
    master, terminal = pty.openpty()
    before, keys = termios.tcgetattr(terminal), asyncio.Queue[str]()
    with pressed(terminal, keys.put_nowait) as listens:
        during = termios.tcgetattr(terminal)
        os.write(master, b"cd")
        async with asyncio.timeout(5):
            told = await keys.get() + await keys.get()

    assert listens
    assert told == "cd"
    assert during[3] & (termios.ICANON | termios.ECHO) == 0
    assert during[3] & termios.ISIG
    assert termios.tcgetattr(terminal) == before
    os.close(master)
    os.close(terminal)


async def test_a_terminal_that_goes_away_stops_nothing() -> None:
    """Whoever closes the window has not ended the router."""
    master, terminal = pty.openpty()
    keys = list[str]()
    with pressed(terminal, keys.append):
        os.close(master)
        await asyncio.sleep(0.05)

        assert not asyncio.get_running_loop().remove_reader(terminal)
    assert keys == []
    os.close(terminal)


async def test_nothing_is_read_where_there_is_no_terminal() -> None:
    """A pipe belongs to others."""
    reading, writing = os.pipe()
    with pressed(reading, print) as listens:
        assert not listens
    os.close(reading)
    os.close(writing)


def test_a_key_sorts_and_any_other_does_nothing() -> None:
    """The letters stand below the table."""
    view = View(rule=CreditRule(), sort=SortBy.CREDIT)
    pace = Pace(every=1, seconds=None, block_seconds=1, confirm=False)
    board = RouterBoard(view, pace, Live())

    sorted_by = []
    for key in "dx\x1ban":
        board.press(key)
        sorted_by.append(board.sort)

    assert sorted_by == [
        *(SortBy.DESTINATIONS, SortBy.DESTINATIONS, SortBy.DESTINATIONS),
        *(SortBy.ADDRESS, SortBy.CONNECTIONS),
    ]
