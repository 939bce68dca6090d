"""The board of a running router: what it tells while something is wrong."""

from pathlib import Path

import pytest

from botprobe.cli.router_live import RouterBoard
from botprobe.cli.router_options import Pace
from botprobe.cli.router_screen import SortBy
from botprobe.cli.router_view import View
from botprobe.observers.router.credit import CreditRule


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
