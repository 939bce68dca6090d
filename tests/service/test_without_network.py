"""The process that reads mails, where others ask the hosts: it needs no network and no rights.

``docs/decisions/0110`` and ``docs/safety.md`` offer it to whoever does not want a parser of hostile
mail to be able to send a packet.
"""

import asyncio
import os
import signal
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.store.postgres import PostgresStore
from tests.postgres import Server
from tests.service.bench_watch import SETTINGS, Box
from tests.service.labwatch import wait_until

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.lab,
    pytest.mark.timeout(60),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a network namespace away"),
]

# systemd's PrivateNetwork=yes, and no capability at all: not even a loopback is up.
ALONE = ("unshare", "--net", "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")


async def test_a_watch_without_network_takes_mails_for_others(
    tmp_path: Path, postgres: Server
) -> None:
    """Over the database's Unix socket: the mail is kept, and its host is due for a worker."""
    url = postgres.new_database()
    async with PostgresStore(url, make_tables=True):
        pass

    routes, code, said = await asyncio.to_thread(watch_alone, tmp_path, url)

    assert '"event": "mail"' in said
    assert routes == []
    assert code == 0
    async with PostgresStore(url) as store:
        history = await store.history(ip_address("198.18.70.1"))
    assert history is not None
    assert history.due is not None


def watch_alone(folder: Path, url: str) -> tuple[list[str], int, str]:
    """Let a watch without network take a mail; return its routes, its exit and its words."""
    config, box, said = folder / "botprobe.toml", Box(folder / "box"), folder / "said"
    config.write_text(f"store = '{url}'\n{SETTINGS}")
    command = [sys.executable, "-m", "botprobe", "watch", str(box.path), "-c", str(config)]
    with said.open("wb") as out:
        watch = subprocess.Popen([*ALONE, "--", *command, "--jsonl"], stdout=out, stderr=out)
    box.deliver(box.prepare("198.18.70.1"))
    try:
        wait_until(lambda: b'"event": "mail"' in said.read_bytes(), 30)
        routes = Path(f"/proc/{watch.pid}/net/route").read_text().splitlines()[1:]
    finally:
        watch.send_signal(signal.SIGTERM)
        code = watch.wait(20)
    return routes, code, said.read_text()
