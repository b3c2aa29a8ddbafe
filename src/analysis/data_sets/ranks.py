"""Groups over several data sets: their average ranks, whether they differ at all, and which are told apart.

Values of different data sets cannot be averaged, and their ranks can: on each data set the best group has rank 1, and
equal ones share the mean of their ranks. Demšar (2006, Statistical Comparisons of Classifiers over Multiple Data Sets,
JMLR 7) then asks with Friedman's test whether all groups are alike, and with Nemenyi's which average ranks differ by
more than a critical difference. A data set counts once, however many seeds it has.

The p value of Friedman's test is exact here, also for few data sets, where the chi-squared distribution is no good: if
all groups are alike, every order of a data set's values is as likely as any other, so that the statistic is compared
with those of all orders, or of 20,000 that are drawn.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LEVEL = 0.05

_MOST_ORDERS = 20_000


@dataclass(frozen=True)
class Ranking:
    """What several data sets say of groups.

    Attributes:
        average: Average rank of each group, in the order in which they were given; 1 is best.
        p_value: Of Friedman's test, exact.
        critical: Average ranks that differ by less are not told apart.
    """

    average: tuple[float, ...]
    p_value: float
    critical: float

    @property
    def order(self) -> list[int]:
        """Indices of the groups, best first."""
        return sorted(range(len(self.average)), key=lambda i: self.average[i])

    @property
    def alike(self) -> list[list[int]]:
        """Largest sets of groups whose ranks differ by less than the critical difference, as Demšar's bars.

        All of them where Friedman's test finds no difference.
        """
        if self.p_value >= LEVEL:
            return [self.order]
        found: list[list[int]] = []
        for i, first in enumerate(self.order):
            bar = [each for each in self.order[i:] if self.average[each] - self.average[first] < self.critical]
            if len(bar) > 1 and not any(set(bar) <= set(other) for other in found):
                found.append(bar)
        return found


def rank(values: Values, *, lower_is_better: bool) -> Ranking:
    """Rank groups over data sets.

    Args:
        values: A row for each data set, a column for each group (n, k); two of each or more.
        lower_is_better: Whether small values are good ones.

    Raises:
        ValueError: If there are fewer than two data sets or groups.
    """
    n, k = values.shape
    if n < 2 or k < 2:
        raise ValueError(f"ranks need two data sets and two groups or more, got {n} and {k}")
    ranks = ranks_of(values if lower_is_better else -values)
    return Ranking(tuple(ranks.mean(0).tolist()), friedman_p(ranks), critical_difference(n, k))


def ranks_of(values: Values) -> Values:
    """Rank of each value in its row, the smallest first; equal ones share the mean of theirs."""
    below = (values[:, None, :] < values[:, :, None]).sum(2)
    equal = (values[:, None, :] == values[:, :, None]).sum(2)
    found: Values = below + (equal + 1) / 2
    return found


def friedman_p(ranks: Values) -> float:
    """Exact p value of Friedman's test.

    Args:
        ranks: A row for each data set, a column for each group (n, k).
    """
    n, k = ranks.shape
    observed = _spread(ranks.sum(0)[None])[0]
    n_orders = math.factorial(k) ** (n - 1)
    if n_orders <= _MOST_ORDERS:
        # the order of one data set is free
        sums = ranks[0][None]
        for row in ranks[1:]:
            orders = np.array(list(itertools.permutations(row)))
            sums = (sums[:, None, :] + orders[None]).reshape(-1, k)
        return float((_spread(sums) >= observed - 1e-9).mean())
    rng = np.random.default_rng(0)
    sums = np.zeros((_MOST_ORDERS, k))
    for row in ranks:
        sums += rng.permuted(np.broadcast_to(row, (_MOST_ORDERS, k)), axis=1)
    # the one that was seen is an order too
    return float(((_spread(sums) >= observed - 1e-9).sum() + 1) / (_MOST_ORDERS + 1))


def _spread(sums: Values) -> Values:
    """Friedman's statistic, but for what is the same for all orders."""
    found: Values = ((sums - sums.mean(1, keepdims=True)) ** 2).sum(1)
    return found


def critical_difference(n: int, k: int) -> float:
    """Nemenyi's: average ranks over n data sets of two among k groups differ by less with 95% where all are alike."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - LEVEL, k, np.inf) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n)))


def fewest_data_sets(k: int) -> int:
    """How many data sets it takes for the critical difference to be less than the largest that there can be."""
    return next(n for n in itertools.count(2) if critical_difference(n, k) <= k - 1)


def sentences(ranking: Ranking, labels: Sequence[str], data_sets: Sequence[str], *, metric: str) -> Iterator[str]:
    """Say it.

    Args:
        ranking: What was found.
        labels: Names of the groups, in their order.
        data_sets: Names of the data sets.
        metric: What was ranked, in words.
    """
    n, k = len(data_sets), len(labels)
    ranked = ", ".join(f"{labels[i]} {ranking.average[i]:.2f}" for i in ranking.order)
    yield f"over {n} data sets ({', '.join(data_sets)}): average ranks of {metric}, 1 is best: {ranked}"
    p = "p < 0.001" if ranking.p_value < 0.001 else f"p = {ranking.p_value:.3f}"
    if ranking.p_value >= LEVEL:
        yield f"no clear difference between the {k} groups over the data sets (Friedman's test, exact, {p})"
        return
    yield f"the {k} groups are not all alike over the data sets (Friedman's test, exact, {p})"
    if n < (needed := fewest_data_sets(k)):
        yield f"which of them differ {n} data sets cannot tell: with {k} groups it takes {needed} or more (Nemenyi)"
        return
    together = "; ".join(_and([labels[i] for i in bar]) for bar in ranking.alike)
    rest = f"not told apart: {together}" if together else "all of them do"
    yield f"ranks {ranking.critical:.2f} or more apart differ (Nemenyi's test, 5% over all pairs); {rest}"


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
