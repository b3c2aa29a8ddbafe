"""Two groups on the seeds, draws or folds that both have: which one is better, by how much, and how sure that is.

Runs with the same seed share the order of the data and, where the networks agree, initial weights, so that groups are
compared by their differences seed by seed. The test is Wilcoxon's signed rank test (`signed_rank`): it holds whatever
the distribution, and finds more than the sign test and than a t test where results are skewed. The size is the median
of the differences with the interval of order statistics (`orders`), since the interval that belongs to the test,
Hodges and Lehmann's, holds for symmetric differences only: of a group that fails sometimes and one that never does,
it misses in up to 12 of 100 cases. So test and interval may part: the test may be sure that one is better while the
interval of the median still holds zero; or be unsure because of a few heavy losses, where the interval does not hold
zero. With several groups p values are Holm's (1979) for all pairs of them; an interval is that of its comparison
alone.

A run that was lost, since it diverged or broke, is worse than one with a number: the pair counts for the test, as the
largest difference that there is, and among wins and losses. It has no size, so it is in no difference.

Folds are compared by their mean difference and the corrected resampled t test (`folds`).
"""

import math
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from src.analysis.stats import planning, shares, signed_rank
from src.analysis.stats.estimates import Distribution, Estimate
from src.analysis.stats.folds import corrected_p_value
from src.analysis.stats.interval import LEVEL, Interval
from src.analysis.stats.margin import are_within
from src.analysis.varying.units import SEED, Unit

Place = TypeVar("Place", bound=Hashable)

Verdict: TypeAlias = Literal["better", "equal", "unclear"]

# Metrics are kept in single precision, so that nothing smaller tells two differences apart.
_SINGLE_PRECISION = 1e-6


@dataclass(frozen=True)
class Comparison:
    """Two groups on what both have.

    Attributes:
        metric: What is compared.
        first: Label of one group, usually the best.
        second: Label of the other.
        differences: First minus second, one for each seed, draw or fold that both have.
        lower_is_better: Whether small values are good ones.
        n_left_out: How many only one of the two has.
        p_value: Two-sided, corrected for the number of pairs of groups; None below two seeds.
        unit: What the differences are by.
        margin: Differences up to here do not matter; None where every difference does.
        delta: Cliff's delta: how much more often a value of the first is the better one than not, over all pairs.
        n_compared: Number of comparisons that the p value is corrected for.
        lost: Of pairs with a lost run how many the first has lost alone, the second alone, and both.
    """

    metric: str
    first: str
    second: str
    differences: tuple[float, ...]
    lower_is_better: bool
    n_left_out: int
    p_value: float | None
    unit: Unit = SEED
    margin: float | None = None
    delta: float = 0.0
    n_compared: int = 1
    lost: tuple[int, int, int] = (0, 0, 0)

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self._all)

    @cached_property
    def difference(self) -> Estimate | None:
        """The median difference, of folds the mean one, with its interval; None if they have none in common."""
        return self._difference_of(self.differences)

    def _difference_of(self, differences: tuple[float, ...]) -> Estimate | None:
        if not differences:
            return None
        found = Distribution(differences, self.unit)
        return found.of(found.default)

    @property
    def wins(self) -> int:
        """On how many the first is better."""
        return int((self._gains > 0).sum())

    @property
    def ties(self) -> int:
        """On how many both are equal."""
        return int((self._gains == 0).sum())

    @property
    def losses(self) -> int:
        """On how many the second is better."""
        return int((self._gains < 0).sum())

    @property
    def wins_interval(self) -> Interval | None:
        """Exact interval of the share of seeds on which the first is better; None of folds, which are no draws."""
        return None if self.unit.noun == "fold" else shares.share_interval(self.wins, self.n)

    @property
    def superiority(self) -> float | None:
        """Share of seeds on which the first is better, ties halved; None if they have none in common."""
        return (self.wins + self.ties / 2) / self.n if self.n else None

    @cached_property
    def verdict(self) -> Verdict:
        """Whether one is better, or both are practically equal, or neither can be said."""
        if self._is_within_margin:
            return "equal"
        return "better" if self.p_value is not None and self.p_value < 1 - LEVEL else "unclear"

    @property
    def winner(self) -> str | None:
        """Label of the group that is better; None where that cannot be said."""
        if self.verdict != "better":
            return None
        return self.first if self._leans * (-1 if self.lower_is_better else 1) > 0 else self.second

    @cached_property
    def outlook(self) -> planning.Outlook | None:
        """What more seeds would show; None where the answer is clear, and of folds, of which there are no more."""
        if self.verdict != "unclear" or self.unit.noun == "fold" or self.n < 2 or any(self.lost):
            return None
        return planning.outlook(self.differences, alpha=(1 - LEVEL) / self.n_compared, margin=self.margin)

    @property
    def _all(self) -> tuple[float, ...]:
        return with_lost(self.differences, self.lost, lower_is_better=self.lower_is_better)

    @property
    def _gains(self) -> NDArray[np.float64]:
        return np.asarray(self._all, float) * (-1 if self.lower_is_better else 1)

    @property
    def _leans(self) -> float:
        """Which way the test leans: above zero where the first has the higher values."""
        if self.unit.noun == "fold":
            return float(np.mean(self.differences))
        return signed_rank.leaning(self._all)

    @property
    def beyond_margin(self) -> tuple[int, int] | None:
        """On how many the first and the second win by more than the margin, where the interval is within it."""
        found, margin = self.difference, self.margin
        if margin is None or found is None or found.interval is None or not found.interval.is_sure or any(self.lost):
            return None
        if not -margin <= found.interval.low <= found.interval.high <= margin:
            return None
        return int((self._gains > margin).sum()), int((self._gains < -margin).sum())

    @property
    def _is_within_margin(self) -> bool:
        found = self._difference_of(self._all)
        if self.margin is None or found is None or found.interval is None or not found.interval.is_sure:
            return False
        low, high = (np.array([end]) for end in found.interval[:2])
        return bool(are_within(low, high, np.array([self._all], float), self.margin)[0])


