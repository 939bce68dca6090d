"""Level shifts of a series of days: optimal partitioning with a penalty for each change.

B. Jackson et al., An algorithm for optimal partitioning of data on an interval, IEEE Signal
Processing Letters 12 (2005). The series has a few hundred points, so the quadratic time is none.
"""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median

from botprobe.observers.maillog.baseline import MAD_SCALE, MIN_SCALE

MIN_LENGTH = 7
"""Days on each side of a change: a shorter one is an event."""
MAX_POINTS = 1_000
# One abnormal day must not look like a level.
CLIP = 4.0
PENALTY = 6.0
"""In units of the logarithm of the length; high, because days are not independent of each other."""


def change_points(values: Sequence[float]) -> list[int]:
    """Return the positions at which a new level begins.

    Args:
        values: a measure per day, logarithms without weekly rhythm.
    """
    scaled = _standardised(values[-MAX_POINTS:])
    offset = max(0, len(values) - MAX_POINTS)
    sums = [0.0, *accumulate(scaled)]
    squares = [0.0, *accumulate(value * value for value in scaled)]

    def cost(start: int, end: int) -> float:
        total = sums[end] - sums[start]
        return squares[end] - squares[start] - total * total / (end - start)

    penalty = PENALTY * math.log(len(scaled) + 1)
    best = [-penalty] + [math.inf] * len(scaled)
    last = [0] * (len(scaled) + 1)
    for end in range(MIN_LENGTH, len(scaled) + 1):
        starts = [0, *range(MIN_LENGTH, end - MIN_LENGTH + 1)]
        best[end], last[end] = min((best[s] + cost(s, end) + penalty, s) for s in starts)
    return [offset + position for position in _backtrack(last, len(scaled))]


def _standardised(values: Sequence[float]) -> list[float]:
    """Scale by the noise from day to day, which no level shift touches."""
    if len(values) < 2 * MIN_LENGTH:
        return list(values)
    steps = [abs(b - a) for a, b in pairwise(values)]
    scale = max(MAD_SCALE * median(steps) / math.sqrt(2), MIN_SCALE)
    middle = median(values)
    # Clip the distance from the neighbourhood, not from the whole: a level may be far away.
    near = [median(values[max(0, i - 3) : i + 4]) for i in range(len(values))]
    return [
        (n - middle) / scale + max(-CLIP, min(CLIP, (value - n) / scale))
        for value, n in zip(values, near, strict=True)
    ]


def _backtrack(last: Sequence[int], end: int) -> list[int]:
    found = []
    while end > 0 and last[end] > 0:
        end = last[end]
        found.append(end)
    return found[::-1]
