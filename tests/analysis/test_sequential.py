"""Looking again and again is wrong no more often than it says, on skewed, discrete and two-humped values with ties."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate

from src.analysis.settling.sequential import is_shown, log_evidence, median_interval, most_losses, share_interval

Law = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]

LAWS: dict[str, Law] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: 1 - rng.beta(0.3, 20, size=shape),
    "few values": lambda rng, shape: rng.choice([0.985, 0.99, 0.995, 1.0], p=[0.05, 0.05, 0.2, 0.7], size=shape),
    "two humps": lambda rng, shape: np.where(rng.random(shape) < 0.1, 0.5, 0.99) + 0.005 * rng.integers(0, 3, shape),
    "a coin": lambda rng, shape: (rng.random(shape) < 0.5).astype(float),
}


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (8, 0), (0, 5), (7, 3), (20, 30), (40, 9)])
def test_the_evidence_is_the_integral_that_it_says(wins: int, losses: int) -> None:
    found, _ = integrate.quad(lambda p: 2 * (2 * p) ** wins * (2 * (1 - p)) ** losses, 0.5, 1)
    assert np.exp(log_evidence(wins, losses)) == pytest.approx(found, rel=1e-9)


def test_a_fair_bet_is_fair() -> None:
    # the mean over what comes next is what there was, where a win is as likely as a loss
    for wins, losses in ((0, 0), (3, 1), (2, 6)):
        now, won, lost = np.exp(log_evidence(np.array([wins, wins + 1, wins]), np.array([losses, losses, losses + 1])))
        assert (won + lost) / 2 == pytest.approx(now, rel=1e-9)


def test_eight_of_eight_settle_two_groups_and_ten_settle_three() -> None:
    assert next(n for n in range(1, 12) if is_shown(n, 0, 0.05 / 2)) == 8
    assert next(n for n in range(1, 12) if is_shown(n, 0, 0.05 / 6)) == 10
    assert most_losses(7, 0.025) == -1
    assert most_losses(64, 0.025) == 19


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n_groups", "every"), [(2, 8), (2, 1), (4, 8)])
def test_equal_groups_are_told_apart_in_five_of_a_hundred_sweeps_at_most(law: str, n_groups: int, every: int) -> None:
    rng = np.random.default_rng(1)
    n_sweeps, max_seeds = 3000, 64
    values = LAWS[law](rng, (n_sweeps, n_groups, max_seeds))
    wrong = np.zeros(n_sweeps, bool)
    for a, b in combinations(range(n_groups), 2):
        differences = values[:, a] - values[:, b]
        wins, losses = (np.cumsum(sign, axis=1, dtype=np.int64) for sign in (differences > 0, differences < 0))
        at = slice(every - 1, None, every)
        for won, lost in ((wins, losses), (losses, wins)):
            wrong |= is_shown(won[:, at], lost[:, at], 0.05 / (n_groups * (n_groups - 1))).any(1)
    # three standard errors
    assert wrong.mean() < 0.05 - 3 * np.sqrt(0.05 * 0.95 / n_sweeps)


@pytest.mark.parametrize("law", LAWS)
def test_a_median_is_missed_at_any_look_in_five_of_a_hundred_cases_at_most(law: str) -> None:
    rng = np.random.default_rng(2)
    n_sweeps = 600
    values = LAWS[law](rng, (n_sweeps, 64))
    lowest, highest = np.quantile(LAWS[law](rng, (200_001,)), [0.4999, 0.5001])
    missed = 0
    for row in values:
        ends = [median_interval(row[:n].tolist(), 0.025) for n in range(8, 65, 8)]
        missed += any(high < lowest or low > highest for low, high in ends)
    assert missed / n_sweeps < 0.05


def test_a_median_interval_shrinks_and_holds_infinite_values() -> None:
    values = [float(i) for i in range(64)]
    assert median_interval(values[:7], 0.025) == (-np.inf, np.inf)
    assert median_interval(values[:8], 0.025) == (0.0, 7.0)
    assert median_interval(values, 0.025) == (19.0, 44.0)
    assert median_interval([-np.inf, *values[:8]], 0.025) == (-np.inf, 7.0)


def test_the_interval_of_a_share_holds_what_is_not_refused() -> None:
    assert share_interval(8, 8, 0.05) == pytest.approx((0.5225, 1.0), abs=1e-4)
    low, high = share_interval(30, 64, 0.05)
    for p in (low, high):
        # the ratio of the mixture to p's likelihood is 1/alpha there
        mixture, _ = integrate.quad(lambda q, p=p: (q / p) ** 30 * ((1 - q) / (1 - p)) ** 34, 0, 1)
        assert mixture == pytest.approx(20, rel=1e-6)
    assert share_interval(0, 0, 0.05) == (0.0, 1.0)
    assert share_interval(0, 5, 0.05)[0] == 0.0


def test_a_share_is_missed_at_any_look_in_five_of_a_hundred_cases_at_most() -> None:
    rng = np.random.default_rng(3)
    for p in (0.05, 0.5, 0.9):
        wins = np.cumsum(rng.random((400, 64)) < p, axis=1)
        ends = {(w, n): share_interval(w, n, 0.05) for n in range(8, 65, 8) for w in range(n + 1)}
        missed = [
            any(not ends[row[n - 1], n][0] <= p <= ends[row[n - 1], n][1] for n in range(8, 65, 8)) for row in wins
        ]
        assert np.mean(missed) < 0.05
