"""Tests of signs that several systems stand behind one address."""

from dataclasses import replace
from datetime import timedelta

import pytest

from botprobe.classify.classifier import judge
from botprobe.classify.system import several_stacks
from botprobe.model.facts import Facts
from botprobe.model.outcome import Measured
from botprobe.model.results import OsMatch, OsResult, PassiveResult
from tests.classify.builders import (
    CLOSED,
    LINUX,
    NAMED_BY_OPERATOR,
    ROUTER,
    XP,
    delivered,
    measured,
    shipped_weights,
    subject_of,
    system,
)

NOW = CLOSED.started


class TestSeveralStacks:
    @pytest.mark.parametrize(
        ("ttls", "several"),
        [
            ((), False),
            ((55,), False),
            ((55, 55, 54), False),  # two ways to one host
            ((55, 118), True),  # a Linux and a Windows
            ((118, 240), True),
            ((64, 65), False),  # 63 hops from 128, or none from 64: by the step one host
            ((55, 999), True),  # no TTL at all, and still no failure
            ((50, 45), False),  # of one start: nobody knows the ways
        ],
    )
    def test_start_their_ttls_differently(self, ttls: tuple[int, ...], *, several: bool) -> None:
        """One stack has one start, and the ways to it are nearly of one length."""
        assert several_stacks(ttls) is several


class TestIsShared:
    def with_ttls(self, stack: OsMatch, *ttls: tuple[int, int]) -> Facts:
        """A host whose open ports answered with these TTLs."""
        seen: Measured[OsResult] = system(stack, opened=[port for port, _ in ttls])
        return Facts(os=replace(seen, result=replace(seen.result, ttls=ttls)), smtp=CLOSED)

    def test_by_ports_of_several_stacks(self) -> None:
        """A router of people's own passes one port on; whose port 25 it is, nobody knows."""
        one = subject_of(self.with_ttls(XP, (135, 118), (445, 118)), NAMED_BY_OPERATOR)
        several = subject_of(self.with_ttls(XP, (135, 118), (80, 55)), NAMED_BY_OPERATOR)

        assert not one.is_shared
        assert several.is_shared

    @pytest.mark.parametrize(
        ("stack", "seen", "minutes", "shared"),
        [
            (LINUX, "Windows", 0, True),
            (LINUX, "Windows", 60, False),
            (LINUX, "Linux", 0, False),
            (XP, "Windows", 0, False),
            (XP, "Linux", 0, False),
        ],
    )
    def test_by_a_windows_that_delivered_from_behind(
        self, stack: OsMatch, seen: str, minutes: int, *, shared: bool
    ) -> None:
        """What p0f saw in the session itself, a router cannot answer for later."""
        last_seen = NOW + timedelta(minutes=minutes)
        facts = Facts(
            os=system(stack), passive=measured(PassiveResult(system=seen, last_seen=last_seen))
        )

        assert subject_of(facts, delivered(at=NOW)).is_shared is shared

    def test_is_not_undone_by_another_stack(self) -> None:
        """Whatever answers on the first port, the others are still somebody else's."""
        facts = self.with_ttls(LINUX, (22, 55), (445, 118))
        changes = judge(facts, delivered(), shipped_weights(), 0).would_change

        assert not [change for change in changes if change.endswith("it bot")]

    def test_by_a_gateway(self) -> None:
        """Its kind of device says so itself."""
        assert subject_of(Facts(os=system(ROUTER)), NAMED_BY_OPERATOR).is_shared
