"""The honeypot keeps what bots send, and stays within its bounds whatever they send."""

import asyncio
import errno
import json
import smtplib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from mailbox import Maildir
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from botprobe.observers.router import sink as sink_module
from botprobe.observers.router.sink import SinkHandler, open_sink
from tests.lab.proxyabuse import run_private

TEXT = "Subject: offer\r\n\r\n" + "buy\r\n" * 20
SESSION = SimpleNamespace(peer=("198.18.0.10", 4000), host_name="x.example")


@asynccontextmanager
async def sink_at(folder: Path, most_bytes: int = 1 << 20) -> AsyncIterator[tuple[Any, int]]:
    """Open a sink on loopback; yield it and its port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    async with open_sink("127.0.0.1", port, folder, name="trap", most_bytes=most_bytes) as sink:
        yield sink, port


def send(port: int, text: str = TEXT) -> str:
    """Send a mail; return what the sink said about it."""
    try:
        with smtplib.SMTP("127.0.0.1", port, "x.example", 5) as server:
            server.sendmail("a@x.example", ["b@y.example"], text)
    except (smtplib.SMTPException, OSError) as error:
        return str(error)
    return "kept"


def pour(port: int, piece: bytes, pieces: int) -> bool:
    """Begin a mail, send bytes without an end, and say whether the sink bore it."""
    with socket.create_connection(("127.0.0.1", port), 5) as bot:
        bot.sendall(b"HELO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n")
        while b"354" not in bot.recv(4096):
            pass
        try:
            for _ in range(pieces):
                bot.sendall(piece)
            bot.settimeout(0.2)
            return bool(bot.recv(1))
        except TimeoutError:
            return True
        except OSError:
            return False


def played(play: Callable[[int], Any], folder: Path, most_bytes: int = 1 << 20) -> Any:
    """Have a bot do something to a sink; return what came of it."""

    async def run() -> Any:
        async with sink_at(folder, most_bytes) as (_, port):
            return await asyncio.to_thread(play, port)

    return asyncio.run(run())


@dataclass
class SlowFolder:
    """Takes a while to keep a mail, and refuses while its disk is full."""

    kept: list[bytes] = field(default_factory=list)
    full: bool = False

    def add(self, mail: bytes) -> None:
        """Keep it."""
        time.sleep(0.02)
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.kept.append(mail)


async def offer(handler: SinkHandler, size: int) -> str:
    """Offer a mail of so many bytes."""
    envelope = SimpleNamespace(content=b"x" * size, mail_from="a@x", rcpt_tos=["b@y"])
    return await handler.handle_DATA(SimpleNamespace(release=lambda: None), SESSION, envelope)


class TestRoom:
    async def test_mails_that_come_together_do_not_pass_the_limit(self) -> None:
        """None is on the disk yet while all the others are asked about."""
        folder: Any = SlowFolder()
        handler = SinkHandler(Path("trap"), folder, "trap", 10_000)

        said = await asyncio.gather(*(offer(handler, 4_000) for _ in range(20)))

        assert said.count("250 OK") == len(folder.kept) == handler.kept == 2
        assert handler.refused == 18

    async def test_a_full_disk_is_said_to_the_bot_and_costs_no_room(self) -> None:
        """It may try again later, when there is space."""
        folder: Any = SlowFolder(full=True)
        handler = SinkHandler(Path("trap"), folder, "trap", 10_000)
        refused = [await offer(handler, 4_000) for _ in range(5)]
        folder.full = False

        assert set(refused) == {"452 insufficient system storage"}
        assert await offer(handler, 4_000) == "250 OK"

    def test_what_the_maildir_holds_already_counts(self, tmp_path: Path) -> None:
        """Else each start would keep as much again; what is taken away makes room."""
        first = played(send, tmp_path / "trap", 600)
        again = played(send, tmp_path / "trap", 600)
        for path in (tmp_path / "trap" / "new").iterdir():
            path.unlink()

        assert (first, again[:5]) == ("kept", "(452,")
        assert played(send, tmp_path / "trap", 600) == "kept"


class TestBounds:
    @pytest.mark.parametrize("piece", [b"x" * 50_000, b"\r\n" * 25_000, b"x" * 70 + b"\r\n"])
    def test_no_mail_takes_more_memory_than_is_meant_for_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: bytes
    ) -> None:
        """A line without an end, and empty lines, of which each costs a hundred bytes."""
        monkeypatch.setattr(sink_module, "MAX_WEIGHT", 400_000)

        assert not played(lambda port: pour(port, piece, 20_000), tmp_path)

    def test_all_sessions_share_one_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who comes when it is used up is cut off; who ends gives back what he had."""
        monkeypatch.setattr(sink_module, "MAX_MEMORY", 400_000)

        def play(port: int) -> tuple[bool, list[str]]:
            fine = pour(port, b"x" * 70 + b"\r\n", 1_000)
            return fine, [send(port, TEXT + "buy\r\n" * 2_000) for _ in range(9)]

        assert played(play, tmp_path) == (True, ["kept"] * 9)
        assert not played(lambda port: pour(port, b"x" * 50_000, 200), tmp_path)

    def test_too_many_sessions_are_told_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And a session that ends makes room for another."""
        monkeypatch.setattr(sink_module, "MAX_SESSIONS", 2)

        def greetings(port: int) -> list[bytes]:
            said = []
            open_ones = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(3)]
            for one in open_ones:
                said.append(one.recv(100)[:3])
                one.close()
            deadline = time.monotonic() + 5
            while send(port) != "kept" and time.monotonic() < deadline:
                time.sleep(0.01)
            return said

        assert played(greetings, tmp_path) == [b"220", b"220", b"421"]
        assert len(Maildir(tmp_path)) == 1


@pytest.mark.lab
def test_a_disk_that_is_full_leaves_only_whole_mails() -> None:
    """On a real small file system: nothing half written stays, and space lets it go on."""
    told = json.loads(run_private("tests.observers.router.fulldisk"))

    assert told["refused"].startswith("(452,")
    assert told["kept"] > 3
    assert told["sizes"] == [told["sizes"][0]] * told["kept"]
    assert told["left"] == []
    assert told["after"] == "kept"
