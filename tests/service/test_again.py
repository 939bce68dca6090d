"""Later looks."""

from datetime import timedelta

import pytest

from botprobe.errors import ConfigError
from botprobe.service.again import next_look, parse_again
from tests.cases import NOON

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class TestParseAgain:
    @pytest.mark.parametrize(
        ("texts", "intervals"),
        [
            ([], ()),
            (["1h,24h,60d"], (HOUR, DAY, 60 * DAY)),
            (["2w", "30m", "30m, 1d"], (HOUR / 2, DAY, 14 * DAY)),
        ],
    )
    def test_reads_intervals(self, texts: list[str], intervals: tuple[timedelta, ...]) -> None:
        """They come out rising, each once, however they were written."""
        assert parse_again(texts) == intervals

    @pytest.mark.parametrize("text", ["1", "h", "0h", "-1h", "1y", "1.5h", "99999d", "1h 2h"])
    def test_anything_else_is_a_mistake(self, text: str) -> None:
        """A typing error does not become a look in a thousand years."""
        with pytest.raises(ConfigError, match="not an interval"):
            parse_again([text])


class TestNextLook:
    def test_counts_from_the_first_look(self) -> None:
        """The study's looks are an hour, a day and two months after the first."""
        again = (HOUR, DAY, 60 * DAY)

        looks = [NOON]
        while look := next_look(NOON, again, looks[-1]):
            looks.append(look)

        assert looks == [NOON, NOON + HOUR, NOON + DAY, NOON + 60 * DAY]

    def test_one_look_makes_up_for_those_that_were_missed(self) -> None:
        """After a week of down-time a host is not asked twice in a row."""
        assert next_look(NOON, (HOUR, DAY, 60 * DAY), NOON + 7 * DAY) == NOON + 60 * DAY
