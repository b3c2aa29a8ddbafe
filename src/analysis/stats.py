"""Means over seeds, draws of the data or folds with their intervals, and comparisons of two groups one by one.

Runs with the same seed share the order of the data and, where the networks agree, initial weights. So two groups are
compared by their differences seed by seed. The test is the paired t test: it agrees with the printed interval, and it
can find something with the handful of seeds that people run, where the Wilcoxon signed rank test cannot (with five,
its p is never below 0.0625). It takes differences as roughly normal. Where they are all equal it is undefined, and
the exact sign test stands in, so that two equal differences are no proof: it takes six. With several comparisons of
one metric p values are Holm's (1979); an interval is that of its comparison alone.

Folds take their training parts from the same rows, so that their values go up and down together, and J of them say less
than J independent ones. Nadeau and Bengio (2003, Inference for the generalization error) correct for it: the variance
of the mean is (1/J + n_test/n_train) s^2 in the place of s^2/J, for intervals and for the paired t test, then called
the corrected resampled t test. The sign test counts as many equal differences as that variance stands for.

SciPy's statistics take most of a second to import, so they are imported where there is something to compute.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from src.analysis.units import SEED, Unit

Place = TypeVar("Place", bound=Hashable)

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, draws or folds.

    Attributes:
        mean: Mean of their values.
        half_width: Half the width of its 95 % interval by the t distribution; None for a single one.
        n: Their number.
    """

    mean: float
    half_width: float | None
    n: int


@dataclass(frozen=True)
class Comparison:
    """Two groups on the seeds, draws or folds that both have.

    Attributes:
        metric: What is compared.
        first: Label of one group, usually the best.
        second: Label of the other.
        difference: First minus second, and its interval; ``n`` counts those that they share. None if they share none.
        wins: On how many the first is better.
        ties: On how many both are equal.
        losses: On how many the second is better.
        n_left_out: How many only one of the two has.
        p_value: Of the paired test, two-sided, corrected for the number of comparisons; None below two pairs.
        unit: What they are.
        lower_is_better: Whether small values are good ones; None for what the metric's name tells.
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
    unit: Unit = SEED
    lower_is_better: bool | None = None

    @property
    def is_clear(self) -> bool:
        """Whether chance is an unlikely reason for the difference."""
        return self.p_value is not None and self.p_value < 1 - LEVEL


def estimate(values: Sequence[float], unit: Unit = SEED) -> Estimate | None:
    """Mean and interval of one value per seed, draw or fold; None without any."""
    n = len(values)
    if n == 0:
        return None
    if n == 1:
        return Estimate(values[0], None, 1)
    if _all_equal(values):
        return Estimate(values[0], 0.0, n)
    from scipy import stats

    error = float(np.std(values, ddof=1)) * math.sqrt(1 / n + unit.overlap)
    return Estimate(float(np.mean(values)), float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error, n)


def compare(
    metric: str,
    first: tuple[str, Mapping[Place, float]],
    second: tuple[str, Mapping[Place, float]],
    *,
    lower_is_better: bool,
    unit: Unit = SEED,
) -> Comparison:
    """Compare two groups on the seeds, draws or folds that both have; the p value is not yet that of several.

    Args:
        metric: What is compared.
        first: Label, and value by seed, draw or fold.
        second: The same of the other group.
        lower_is_better: Whether small values are good ones.
        unit: What the values are by.
    """
    (first_label, a), (second_label, b) = first, second
    differences = [a[place] - b[place] for place in a if place in b]
    gains = np.array(differences) * (-1 if lower_is_better else 1)
    return Comparison(
        metric=metric,
        first=first_label,
        second=second_label,
        difference=estimate(differences, unit),
        wins=int((gains > 0).sum()),
        ties=int((gains == 0).sum()),
        losses=int((gains < 0).sum()),
        n_left_out=len(a.keys() ^ b.keys()),
        p_value=_p_value(differences, unit),
        unit=unit,
        lower_is_better=lower_is_better,
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


def _p_value(differences: Sequence[float], unit: Unit) -> float | None:
    n = len(differences)
    if n < 2:
        return None
    # as many independent differences would make a mean as sure
    worth = 1 / (1 / n + unit.overlap)
    if _all_equal(differences):
        # two-sided sign test of differences with one sign
        return 1.0 if differences[0] == 0 else min(1.0, 2 * 0.5 ** math.floor(worth + 1e-9))
    from scipy import stats

    t = float(np.mean(differences)) / float(np.std(differences, ddof=1)) * math.sqrt(worth)
    return 2 * float(stats.t.sf(abs(t), n - 1))


def _all_equal(values: Sequence[float]) -> bool:
    """Whether values differ by no more than rounding does."""
    return max(values) - min(values) <= 1e-12 * max(map(abs, values))
