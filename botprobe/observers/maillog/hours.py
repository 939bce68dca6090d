"""The hours of a chunk, which share what was counted in all of it at once."""

from collections.abc import Iterator, Sequence

import numpy as np

from botprobe.observers.maillog.events import HourEvents
from botprobe.observers.maillog.heads import is_syslog_hour
from botprobe.observers.maillog.rows import HourLines, Places


class Hours:
    """The hours of a chunk, each with what was counted in it."""

    def __init__(self, hours: Sequence[HourLines], hour_width: int) -> None:
        self.events = [HourEvents(hour.hour, hour.behind - hour.first) for hour in hours]
        lines = [hour.behind - hour.first for hour in hours]
        self.usual = np.repeat([_is_usual(hour.hour, hour_width) for hour in hours], lines)
        """Which lines of the chunk have stamps of the usual form."""
        self._bounds = [*(hour.first for hour in hours), hours[-1].behind]

    def parts(self, numbers: Places) -> Iterator[tuple[HourEvents, slice]]:
        """Say which of some lines, given by their rising numbers, are of which hour."""
        bounds = np.searchsorted(numbers, self._bounds).tolist()
        for events, first, behind in zip(self.events, bounds, bounds[1:], strict=False):
            if behind > first:
                yield events, slice(first, behind)


def _is_usual(hour: bytes, width: int) -> bool:
    return len(hour) == width and is_syslog_hour(hour)
