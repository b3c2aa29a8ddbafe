"""How many seeds would settle a comparison, and what the present number could show.

The differences that were seen stand for those that are to come: as many as one likes are drawn from them, with
replacement, and judged by the very test and margin that judge a comparison. A plan is as good as what it was made
from: the difference that was found may be luck.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.analysis.stats.interval import LEVEL
from src.analysis.stats.margin import are_within
from src.analysis.stats.signed_rank import p_values

POWER = 0.8
MOST = 1000  # seeds that are thought of
_N_DRAWS = 300
# Of more differences than this some pairs are drawn.
_ALL_PAIRS = 500
_N_PAIRS = 125_000
_SEED = 0


class Outlook(NamedTuple):
    """What more seeds would show.

    Attributes:
        n: Seeds in all that would settle it with a probability of `POWER`; None if more than `MOST`.
        smallest: The smallest difference that the present number of seeds would show with that probability, if values
            are spread as they are; None where it can show none.
    """

    n: int | None
    smallest: float | None


def outlook(differences: Sequence[float], *, alpha: float, margin: float | None) -> Outlook:
    """What more seeds would show.

    Args:
        differences: At least two.
        alpha: P values below it are clear.
        margin: Differences that do not matter, by which a comparison may be settled too; None for none.
    """
    seen = np.asarray(differences, float)
    return Outlook(_needed(seen, alpha, margin), _smallest(seen, alpha))


def fewest(alpha: float) -> int:
    """Number of seeds from which on a test can find p values below alpha: 6 for 5%."""
    n = 2
    while 2 * 0.5**n >= alpha:
        n += 1
    return n


def _needed(seen: NDArray[np.float64], alpha: float, margin: float | None) -> int | None:
    if not seen.any() or len(seen) >= MOST:
        return None

    def settles(n: int) -> bool:
        rng = np.random.default_rng(_SEED)
        drawn = seen[rng.integers(0, len(seen), (_N_DRAWS, n))]
        is_clear = p_values(drawn) < alpha
        if margin is not None:
            is_clear |= _within(drawn, margin)
        return bool(is_clear.mean() >= POWER)

    low = len(seen)
    high = min(max(2 * low, 8), MOST)
    while not settles(high):
        if high >= MOST:
            return None
        low, high = high, min(2 * high, MOST)
    # to a twentieth, which is finer than the draws are
    while high - low > max(1, high // 20):
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle, high)
    return high


def _smallest(seen: NDArray[np.float64], alpha: float) -> float | None:
    n = len(seen)
    if n < fewest(alpha):
        # not even if all were of one sign
        return None
    centred = seen - _centre(seen)
    spread = float(np.abs(centred).max())
    if spread == 0:
        return None
    n_drawn = min(n, MOST)
    drawn = centred[np.random.default_rng(_SEED).integers(0, n, (_N_DRAWS, n_drawn))]

    def shows(shift: float) -> bool:
        return bool((p_values(drawn + shift) < alpha).mean() >= POWER)

    # with more seeds it falls with their root
    return _least(shows, 2 * spread) * math.sqrt(n_drawn / n)


def _least(holds: Callable[[float], bool], high: float) -> float:
    low = 0.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _centre(seen: NDArray[np.float64]) -> float:
    """Where the test finds no difference: the median of the means of all pairs (Hodges and Lehmann 1963)."""
    n = len(seen)
    i, j = np.triu_indices(n) if n <= _ALL_PAIRS else np.random.default_rng(_SEED).integers(0, n, (2, _N_PAIRS))
    return float(np.median((seen[i] + seen[j]) / 2))


def _within(drawn: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
    """Whether each row is practically none, (b,)."""
    from scipy.special import bdtr

    n = drawn.shape[1]
    reached = [k for k in range(n // 2) if 2 * bdtr(k, n, 0.5) <= 1 - LEVEL]
    if not reached:
        return np.zeros(len(drawn), bool)
    ordered, k = np.sort(drawn, axis=1), reached[-1]
    return are_within(ordered[:, k], ordered[:, n - 1 - k], drawn, margin)
