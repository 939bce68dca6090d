"""What the doctor says of a watch: its mailboxes and its clock."""

from pathlib import Path

from botprobe.config import Settings, WatchTable
from botprobe.doctor import State
from botprobe.doctor import _clock as clock_check
from botprobe.doctor import _guarded as guarded
from botprobe.doctor import _mailboxes as mailboxes_check


def watching(*mailboxes: Path) -> Settings:
    """Return settings with these mailboxes."""
    return Settings(watch=WatchTable(mailboxes=tuple(map(str, mailboxes))))


async def test_a_mailbox_that_can_be_watched_is_good(tmp_path: Path) -> None:
    """The check makes the same watch that the service would make."""
    check = await guarded(mailboxes_check, watching(tmp_path))

    assert (check.name, check.state) == ("mailboxes", State.GOOD)


async def test_a_mailbox_that_is_missing_is_named(tmp_path: Path) -> None:
    """A typing error is found before the service starts."""
    check = await guarded(mailboxes_check, watching(tmp_path / "nowhere"))

    assert check.state is State.BAD
    assert "nowhere" in check.says


async def test_the_clock_is_looked_at() -> None:
    """Whether anybody keeps it right depends on the machine; that it is told does not."""
    check = await clock_check(Settings())

    assert check.name == "clock"
    assert (check.state is State.GOOD) == (not check.mend)
