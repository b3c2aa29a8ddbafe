"""The interquartile mean: the mean of the middle half, which a few lost runs do not move (Agarwal and others 2021).

Agarwal, Schwarzer, Castro, Courville and Bellemare 2021, Deep reinforcement learning at the edge of the statistical
precipice, give it with a bootstrap over runs, whose percentiles hold the truth in no more than 80 to 94% of the
cases below fifty runs. Here the percentiles are those of Hesterberg 2015, What teachers should know about the
bootstrap, section 5.3, further out as the t distribution stands to the normal one, and then a little further still,
since a sample of two humps may hold one of them alone. These hold it in 94% and more from `FEWEST` runs on, on
skewed, bounded and two-humped values; with fewer runs there is no interval.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from src.analysis.stats.interval import LEVEL, Interval

FEWEST = 12
_FURTHER = 0.7  # of the share beyond each end
_N_DRAWS = 4000
_AT_ONCE = 2_000_000  # values
_MANY = 10_000  # values
_SEED = 0


def interquartile_mean(values: Sequence[float]) -> float:
    """Mean without the lowest and the highest quarter of the values, rounded down."""
    return float(_middle_mean(np.asarray(values, float)))


def interquartile_interval(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """Its interval; None below `FEWEST` values. The same values give the same interval, bit for bit."""
    n = len(values)
    if n < FEWEST:
        return None
    given = np.sort(np.asarray(values, float))
    middle_mean = _middle_mean_of_many if n > _MANY else lambda given, places: _middle_mean(given[places])
    draws = np.sort(np.concatenate([middle_mean(given, places) for places in _drawn(n)]))
    k = _beyond(n, level)
    return Interval(float(draws[k]), float(draws[-1 - k]), level)


def _drawn(n: int) -> Iterator[NDArray[np.int64]]:
    """Places that are drawn from n ordered values, (some, n), `_N_DRAWS` in all."""
    rng = np.random.default_rng(_SEED)
    rows = max(1, _AT_ONCE // n)
    for begun in range(0, _N_DRAWS, rows):
        yield rng.integers(0, n, (min(rows, _N_DRAWS - begun), n))


def _beyond(n: int, level: float) -> int:
    """How many of the draws are beyond each end."""
    from scipy.special import ndtr, stdtrit

    tail = _FURTHER * float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2)))
    return max(int(tail * (_N_DRAWS + 1)) - 1, 0)


def _middle_mean_of_many(given: NDArray[np.float64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same of ordered values at drawn places, (some, n): places are counted, which takes less than sorting them."""
    n, k = len(given), len(given) // 4
    means = []
    for places in drawn:
        # of so many draws in order, those from k to n - k
        ends = np.cumsum(np.bincount(places, minlength=n)).clip(k, n - k)
        # not as a product of matrices, for which BLAS would start threads
        means.append((given * np.diff(ends, prepend=k)).sum())
    return np.array(means) / (n - 2 * k)


def _middle_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interquartile means over the last axis."""
    n = values.shape[-1]
    k = n // 4
    mean: NDArray[np.float64] = np.sort(values, axis=-1)[..., k : n - k].mean(-1)
    return mean
