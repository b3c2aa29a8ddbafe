"""How often intervals of one group hold what is true of all 2,000 runs, and how wide they are.

Each method stands here once more for many draws at a time, made of the parts of the report's own function; of the first
`_N_CHECKED` draws both are compared.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage.results import Seeds, Truth, Values
from src.analysis.stats import betting, bootstrap, orders, shares
from src.analysis.stats.interval import LEVEL, Interval

_N_CHECKED = 20
_NEAR = 1e-9


class Held(NamedTuple):
    """Draws of n values.

    Attributes:
        share: In how many of them the interval held the truth.
        width: Mean width of the intervals.
        level: What the interval says of itself.
    """

    share: float
    width: float
    level: float


Method = Callable[[Truth, Seeds], "Held | None"]


def median(truth: Truth, seeds: Seeds) -> Held:
    """Of the median."""
    return median_of(truth.values, seeds)


def median_of(values: Values, seeds: Seeds) -> Held:
    """Of the median of any values, such as differences."""
    low, high, level = median_ends(values[seeds])
    _check(values[seeds], low, high, orders.median_interval)
    return _held(low, high, float(np.median(values)), level)


def median_ends(drawn: Values) -> tuple[Values, Values, float]:
    """Ends of the interval of each draw (b, n), and its level."""
    ordered = np.sort(drawn, axis=1)
    # of 0, 1, 2, ... the ends are the places of those of any values
    places = orders.median_interval(range(drawn.shape[1]))
    assert places is not None
    return ordered[:, int(places.low)], ordered[:, int(places.high)], places.level


def interquartile_mean(truth: Truth, seeds: Seeds) -> Held | None:
    """Of the interquartile mean; None where there are too few seeds for an interval."""
    n = seeds.shape[1]
    if n < bootstrap.FEWEST:
        return None
    ordered = np.sort(truth.values[seeds], axis=1)
    means = np.sort(ordered @ _middle_weights(n).T, axis=1)
    k = bootstrap._beyond(n, LEVEL)
    low, high = means[:, k], means[:, -1 - k]
    _check(truth.values[seeds], low, high, bootstrap.interquartile_interval)
    return _held(low, high, bootstrap.interquartile_mean(truth.values.tolist()), LEVEL)


@cache
def _middle_weights(n: int) -> Values:
    """What each of n ordered values counts in the interquartile mean of every bootstrap draw, (draws, n)."""
    places = np.sort(np.concatenate(list(bootstrap._drawn(n))), axis=1)
    middle = places[:, n // 4 : n - n // 4]
    weights = np.zeros((len(middle), n))
    np.add.at(weights, (np.arange(len(middle))[:, None], middle), 1 / middle.shape[1])
    return weights


def mean(truth: Truth, seeds: Seeds) -> Held | None:
    """Of the mean; None of what has no bounds."""
    if not truth.is_share:
        return None
    drawn, true = truth.values[seeds], float(truth.values.mean())
    found = [betting.mean_interval(row, (0.0, 1.0)) for row in drawn[: 5 * _N_CHECKED].tolist()]
    rich = np.log(2 / (1 - LEVEL))
    is_held = np.array([_poor(row, true, rich) and _poor(1 - row, 1 - true, rich) for row in drawn])
    for each, held in zip(found, is_held, strict=False):
        assert each is not None
        assert held == (each.low <= true <= each.high)
    return Held(float(is_held.mean()), float(np.mean([each[1] - each[0] for each in found if each])), LEVEL)


def _poor(x: Values, m: float, rich: float) -> bool:
    """Whether no bet against a mean of at most m has made rich."""
    return betting._log_fortune(x, m) < rich


def failed(truth: Truth, seeds: Seeds) -> Held:
    """Of the share of runs that failed, by chance."""
    return share(truth.failed, seeds)


def a_few_failed(truth: Truth, seeds: Seeds) -> Held:
    """The same where the condition is one that the worst twentieth meets."""
    bad = truth.values if truth.lower_is_better else -truth.values
    return share(bad > np.quantile(bad, 0.95), seeds)


def share(met: NDArray[np.bool_], seeds: Seeds) -> Held:
    """Of the share of runs that meet a condition."""
    n = seeds.shape[1]
    ends = np.array([_ends(shares.share_interval(k, n)) for k in range(n + 1)])
    low, high = ends[met[seeds].sum(1)].T
    return _held(low, high, float(met.mean()), LEVEL)


def naive_mean(truth: Truth, seeds: Seeds) -> Held:
    """Mean and t distribution, which reports do not use: for comparison."""
    from scipy.special import stdtrit

    drawn, n = truth.values[seeds], seeds.shape[1]
    half = stdtrit(n - 1, (1 + LEVEL) / 2) * drawn.std(1, ddof=1) / np.sqrt(n)
    return _held(drawn.mean(1) - half, drawn.mean(1) + half, float(truth.values.mean()), LEVEL)


METHODS: dict[str, Method] = {
    "median": median,
    "interquartile mean": interquartile_mean,
    "mean of a share": mean,
    "share of runs that failed": failed,
    "share of runs beyond a number": a_few_failed,
}


def _held(low: Values, high: Values, true: float, level: float) -> Held:
    near = _NEAR * max(1.0, abs(true))
    is_held = (low - near <= true) & (true <= high + near)
    return Held(float(is_held.mean()), float((high - low).mean()), level)


def _check(drawn: Values, low: Values, high: Values, own: Callable[[Sequence[float]], Interval | None]) -> None:
    for row, *ends in zip(drawn[:_N_CHECKED].tolist(), low, high, strict=False):
        assert np.allclose(_ends(own(row)), ends, rtol=1e-9, atol=1e-12), "not the report's interval"


def _ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high