def compare(
    metric: str,
    first: tuple[str, Mapping[Place, float]],
    second: tuple[str, Mapping[Place, float]],
    *,
    lower_is_better: bool,
    unit: Unit = SEED,
    margin: float | None = None,
    lost: tuple[Collection[Place], Collection[Place]] = ((), ()),
) -> Comparison:
    """Compare two groups on what both have; the p value is not yet that of several comparisons.

    Args:
        metric: What is compared.
        first: Label, and value by seed, draw or fold.
        second: The same of the other group.
        lower_is_better: Whether small values are good ones.
        unit: What the values are by.
        margin: As in `Comparison`.
        lost: Seeds or draws whose run has no number, of the first and of the second.
    """
    (first_label, a), (second_label, b) = first, second
    differences = tuple(a[place] - b[place] for place in a if place in b)
    lost_a, lost_b = map(set, lost)
    worst = math.inf if lower_is_better else -math.inf
    counts = len(lost_a & b.keys()), len(lost_b & a.keys()), len(lost_a & lost_b)
    if unit.noun == "fold":
        tested = corrected_p_value(differences, unit.overlap)
    else:
        size = float(np.median(np.abs([*a.values(), *b.values()]))) if differences else 0.0
        paired = with_lost(differences, counts, lower_is_better=lower_is_better)
        tested = signed_rank.p_value(paired, resolution=_SINGLE_PRECISION * size)
    return Comparison(
        metric=metric,
        first=first_label,
        second=second_label,
        differences=differences,
        lower_is_better=lower_is_better,
        n_left_out=len((a.keys() | lost_a) ^ (b.keys() | lost_b)),
        p_value=tested,
        unit=unit,
        margin=margin,
        delta=cliffs_delta([*a.values(), *[worst] * len(lost_a)], [*b.values(), *[worst] * len(lost_b)])
        * (-1 if lower_is_better else 1),
        lost=counts,
    )


def with_lost(differences: Sequence[float], lost: tuple[int, int, int], *, lower_is_better: bool) -> tuple[float, ...]:
    """Differences, and for pairs with a lost run the largest one there is, against the group that has lost it.

    Args:
        differences: First minus second, of the pairs with two numbers.
        lost: As in `Comparison`.
        lower_is_better: Whether small values are good ones.
    """
    largest = 2 * max(map(abs, differences), default=0.0) or 1.0
    against_first = largest if lower_is_better else -largest
    by_first, by_second, by_both = lost
    return (*differences, *[against_first] * by_first, *[-against_first] * by_second, *[0.0] * by_both)


def cliffs_delta(a: Sequence[float], b: Sequence[float]) -> float:
    """How much more often a value of `a` is above one of `b` than below, from -1 to 1 (Cliff 1993); 0 without any."""
    if not a or not b:
        return 0.0
    ordered = np.sort(np.asarray(b, float))
    below, above = (np.searchsorted(ordered, np.asarray(a, float), side) for side in ("left", "right"))
    return float((below + above - len(b)).sum()) / (len(a) * len(b))


def holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Correct the p values of comparisons of best groups, each with all others of its own, in their order.

    Which of k groups is the best one is seen from the same values, so that each of k (k - 1) / 2 pairs might have stood
    here, and all of them count: of eight equal groups the best one would else be called better in 10 of 100 cases.
    """
    tested = [i for i, each in enumerate(comparisons) if each.p_value is not None]
    ranked = sorted(tested, key=lambda i: comparisons[i].p_value or 0.0)
    n_pairs = sum(n * (n + 1) // 2 for n in Counter(each.first for each in comparisons).values())
    corrected, largest = list(comparisons), 0.0
    for rank, i in enumerate(ranked):
        largest = max(largest, min(1.0, (comparisons[i].p_value or 0.0) * (n_pairs - rank)))
        corrected[i] = replace(comparisons[i], p_value=largest, n_compared=n_pairs)
    return corrected
