"""Wilcoxon's signed rank test of paired differences (1945), exact also where values are tied.

Were two groups the same, each difference would have either sign with probability 1/2, whatever its size: so the test
holds for skewed, bounded and two-humped results. Differences are ranked by size, and the ranks of those above zero
summed; how likely such a sum is follows from all 2^n ways to give the signs, which are counted and not drawn. Zeros
are left out, and tied sizes share their mean rank (Pratt and Gibbons 1981, Concepts of nonparametric theory, chapter
3).

Fewer than six differences never reach 5%: the least p value is 2/2^n.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Up to here every sum is counted; beyond, the normal distribution is right to three digits.
_MOST_COUNTED = 100

# Sizes that differ by less than this share of the largest one are tied.
_TIED = 1e-6


def p_value(differences: Sequence[float], *, resolution: float = 0.0) -> float | None:
    """Two-sided p value; None below two differences.

    Args:
        differences: First minus second, one for each pair.
        resolution: Sizes that differ by less are tied, as those of numbers that were rounded.
    """
    if len(differences) < 2:
        return None
    d = np.asarray(differences, float)
    doubled, signs = _ranks(d[None], resolution)
    doubled, signs = doubled[0][signs[0] != 0], signs[0][signs[0] != 0]
    if len(doubled) == 0:
        return 1.0
    above, total = int(doubled[signs > 0].sum()), int(doubled.sum())
    tail = min(above, total - above)
    if len(doubled) > _MOST_COUNTED:
        return float(_normal(np.array([tail]), doubled[None])[0])
    return min(1.0, 2 * float(_chances(doubled)[: tail + 1].sum()))


def leaning(differences: Sequence[float]) -> float:
    """Which way the differences lean, from -1 to 1: the ranks above zero less those below, over all of them."""
    if not len(differences):
        return 0.0
    doubled, signs = _ranks(np.asarray(differences, float)[None])
    total = int(doubled.sum())
    return float((doubled * signs).sum()) / total if total else 0.0


def p_values(many: NDArray[np.float64]) -> NDArray[np.float64]:
    """P values (b,) of rows of differences (b, n): counted up to eleven of them, else of the normal distribution."""
    doubled, signs = _ranks(many)
    above, total = (doubled * (signs > 0)).sum(1), doubled.sum(1)
    tail = np.minimum(above, total - above)
    if many.shape[1] > 11:
        return _normal(tail, doubled)
    given = (np.arange(2 ** many.shape[1])[:, None] >> np.arange(many.shape[1])) & 1  # (ways, n)
    sums = doubled @ given.T  # (b, ways)
    found: NDArray[np.float64] = np.minimum(1.0, 2 * (sums <= tail[:, None]).mean(1))
    return found


def _ranks(many: NDArray[np.float64], resolution: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Twice the rank of each size, whole numbers also where ranks are shared, 0 for a zero; and the signs; (b, n)."""
    sizes = np.abs(many)
    step = np.maximum(_TIED * sizes.max(1, keepdims=True), resolution)
    steps = np.rint(sizes / np.where(step > 0, step, 1.0)).astype(np.int64)
    signs = np.sign(many).astype(np.int64)
    steps[signs == 0] = -1
    order = np.argsort(steps, axis=1)
    ordered = np.take_along_axis(steps, order, axis=1)
    b, n = many.shape
    places = np.arange(n)
    is_first = np.concatenate([np.ones((b, 1), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1)
    is_last = np.concatenate([is_first[:, 1:], np.ones((b, 1), bool)], axis=1)
    first = np.maximum.accumulate(np.where(is_first, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(is_last, places, n)[:, ::-1], axis=1)[:, ::-1]
    n_zero = (signs == 0).sum(1, keepdims=True)
    doubled = np.empty((b, n), np.int64)
    np.put_along_axis(doubled, order, first + last + 2 - 2 * n_zero, axis=1)
    doubled[signs == 0] = 0
    return doubled, signs


def _chances(doubled: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probability of each sum of doubled ranks where each counts with probability 1/2, (total + 1,)."""
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for rank in doubled:
        chances *= 0.5
        chances[rank:] += chances[: len(chances) - rank].copy()
    return chances


def _normal(tail: NDArray[np.int64], doubled: NDArray[np.int64]) -> NDArray[np.float64]:
    """P values by the normal distribution with the spread that the ranks have, and Yates's half step."""
    from scipy.special import ndtr

    spread = np.sqrt((doubled.astype(float) ** 2).sum(1) / 4)
    z = (doubled.sum(1) / 2 - tail - 1.0) / np.where(spread > 0, spread, 1.0)
    found: NDArray[np.float64] = np.minimum(1.0, 2 * ndtr(-np.maximum(z, 0.0)))
    return found
