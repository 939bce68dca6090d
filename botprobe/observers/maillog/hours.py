"""The hours of a chunk, which share what was counted in all of it at once."""

from collections.abc import Iterator, Sequence

import numpy as np

from botprobe.observers.maillog.events import HourEvents
from botprobe.observers.maillog.rows import HourLines, Places


class Hours:
    """The hours of a chunk, each with what was counted in it."""

    def __init__(self, hours: Sequence[HourLines]) -> None:
        self.events = [HourEvents(hour.hour, hour.behind - hour.first) for hour in hours]
        lines = [hour.behind - hour.first for hour in hours]
        self.stamp_size = len(hours[lines.index(max(lines))].hour)
        """How long the usual form of a stamp is, as far as its hour."""
        self.usual = np.repeat([len(hour.hour) == self.stamp_size for hour in hours], lines)
        """Which lines of the chunk have stamps of this form."""
        self._bounds = [*(hour.first for hour in hours), hours[-1].behind]

    def parts(self, numbers: Places) -> Iterator[tuple[HourEvents, slice]]:
        """Say which of some lines, given by their rising numbers, are of which hour."""
        bounds = np.searchsorted(numbers, self._bounds).tolist()
        for events, first, behind in zip(self.events, bounds, bounds[1:], strict=False):
            if behind > first:
                yield events, slice(first, behind)
