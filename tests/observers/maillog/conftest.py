"""Where the tests find real logs, and how they count a few lines."""

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import pytest

from botprobe.observers.maillog.dress import undress
from botprobe.observers.maillog.scanner import LogScanner
from botprobe.observers.maillog.stamps import YearClock
from botprobe.observers.maillog.tally import LogTally
from tests.observers.maillog.comparing import BY_BULK, BY_PATTERN

SHARED_LOGS = Path(__file__).parents[4] / "shared" / "data" / "maillogs"

CountLines = Callable[..., LogTally]


@pytest.fixture
def shared_logs() -> Path:
    """Return the directory of real logs, which is not part of the project."""
    if not SHARED_LOGS.is_dir():
        pytest.skip("the real mail logs are not here (../shared/data/maillogs)")
    return SHARED_LOGS


@pytest.fixture(params=[BY_BULK, BY_PATTERN], ids=["bulk", "pattern"])
def count_lines(request: pytest.FixtureRequest) -> CountLines:
    """Return a function that counts lines, as they would stand in one file."""

    def count(lines: Iterable[str], reference: date = date(2026, 11, 22)) -> LogTally:
        tally = LogTally()
        chunk = "".join(line if line.endswith("\n") else line + "\n" for line in lines)
        tally.add(
            LogScanner(bulk_from=request.param).scan(undress(chunk.encode())), YearClock(reference)
        )
        tally.settle()
        return tally

    return count
