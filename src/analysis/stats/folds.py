"""Means of folds, whose training parts overlap, so that J of them say less than J independent values.

Nadeau and Bengio 2003, Inference for the generalization error, Machine Learning 52: the variance of the mean is (1/J
+ n_test/n_train) s^2 in the place of s^2/J, for the interval and for the paired t test, then called the corrected
resampled t test. Where all differences are equal it is undefined, and the exact sign test of as many differences as
that variance stands for takes its place.
"""

import math
from collections.abc import Sequence

import numpy as np

from src.analysis.stats.interval import LEVEL, Interval


def corrected_interval(values: Sequence[float], overlap: float, level: float = LEVEL) -> Interval | None:
    """Interval of the mean by the t distribution; None below two values.

    Args:
        values: One per fold.
        overlap: Test rows over training rows of a fold.
        level: What the interval is to reach.
    """
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return None
    if all_equal(values):
        return Interval(values[0], values[0], level)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * float(np.std(values, ddof=1)) * math.sqrt(1 / n + overlap)
    mean = float(np.mean(values))
    return Interval(mean - half, mean + half, level)


def corrected_p_value(differences: Sequence[float], overlap: float) -> float | None:
    """Two-sided p value of the mean being zero; None below two differences."""
    from scipy.special import stdtr

    n = len(differences)
    if n < 2:
        return None
    # as many independent differences would make a mean as sure
    worth = 1 / (1 / n + overlap)
    if all_equal(differences):
        return 1.0 if differences[0] == 0 else min(1.0, 2 * 0.5 ** math.floor(worth + 1e-9))
    t = float(np.mean(differences)) / float(np.std(differences, ddof=1)) * math.sqrt(worth)
    return 2 * float(stdtr(n - 1, -abs(t)))


def all_equal(values: Sequence[float]) -> bool:
    """Whether values differ by no more than rounding does."""
    return max(values) - min(values) <= 1e-12 * max(map(abs, values))
