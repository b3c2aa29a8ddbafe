"""`sweep.until=clear` over a whole sweep, with a look after every eight seeds up to 64: how often it is ever wrong."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.coverage.results import Truth, Values, draw
from src.analysis.settling.sequential import is_shown, most_losses
from src.analysis.settling.verdict import ALPHA, settle
from src.analysis.stats.margin import LOPSIDED

EVERY, MOST = 8, 64
_N_CHECKED = 20


class Until(NamedTuple):
    """Sweeps of two groups whose second one is worse by something.

    Attributes:
        better: In what share of them the first one is called better.
        seeds: Mean number of seeds until it is clear, or `MOST`.
    """

    better: float
    seeds: float


def equal_groups(truth: Truth, rng: np.random.Generator, n_sweeps: int, n_groups: int) -> float:
    """In what share of sweeps one of equal groups is ever called better than any other one."""
    groups = truth.values[draw(rng, n_sweeps, MOST * n_groups)].reshape(n_sweeps, n_groups, MOST)
    wrong = np.zeros(n_sweeps, bool)
    for a, b in combinations(range(n_groups), 2):
        for gains in (groups[:, a] - groups[:, b], groups[:, b] - groups[:, a]):
            wrong |= _shown(gains, _alpha(n_groups)).any(1)
    if n_groups == 2:
        for row, is_wrong in zip(groups[:_N_CHECKED], wrong, strict=False):
            looks = [_settled(row[:, :n]) for n in range(EVERY, MOST + 1, EVERY)]
            assert is_wrong == any(look in ("better", "worse") for look in looks), "not what a sweep says"
    return float(wrong.mean())


def called_equal(differences: Values, margin: float, rng: np.random.Generator, n_sweeps: int) -> float:
    """In what share of sweeps groups are ever called equal whose true median difference is just above the margin."""
    moved = differences - np.median(differences) + margin * (1 + 1e-6)
    drawn = moved[draw(rng, n_sweeps, MOST)]
    wrong = np.zeros(n_sweeps, bool)
    for n in range(EVERY, MOST + 1, EVERY):
        k = most_losses(n, _alpha(2))
        if k >= 0:
            given = drawn[:, :n]
            ordered = np.sort(given, axis=1)
            lopsided = np.abs((given > margin).mean(1) - (given < -margin).mean(1)) > LOPSIDED
            wrong |= (ordered[:, k] >= -margin) & (ordered[:, -1 - k] <= margin) & ~lopsided
    return float(wrong.mean())


def power(truth: Truth, by: float, rng: np.random.Generator, n_sweeps: int) -> Until:
    """What becomes of sweeps of two groups, the second of which is worse by so much."""
    drawn = truth.values[draw(rng, n_sweeps, 2 * MOST)]
    gains = drawn[:, :MOST] - drawn[:, MOST:]
    shown = _shown(by - gains if truth.lower_is_better else gains + by, _alpha(2))
    seeds = np.where(shown.any(1), EVERY * (shown.argmax(1) + 1), MOST)
    return Until(float(shown.any(1).mean()), float(seeds.mean()))


def _alpha(n_groups: int) -> float:
    return ALPHA / (n_groups * (n_groups - 1))


def _shown(gains: Values, alpha: float) -> NDArray[np.bool_]:
    """Whether gains (b, n) are shown at each look, (b, looks)."""
    at = slice(EVERY - 1, None, EVERY)
    won, lost = (np.cumsum(sign, axis=1, dtype=np.int64)[:, at] for sign in (gains > 0, gains < 0))
    return is_shown(won, lost, alpha)


def _settled(groups: Values) -> str:
    values = {str(i): dict(enumerate(row.tolist())) for i, row in enumerate(groups)}
    (pair,) = settle(values, metric="test/accuracy", lower_is_better=False, margin=None).pairs
    return pair.verdict
