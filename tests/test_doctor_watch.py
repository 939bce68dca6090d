"""What the doctor says of a watch: its mailboxes and its clock."""

import os
from pathlib import Path

import pytest

from botprobe.doctor import State
from botprobe.doctor import _clock as clock_check
from botprobe.doctor import _guarded as guarded
from botprobe.doctor import _mailboxes as mailboxes_check
from botprobe.doctor import _stop_file as stop_file_check
from botprobe.settings import Settings, WatchTable


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


async def test_a_mailbox_that_mails_cannot_leave_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants mails moved learns before the start that the service may not move them."""
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    read_only = watching(tmp_path)
    moving = Settings(watch=WatchTable(mailboxes=(str(tmp_path),), after="move:Done"))

    checks = [await guarded(mailboxes_check, settings) for settings in (read_only, moving)]

    assert [check.state for check in checks] == [State.GOOD, State.BAD]
    assert str(tmp_path) in checks[1].says


async def test_a_forgotten_stop_file_is_found(tmp_path: Path) -> None:
    """A service that probes nobody for a week is asked why."""
    stop = tmp_path / "stop"
    settings = Settings(watch=WatchTable(stop_file=str(stop)))
    before = await stop_file_check(settings)
    stop.touch()
    after = await stop_file_check(settings)

    assert (before.state, after.state) == (State.GOOD, State.WARNING)
    assert after.mend == f"rm {stop}"
