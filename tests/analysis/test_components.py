"""Variance components of crossed draws, against data of which they are known."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from src.analysis.varying.components import components, shares


def drawn(
    rng: np.random.Generator, shape: tuple[int, ...], spread: dict[tuple[int, ...], float]
) -> NDArray[np.float64]:
    """Values of a crossed design whose effects have these standard deviations."""
    values = np.zeros(shape)
    for axes, sd in spread.items():
        values = values + sd * rng.normal(size=[n if axis in axes else 1 for axis, n in enumerate(shape)])
    return values


def test_two_factors_are_those_of_the_textbook() -> None:
    values = np.array([[3.0, 5.0, 4.0], [6.0, 9.0, 6.0], [1.0, 2.0, 6.0], [4.0, 8.0, 9.0]])
    a, b = values.shape
    rows, columns, mean = values.mean(1), values.mean(0), values.mean()
    ms_a = b * ((rows - mean) ** 2).sum() / (a - 1)
    ms_b = a * ((columns - mean) ** 2).sum() / (b - 1)
    rest = values - rows[:, None] - columns[None] + mean
    ms_rest = (rest**2).sum() / ((a - 1) * (b - 1))
    found = components(values)
    assert found[frozenset({0})] == pytest.approx((ms_a - ms_rest) / b)
    assert found[frozenset({1})] == pytest.approx((ms_b - ms_rest) / a)
    assert found[frozenset({0, 1})] == pytest.approx(ms_rest)


@pytest.mark.parametrize(
    ("shape", "spread"),
    [
        ((8, 8), {(0,): 2.0, (1,): 1.0, (0, 1): 0.5}),
        ((6, 10), {(0,): 0.0, (1,): 1.0, (0, 1): 1.0}),
        ((5, 6, 4), {(0,): 1.0, (1,): 0.5, (2,): 2.0, (0, 1): 0.7, (0, 2): 0.0, (1, 2): 1.0, (0, 1, 2): 0.3}),
    ],
)
def test_the_truth_is_met_on_average(shape: tuple[int, ...], spread: dict[tuple[int, ...], float]) -> None:
    rng = np.random.default_rng(0)
    n = 600
    found = [components(drawn(rng, shape, spread)) for _ in range(n)]
    for axes, sd in spread.items():
        values = np.array([each[frozenset(axes)] for each in found])
        error = values.std() / np.sqrt(n)
        # what is bounded at 0 lies above the truth where that is 0
        slack = 0.1 if sd == 0 else 0.02 * sd**2
        assert abs(values.mean() - sd**2) < 4 * error + slack, axes


def test_what_is_not_there_is_never_below_nothing_and_often_nothing() -> None:
    rng = np.random.default_rng(1)
    found = [components(rng.normal(size=(5, 5))) for _ in range(200)]
    assert min(min(each.values()) for each in found) == 0.0
    for axis in (0, 1):
        assert 0.4 < np.mean([each[frozenset({axis})] == 0 for each in found]) < 0.75


def test_one_factor_is_the_usual_variance() -> None:
    values = np.array([1.0, 4.0, 2.0, 8.0])
    assert components(values) == {frozenset({0}): pytest.approx(values.var(ddof=1))}


def test_shares_add_up_and_are_none_where_nothing_varies() -> None:
    found = shares(components(np.array([[1.0, 2.0], [3.0, 7.0]])))
    assert found is not None
    assert sum(found.values()) == pytest.approx(1.0)
    assert shares(components(np.ones((3, 3)))) is None


def test_a_factor_of_one_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"two levels or more of each factor, got \(3, 1\)"):
        components(np.ones((3, 1)))


def test_a_level_that_is_worse_throughout_is_all_there_is() -> None:
    values = np.array([[float(i) for _ in range(4)] for i, _ in product(range(3), range(1))])
    found = shares(components(values))
    assert found is not None
    assert found[frozenset({0})] == pytest.approx(1.0)
