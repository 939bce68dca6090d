"""The tests' own PostgreSQL server leaves nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.lab.runner import ROOT
from tests.postgres import server

pytestmark = pytest.mark.postgres

RUNS = """
import signal
from tests.postgres import server
with server() as running:
    print(running.folder, flush=True)
    signal.pause()
"""


def processes_of(folder: Path) -> list[int]:
    """Return the processes that name a folder in their command line."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in line.read_bytes():
                found.append(int(line.parent.name))
        except OSError:  # it has ended
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_takes_server_and_folder_along(number: signal.Signals) -> None:
    """Whoever ends a benchmark finds no server and no folder of it."""
    with subprocess.Popen(
        [sys.executable, "-c", RUNS], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().decode().strip())
        assert (folder / "data").is_dir()
        process.send_signal(number)

    assert process.returncode != 0
    assert not folder.exists()
    assert processes_of(folder) == []


def test_a_server_that_cannot_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure in the middle of the start is cleaned up after, too."""
    folders: list[Path] = []

    def fail(url: str) -> None:
        folders.append(Path(url.partition("host=")[2].partition("&")[0]))
        raise RuntimeError("the test gives up")

    monkeypatch.setattr(psycopg, "connect", fail)
    with pytest.raises(RuntimeError, match="gives up"), server():
        pass

    assert not folders[0].exists()
    assert processes_of(folders[0]) == []
