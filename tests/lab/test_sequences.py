"""Sequence numbers and IP IDs, measured as nmap documents it."""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence

import pytest

from tests.lab import osdb
from tests.lab.sequences import IsnSource, plan_ip_ids, plan_isn

_CASES = [
    ("F7-10B", "1-6", "102-112"),  # random steps
    ("76-80", "1-6", "9A-A4"),
    ("0-5", "FA00", "98-A2"),  # one step of 64,000 at a time
    ("C-16", "FA00|1F400", "97-A1"),
    ("0", "0", "0"),  # always the same number
]


def _measure(numbers: Sequence[int], interval: float) -> tuple[int, int, int]:
    """Return SP, GCD and ISR of six numbers, as nmap's book defines them."""
    steps = [(b - a) % 2**32 for a, b in itertools.pairwise(numbers)]
    steps = [min(step, 2**32 - step) for step in steps]
    divisor = math.gcd(*steps)
    if not divisor:
        return 0, 0, 0
    rates = [step / interval for step in steps]
    deviation = statistics.stdev(rates) / (divisor if divisor > 9 else 1)
    spread = round(8 * math.log2(deviation)) if deviation > 1 else 0
    return spread, divisor, round(8 * math.log2(statistics.fmean(rates)))


def _fits(value: int, expression: str) -> bool:
    return any(value in allowed for allowed in osdb.intervals(expression, largest=0xFFFFFFFF))


class TestIsnSource:
    @pytest.mark.parametrize(("sp", "gcd", "isr"), _CASES)
    @pytest.mark.parametrize("start", [0, 12_345, 0xFFFF0000])
    def test_measures_as_the_entry_says(self, sp: str, gcd: str, isr: str, start: int) -> None:
        """Six probes, 100 ms apart, see the SP, GCD and ISR of the entry."""
        source = IsnSource(plan_isn(sp, gcd, isr), start)

        numbers = [source.next(probe, 10 + probe * 0.1) for probe in range(6)]

        spread, divisor, speed = _measure(numbers, 0.1)
        assert _fits(spread, sp)
        assert _fits(divisor, gcd)
        assert _fits(speed, isr)

    def test_begins_anew_with_each_series(self) -> None:
        """A second series of probes measures like the first."""
        source = IsnSource(plan_isn("C-16", "FA00", "97-A1"), 0)
        series = [
            [source.next(probe, start + probe * 0.1) for probe in range(6)] for start in (1.0, 9.0)
        ]

        assert _measure(series[0], 0.1) == _measure(series[1], 0.1)


class TestIpIds:
    @pytest.mark.parametrize(
        ("word", "fits"),
        [
            ("Z", lambda steps, ids: not any(ids)),
            ("I", lambda steps, ids: all(0 < step < 10 for step in steps)),
            ("BI", lambda steps, ids: all(step % 256 == 0 and 0 < step <= 5120 for step in steps)),
            ("RI", lambda steps, ids: all(1000 < step <= 20_000 for step in steps)),
            ("RD", lambda steps, ids: any(step > 20_000 for step in steps)),
            ("BEEF", lambda steps, ids: set(ids) == {0xBEEF}),
        ],
    )
    def test_are_of_the_class_of_the_entry(
        self, word: str, fits: Callable[[list[int], tuple[int, ...]], bool]
    ) -> None:
        """Each class of nmap's book has its own kind of steps."""
        ids = plan_ip_ids(word, None, None, None).open
        steps = [(b - a) % 0x10000 for a, b in itertools.pairwise(ids)]

        assert fits(steps, ids)

    @pytest.mark.parametrize("word", ["I", "BI", "RI"])
    @pytest.mark.parametrize("shared", ["S", "O"])
    def test_icmp_shares_the_counter_or_not(self, word: str, shared: str) -> None:
        """Within three average steps of the last TCP number, nmap calls the counter shared."""
        ids = plan_ip_ids(word, word, word, shared)
        average = (ids.open[-1] - ids.open[0]) / 5

        assert (ids.icmp[0] < ids.open[-1] + 3 * average) == (shared == "S")
