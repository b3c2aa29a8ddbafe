"""An interval for the mean of a bounded metric that holds at any number of values, whatever their distribution.

Somebody bets against the claim that the mean is m: each value x multiplies a fortune by 1 + c (x/m - 1), with a share
c of it at stake. Were m the mean, no fortune would be expected to grow, so that it is above 1/a with probability a at
most (Ville 1939). The interval holds every m that has not made such a bettor rich: Waudby-Smith and Ramdas 2024,
Estimating means of bounded random variables by betting, Journal of the Royal Statistical Society B 86(1). The fortune
here is divided among many shares c, each kept to the end (their diversified bets), so that the order of values does
not matter; one half of the error goes to each end.

It is wide: of eight runs at 99% nobody knows that there is no ninth one at 50%.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from src.analysis.stats.interval import LEVEL, Interval

# Shares of the fortune, as Beta(1/2, 1/2) has them: many careful ones and many bold ones.
_STAKES = np.sin((np.arange(100) + 0.5) * np.pi / 200) ** 2

# Values that are computed at once.
_AT_ONCE = 1_000_000


def mean_interval(values: Sequence[float], bounds: tuple[float, float], level: float = LEVEL) -> Interval | None:
    """Interval of the mean; None below two values.

    Args:
        values: Independent, each within the bounds.
        bounds: Lowest and highest possible value.
        level: What the interval is to reach.

    Raises:
        ValueError: If a value is not within the bounds.
    """
    low, high = bounds
    x = (np.asarray(values, float) - low) / (high - low)
    if len(x) < 2:
        return None
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"values within {low} and {high} expected, got {min(values)} to {max(values)}")
    rich = np.log(2 / (1 - level))
    ends = (low + (high - low) * _lower(x, rich), high - (high - low) * _lower(1 - x, rich))
    # rounding of a mean of equal values
    return Interval(min(ends), max(ends), level)


def _lower(x: NDArray[np.float64], rich: float) -> float:
    """Largest m in [0, mean of x] against which one gets rich; the fortune falls as m grows."""
    if x.max() == 0:
        return 0.0
    from scipy.optimize import brentq

    # equal values, of which a share of few rows has many, are looked at once
    distinct, counts = np.unique(x, return_counts=True)

    def surplus(m: float) -> float:
        return _log_fortune(distinct, m, counts) - rich

    least, mean = 1e-300, float(x.mean())
    return 0.0 if mean <= least or surplus(least) < 0 else float(brentq(surplus, least, mean, xtol=1e-15, rtol=1e-14))


def _log_fortune(x: NDArray[np.float64], m: float, counts: NDArray[np.int64] | int = 1) -> float:
    """Of values, each of which comes so often."""
    # of a hundred thousand values and all stakes at once there would be 80 MB
    size = max(1, _AT_ONCE // len(x))
    parts = [_STAKES[at : at + size, None] for at in range(0, len(_STAKES), size)]
    growth = np.concatenate([(np.log1p(part * (x / m - 1)) * counts).sum(1) for part in parts])  # (stakes,)
    return float(np.logaddexp.reduce(growth) - np.log(len(_STAKES)))
