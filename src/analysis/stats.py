"""Means over seeds with their intervals, and comparisons of two groups seed by seed.

Runs with the same seed share the order of the data and, where the networks agree, initial weights. So two groups are
compared by their differences seed by seed. The test is the paired t test: it agrees with the printed interval, and it
can find something with the handful of seeds that people run, where the Wilcoxon signed rank test cannot (with five,
its p is never below 0.0625). It takes differences as roughly normal. Where they are all equal it is undefined, and
the exact sign test stands in, so that two equal differences are no proof: it takes six. With several comparisons of
one metric p values are Holm's (1979); an interval is that of its comparison alone.

SciPy's statistics take most of a second to import, so they are imported where there is something to compute.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds.

    Attributes:
        mean: Mean of the seeds' values.
        half_width: Half the width of its 95 % interval by the t distribution; None for a single seed.
        n: Number of seeds.
    """

    mean: float
    half_width: float | None
    n: int


@dataclass(frozen=True)
class Comparison:
    """Two groups on the seeds that both have.

    Attributes:
        metric: What is compared.
        first: Label of one group, usually the best.
        second: Label of the other.
        difference: First minus second, and its interval; ``n`` counts the shared seeds. None if they share none.
        wins: Seeds on which the first is better.
        ties: Seeds on which both are equal.
        losses: Seeds on which the second is better.
        n_left_out: Seeds that only one of the two has.
        p_value: Of the paired test, two-sided, corrected for the number of comparisons; None below two seeds.
    """

    metric: str
    first: str
    second: str
    difference: Estimate | None
    wins: int
    ties: int
    losses: int
    n_left_out: int
    p_value: float | None

    @property
    def is_clear(self) -> bool:
        """Whether chance is an unlikely reason for the difference."""
        return self.p_value is not None and self.p_value < 1 - LEVEL


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean and interval of one value per seed; None without any."""
    n = len(values)
    if n == 0:
        return None
    if n == 1:
        return Estimate(values[0], None, 1)
    if _all_equal(values):
        return Estimate(values[0], 0.0, n)
    from scipy import stats

    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    return Estimate(float(np.mean(values)), float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error, n)


def compare(
    metric: str,
    first: tuple[str, Mapping[int, float]],
    second: tuple[str, Mapping[int, float]],
    *,
    lower_is_better: bool,
) -> Comparison:
    """Compare two groups on the seeds that both have; the p value is not yet corrected.

    Args:
        metric: What is compared.
        first: Label, and value by seed.
        second: The same of the other group.
        lower_is_better: Whether small values are good ones.
    """
    (first_label, a), (second_label, b) = first, second
    seeds = sorted(a.keys() & b.keys())
    differences = [a[seed] - b[seed] for seed in seeds]
    gains = np.array(differences) * (-1 if lower_is_better else 1)
    return Comparison(
        metric=metric,
        first=first_label,
        second=second_label,
        difference=estimate(differences),
        wins=int((gains > 0).sum()),
        ties=int((gains == 0).sum()),
        losses=int((gains < 0).sum()),
        n_left_out=len(a.keys() ^ b.keys()),
        p_value=_p_value(differences),
    )


def holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Correct the p values of comparisons that stand side by side, in their order."""
    tested = [i for i, each in enumerate(comparisons) if each.p_value is not None]
    ranked = sorted(tested, key=lambda i: comparisons[i].p_value or 0.0)
    corrected, largest = list(comparisons), 0.0
    for rank, i in enumerate(ranked):
        largest = max(largest, min(1.0, (comparisons[i].p_value or 0.0) * (len(ranked) - rank)))
        corrected[i] = replace(comparisons[i], p_value=largest)
    return corrected


def _p_value(differences: Sequence[float]) -> float | None:
    n = len(differences)
    if n < 2:
        return None
    if _all_equal(differences):
        # two-sided sign test of n differences with one sign
        return 1.0 if differences[0] == 0 else 2 * 0.5**n
    from scipy import stats

    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def _all_equal(values: Sequence[float]) -> bool:
    """Whether values differ by no more than rounding does."""
    return max(values) - min(values) <= 1e-12 * max(map(abs, values))
