"""What a running router tells while something is wrong, and writes down every hour."""

import asyncio
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from botprobe.cli import router_live, router_view
from botprobe.cli.router_live import RouterBoard
from botprobe.cli.router_options import Pace
from botprobe.cli.router_screen import SortBy
from botprobe.cli.router_view import Books, View
from botprobe.errors import StoreError
from botprobe.model.mail import IpAddress
from botprobe.model.observation import Observation
from botprobe.model.results import RouterAction, RouterTraffic
from botprobe.observers.router.credit import Action, CreditRule, SequentialTest
from botprobe.observers.router.table import Entry, judge
from botprobe.settings import Settings

BOT, USER = ip_address("198.18.0.10"), ip_address("198.18.0.11")


async def test_suspects_are_written_down_while_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Every hour, with what was done; a store that fails is told of and tried again."""
    tries: list[Sequence[Observation]] = []
    loop, written = asyncio.get_running_loop(), asyncio.Event()

    def keep(_: Settings, observed: Sequence[Observation], __: Mapping[IpAddress, str]) -> None:
        tries.append(observed)
        if len(tries) == 1:
            raise StoreError("the disk is full")
        loop.call_soon_threadsafe(written.set)

    monkeypatch.setattr(router_live, "KEEP_EVERY", 0.01)
    monkeypatch.setattr(router_view, "keep", keep)
    rule, pace = CreditRule(), Pace(every=1, seconds=None, block_seconds=60, confirm=False)
    board = RouterBoard(View(rule=rule, sort=SortBy.CREDIT), pace, None)
    books = Books(config=None, store=str(tmp_path / "s"), keep=True, investigate=False)
    entries = [
        Entry(address=address, credit=credit, smtp=200, mailbox=0, last=1.0)
        for address, credit in ((BOT, 200), (USER, 20))
    ]
    board.table([judge(one, rule, SequentialTest()) for one in entries])
    board.acted(board.judged[0], Action.DROP)

    keeping = asyncio.create_task(router_live.keep_hourly(board, books))
    await asyncio.wait_for(written.wait(), 5)
    keeping.cancel()

    (observed,) = tries[1]
    assert observed.address == BOT
    assert isinstance(observed.saw, RouterTraffic)
    assert (observed.saw.suspect, observed.saw.action) == (True, RouterAction.DROP)
    assert capsys.readouterr().err.count("not kept: the disk is full") == 1


def test_metrics_that_cannot_be_written_are_told_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk must not end the router; when there is space again, they are there."""
    folder = tmp_path / "metrics"
    view = View(rule=CreditRule(), sort=SortBy.CREDIT, textfile=folder / "router.prom")
    pace = Pace(every=1, seconds=None, block_seconds=60, confirm=False)
    board = RouterBoard(view, pace, None)

    board.table([])
    board.table([])
    folder.mkdir()
    board.table([])

    assert capsys.readouterr().err.count("cannot write") == 1
    assert "botprobe_router_addresses" in (folder / "router.prom").read_text()
