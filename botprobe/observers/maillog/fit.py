"""A straight line that outliers cannot bend: Theil-Sen, with Sen's confidence interval.

The slope is the median of the slopes through all pairs of points, so nearly a third of the days
may be abnormal. P. K. Sen, Estimates of the regression coefficient based on Kendall's tau,
Journal of the American Statistical Association 63 (1968).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist, StatisticsError, correlation, median

# Half a million pairs; three years of days.
MAX_POINTS = 1_000
MIN_POINTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """y = slope * x + intercept."""

    slope: float
    low: float
    """Lower end of the 95 % confidence interval of the slope."""
    high: float
    intercept: float
    r: float | None
    """Pearson's correlation of x and y; None if one of them does not vary."""
    points: int

    def at(self, x: float) -> float:
        """Return the line's y."""
        return self.slope * x + self.intercept


def fit_line(xs: Sequence[float], ys: Sequence[float], confidence: float = 0.95) -> Line | None:
    """Fit a line robustly; None with fewer than five points or without any spread of x.

    Only the last 1,000 points are used.
    """
    xs, ys = xs[-MAX_POINTS:], ys[-MAX_POINTS:]
    slopes = sorted(
        (y2 - y1) / (x2 - x1)
        for (x1, y1), (x2, y2) in combinations(zip(xs, ys, strict=True), 2)
        if x1 != x2
    )
    if len(xs) < MIN_POINTS or not slopes:
        return None
    slope = median(slopes)
    low, high = _interval(slopes, len(xs), confidence)
    return Line(
        slope=slope,
        low=low,
        high=high,
        intercept=median(y - slope * x for x, y in zip(xs, ys, strict=True)),
        r=pearson(xs, ys),
        points=len(xs),
    )


def pearson(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Return the correlation, None where it is not defined."""
    try:
        return correlation(xs, ys)
    except StatisticsError:
        return None


def _interval(slopes: Sequence[float], points: int, confidence: float) -> tuple[float, float]:
    """Return the slopes that Kendall's tau would just not reject (normal approximation)."""
    variance = points * (points - 1) * (2 * points + 5) / 18
    spread = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance)
    lower = round((len(slopes) - spread) / 2)
    upper = round((len(slopes) + spread) / 2) - 1
    return slopes[max(lower, 0)], slopes[min(upper, len(slopes) - 1)]
