"""The median and its interval between two of the values: right for every distribution, at any number of values.

The median is below the k-th smallest of n values only where fewer than k of them are below the median, and each is so
with probability 1/2; so the interval from the k-th smallest to the k-th largest misses it with probability
2 P(Binomial(n, 1/2) < k), exactly for values without ties, and no more often with them (David and Nagaraja 2003, Order
Statistics, section 7.1).
"""

from collections.abc import Sequence

import numpy as np

from src.analysis.stats.interval import LEVEL, Interval


def median(values: Sequence[float]) -> float:
    """The value in the middle, or the mean of the two there."""
    return float(np.median(values))


def median_interval(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """The narrowest such interval that reaches the level, else the widest with what it reaches; None below two values.

    Of up to five values the widest reaches less than 95%: 50, 75, 87.5 and 93.75% from two values on.
    """
    from scipy.special import bdtr

    n = len(values)
    if n < 2:
        return None
    k = 1
    while k < n // 2 and 2 * bdtr(k, n, 0.5) <= 1 - level:
        k += 1
    ordered = np.sort(np.asarray(values, float))
    return Interval(float(ordered[k - 1]), float(ordered[n - k]), min(level, 1 - 2 * float(bdtr(k - 1, n, 0.5))))
