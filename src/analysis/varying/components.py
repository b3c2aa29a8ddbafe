"""How much of a variance comes from which of several draws that were varied against each other.

A run has a value for each combination of the levels of its factors, say 8 draws of the data with 8 seeds each. All
factors are random, so that their share is a variance. The estimate is that of the analysis of variance by the method of
moments: in a complete design with one value in each cell, the mean square of a set S of factors has the expectation

    E[MS_S] = sum over T, S a subset of T, of  sigma2_T * (number of values / product of the numbers of levels in T)

(Searle, Casella and McCulloch 1992, Variance Components, chapter 4), which is solved from the largest set downwards.
What comes out below 0 is 0. Chance in one run alone cannot be told from the interaction of all factors, and is counted
there.
"""

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Subset = frozenset[int]


def components(values: NDArray[np.float64]) -> dict[Subset, float]:
    """Variance of each set of factors, the single ones first; of at least 0.

    Args:
        values: One value for each combination of levels, an axis for each factor; two levels or more of each.

    Raises:
        ValueError: If a factor has one level only.
    """
    shape, k = values.shape, values.ndim
    if k == 0 or min(shape) < 2:
        raise ValueError(f"a variance needs two levels or more of each factor, got {shape}")
    subsets = [frozenset(axes) for size in range(1, k + 1) for axes in combinations(range(k), size)]
    found: dict[Subset, float] = {}
    for subset in reversed(subsets):
        above = sum(_weight(shape, other) * value for other, value in found.items() if subset < other)
        found[subset] = (_mean_square(values, subset) - above) / _weight(shape, subset)
    return {subset: max(0.0, found[subset]) for subset in subsets}


def shares(found: Mapping[Subset, float]) -> dict[Subset, float] | None:
    """Share of each in their sum; None where nothing varies."""
    total = sum(found.values())
    return {subset: value / total for subset, value in found.items()} if total > 0 else None


def _weight(shape: tuple[int, ...], subset: Subset) -> float:
    return float(math.prod(n for axis, n in enumerate(shape) if axis not in subset))


def _mean_square(values: NDArray[np.float64], subset: Subset) -> float:
    """Of the effect of a set of factors, without those of its parts."""
    effect = np.zeros([n if axis in subset else 1 for axis, n in enumerate(values.shape)])
    for size in range(len(subset) + 1):
        for part in combinations(sorted(subset), size):
            others = tuple(axis for axis in range(values.ndim) if axis not in part)
            effect = effect + (-1) ** (len(subset) - size) * values.mean(axis=others, keepdims=True)
    df = math.prod(values.shape[axis] - 1 for axis in subset)
    return float((effect**2).sum() * _weight(values.shape, subset) / df)
