"""An audience of several."""

import pytest

from botprobe.service.audience import MAX_TOLD, Everyone
from tests.service.fakes import FakeAudience


def test_hundreds_who_meet_the_same_trouble_tell_it_once() -> None:
    """A full disk fills no log as well; another trouble is told all the same."""
    heard = FakeAudience()
    everyone = Everyone([heard])

    for line in ["disk is full"] * 500 + ["store is locked"]:
        everyone.trouble(line)

    assert heard.troubles == ["disk is full", "store is locked"]


def test_a_trouble_that_lasts_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute the operator hears of it once more, and memory has a bound."""
    monkeypatch.setattr("botprobe.service.audience.REPEAT", 0.0)
    heard = FakeAudience()
    everyone = Everyone([heard])

    for number in range(2 * MAX_TOLD):
        everyone.trouble(str(number % (MAX_TOLD + 1)))

    assert len(heard.troubles) == 2 * MAX_TOLD
    assert len(everyone._told) <= MAX_TOLD
