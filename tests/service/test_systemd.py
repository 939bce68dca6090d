"""What a service tells systemd."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from botprobe.service.systemd import Supervisor


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Return a socket that listens as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        yield heard


def test_tells_how_it_stands(listener: socket.socket) -> None:
    """Ready, status and the end arrive as systemd expects them."""
    supervisor = Supervisor.from_environment({"NOTIFY_SOCKET": listener.getsockname()})

    supervisor.ready()
    supervisor.status("7 waiting")
    supervisor.stopping()

    assert [listener.recv(99) for _ in range(3)] == [b"READY=1", b"STATUS=7 waiting", b"STOPPING=1"]


def test_gives_signs_of_life_as_often_as_asked(listener: socket.socket) -> None:
    """The watchdog hears from us twice in its interval, not at every turn of the loop."""
    environment = {
        "NOTIFY_SOCKET": listener.getsockname(),
        "WATCHDOG_USEC": "60000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    supervisor = Supervisor.from_environment(environment)

    for _ in range(5):
        supervisor.alive()

    assert listener.recv(99) == b"WATCHDOG=1"
    with pytest.raises(BlockingIOError):
        listener.recv(99)


def test_the_watchdog_of_another_process_is_not_ours(listener: socket.socket) -> None:
    """A child that inherits the environment does not speak for its parent."""
    environment = {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}

    assert Supervisor.from_environment(environment).watchdog_seconds is None


def test_without_systemd_nothing_is_sent(tmp_path: Path) -> None:
    """On a terminal, or with a socket that is gone, nobody notices."""
    Supervisor().ready()
    Supervisor(str(tmp_path / "gone")).ready()

    assert list(tmp_path.iterdir()) == []
