"""How often two or more groups are told apart that are equal, how often called equal that are not, and what is found.

Equal groups are different seeds of one configuration, or two configurations on the same seeds with names that are
swapped at random, seed by seed.
"""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage.intervals import Held, median_ends, median_of, share
from benchmarks.coverage.results import Seeds, Truth, Values, draw
from src.analysis.stats import signed_rank
from src.analysis.stats.comparison import compare, holm
from src.analysis.stats.interval import LEVEL
from src.analysis.stats.margin import are_within

ALPHA = 1 - LEVEL
POINT = 0.01
_N_CHECKED = 20
_EXACT = 0.06  # what may be below it is counted exactly


class Gains(NamedTuple):
    """What is said of groups that differ by so much.

    Attributes:
        better: In what share of the draws the better one is found.
        worse: In what share the other one is called better.
        width: Mean width of the interval of the median difference.
    """

    better: float
    worse: float
    width: float


def same_configuration(truth: Truth, rng: np.random.Generator, n_draws: int, n: int) -> float:
    """In what share of the draws one of two groups of the same configuration is called better."""
    a, b = _groups(truth.values, rng, n_draws, n, 2)
    return float((p_values(a, b) < ALPHA).mean())


def swapped_names(first: Truth, second: Truth, rng: np.random.Generator, n_draws: int, n: int) -> float:
    """The same of two configurations on the same seeds, each seed with either name."""
    seeds = draw(rng, n_draws, n)
    a, b = first.values[seeds], second.values[seeds]
    is_swapped = rng.random(a.shape) < 0.5
    return float((p_values(np.where(is_swapped, b, a), np.where(is_swapped, a, b)) < ALPHA).mean())


def best_of(truth: Truth, rng: np.random.Generator, n_draws: int, n: int, n_groups: int) -> float:
    """In what share of the draws the best of equal groups is called better than any other one, or worse."""
    ranked = _ranked(truth, rng, n_draws, n, n_groups)
    each = np.stack([p_values(ranked[0], other) for other in ranked[1:]], axis=1)
    wrong = 0
    template = [
        compare(truth.metric, ("", {0: 0.0, 1: 0.0}), ("", {0: 0.0, 1: 0.0}), lower_is_better=False)
        for _ in range(n_groups - 1)
    ]
    for row in each:
        if row.min() < ALPHA:
            corrected = holm([replace(one, p_value=p) for one, p in zip(template, row.tolist(), strict=True)])
            wrong += any((one.p_value or 0.0) < ALPHA for one in corrected)
    return wrong / n_draws


def interval_of_best(truth: Truth, rng: np.random.Generator, n_draws: int, n: int, n_groups: int) -> float:
    """In what share of the draws the interval of the best of equal groups holds the median that all have."""
    low, high, _ = median_ends(_ranked(truth, rng, n_draws, n, n_groups)[0])
    true = float(np.median(truth.values))
    return float(((low <= true) & (true <= high)).mean())


def difference(first: Truth, second: Truth, seeds: Seeds) -> Held:
    """Interval of the median difference of two configurations on the same seeds."""
    return median_of(first.values - second.values, seeds)


def wins(first: Truth, second: Truth, seeds: Seeds) -> Held:
    """Interval of the share of seeds on which the first has the higher value."""
    return share(first.values > second.values, seeds)


def called_equal(differences: Values, margin: float, seeds: Seeds) -> float:
    """In what share of the draws differences are called practically none whose true median is just above the margin.

    Args:
        differences: Of all seeds; moved so that their median is there.
        margin: Differences that do not matter.
        seeds: Draws (b, n).
    """
    moved = differences - np.median(differences) + margin * (1 + 1e-6)
    return float(_are_equal(moved[seeds], margin).mean())


def power(truth: Truth, by: float, rng: np.random.Generator, n_draws: int, n: int) -> Gains:
    """What is said where the second group's values are worse by so much."""
    a, b = _groups(truth.values, rng, n_draws, n, 2)
    b = b + by if truth.lower_is_better else b - by
    is_shown = p_values(a, b) < ALPHA
    d = a - b
    leans = np.array([signed_rank.leaning(row) for row in d[is_shown]])
    way = -1 if truth.lower_is_better else 1
    low, high, _ = median_ends(d)
    return Gains(
        float((way * leans > 0).sum() / n_draws), float((way * leans < 0).sum() / n_draws), float((high - low).mean())
    )


def p_values(a: Values, b: Values) -> Values:
    """P value of each draw of pairs, (b,): that of the report where it is below `_EXACT`, beyond about as large."""
    sizes = np.median(np.abs(np.concatenate([a, b], axis=1)), axis=1)
    doubled, signs = signed_rank._ranks(a - b, 1e-6 * sizes[:, None])
    above, total = (doubled * (signs > 0)).sum(1), doubled.sum(1)
    tails = np.minimum(above, total - above)
    found = signed_rank._normal(tails, doubled)
    for i in np.flatnonzero(found < 0.08):
        found[i] = min(1.0, 2 * _tails(np.sort(doubled[i]).tobytes())[tails[i]])
    checked = [*range(_N_CHECKED), *np.flatnonzero(found < ALPHA)[:_N_CHECKED]]
    for i in checked:
        own = compare("m", ("", _by_seed(a[i])), ("", _by_seed(b[i])), lower_is_better=False).p_value
        assert own is not None
        assert own == found[i] or abs(own - found[i]) < 1e-9 or min(own, found[i]) > _EXACT, "not the report's p value"
    return found


@lru_cache(maxsize=10_000)
def _tails(ranks: bytes) -> Values:
    """Probability of each sum of doubled ranks or a smaller one; those of zero are none."""
    doubled = np.frombuffer(ranks, np.int64)
    return np.cumsum(signed_rank._chances(doubled[doubled > 0]))


def _groups(values: Values, rng: np.random.Generator, n_draws: int, n: int, n_groups: int) -> list[Values]:
    drawn = values[draw(rng, n_draws, n * n_groups)]
    return [drawn[:, i * n : (i + 1) * n] for i in range(n_groups)]


def _ranked(truth: Truth, rng: np.random.Generator, n_draws: int, n: int, n_groups: int) -> Values:
    """Equal groups as reports rank them, by median and of equal ones by mean, (n_groups, n_draws, n)."""
    groups = np.stack(_groups(truth.values, rng, n_draws, n, n_groups))
    sign = 1 if truth.lower_is_better else -1
    order = np.lexsort((sign * groups.mean(2), sign * np.median(groups, axis=2)), axis=0)
    return np.take_along_axis(groups, order[..., None], axis=0)


def _are_equal(d: Values, margin: float) -> NDArray[np.bool_]:
    low, high, level = median_ends(d)
    return are_within(low, high, d, margin) if level >= LEVEL else np.zeros(len(d), bool)


def _by_seed(values: Values) -> dict[int, float]:
    return dict(enumerate(values.tolist()))
