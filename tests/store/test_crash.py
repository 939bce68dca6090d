"""What a kill -9 leaves behind."""

import random
import subprocess
import sys
from pathlib import Path

from botprobe.store.sqlite import SqliteStore
from tests.store.crashing import HOSTS, MAILS
from tests.store.test_sqlite import rows

ROOT = Path(__file__).parents[2]


def run(path: Path, steps: int | None) -> bool:
    """Let the program work, kill it after so many steps, and say whether it came to its end."""
    command = [sys.executable, "-m", "tests.store.crashing", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        for done, _ in enumerate(process.stdout, 1):
            if done == steps:
                process.kill()
                break
    return process.returncode == 0


async def test_a_kill_loses_no_mail_and_doubles_no_verdict(tmp_path: Path) -> None:
    """However often it is killed, each mail is kept once and each host has one case."""
    path = tmp_path / "cases.sqlite"
    chance = random.Random(9)

    killed = [run(path, chance.randrange(1, 30)) for _ in range(4)]
    finished = run(path, None)

    assert (any(killed), finished) == (False, True)
    assert rows(path, "select count(*), count(distinct key) from mail") == [(MAILS, MAILS)]
    assert rows(path, "select count(*) from delivery") == [(MAILS,)]
    assert rows(path, "select sum(sightings) from host") == [(MAILS,)]
    assert rows(path, 'select count(*), count(distinct ip) from "case"') == [(HOSTS, HOSTS)]
    async with SqliteStore(path) as store:
        assert await store.waiting() == 0
