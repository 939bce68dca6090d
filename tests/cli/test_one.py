"""What commands say where there is one of everything."""

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from botprobe.cli.app import app
from botprobe.store.sqlite import SqliteStore
from tests.cases import HOST, bot_case
from tests.observers.router.test_counting import talk
from tests.observers.wire import write_pcap

LINE = "Feb 17 10:00:00 mx postfix/smtpd[1]: connect from unknown[192.0.2.1]\n"
NOUNS = "addresses|clients|connections|days|files|hosts|lines|mails|packets|times"
WRONG = re.compile(rf"(?<![0-9.,:])1 (?:{NOUNS})\b")
SQUID = (
    "1290000000.000 5 198.18.0.7 TCP_TUNNEL/200 39 CONNECT 198.18.9.9:25 - DIRECT/198.18.9.9 -\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store of one host, a log of one line, and a capture of one packet."""
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("BOTPROBE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    async def keep() -> None:
        async with SqliteStore(tmp_path / "cases.sqlite") as store:
            await store.add_case(bot_case())

    asyncio.run(keep())
    (tmp_path / "mail.log").write_text(LINE)
    (tmp_path / "access.log").write_text(SQUID)
    (tmp_path / "labels.csv").write_text(f"ip,truth\n{HOST},bot\n")
    write_pcap(tmp_path / "x.pcap", [(1.0, talk("198.18.0.7", "198.18.9.9", 25, 1)[0].frame())])
    return tmp_path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("maillog mail.log --year 2026", "1 line read"),
        ("router --pcap x.pcap", "1 packet of 1 file"),
        ("router --pcap x.pcap", "1 address: "),
        ("proxytrace x.pcap", "1 file, 1 packet of interest"),
        ("proxytrace --log access.log", "1 client asked 1 time for a mail connection"),
        ("rejudge --store cases.sqlite", "1 host judged by"),
        ("evaluate --store cases.sqlite --labels labels.csv", "1 host; 0 of the table"),
        ("report --store cases.sqlite --week this", "0 mails named 0 addresses; 0 investigated"),
        ("router --pcap x.pcap --keep --store cases.sqlite", "1 observation kept"),
    ],
)
def test_one_is_not_many(place: Path, command: str, said: str) -> None:
    """Numbers and nouns agree on every screen."""
    done = CliRunner().invoke(app, command.split())

    assert done.exit_code == 0, done.output
    assert said in done.output
    assert not WRONG.search(done.output), WRONG.search(done.output)
