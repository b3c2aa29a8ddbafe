"""The signed rank test against SciPy, against all ways to give signs, and its false alarms."""

import itertools

import numpy as np
import pytest
from scipy import stats

from src.analysis.stats.comparison import compare
from src.analysis.stats.signed_rank import leaning, p_value, p_values
from tests.analysis.stats.shapes import SHAPES


@pytest.mark.parametrize("n", [2, 5, 6, 8, 20, 60, 99])
def test_without_ties_the_p_value_is_the_exact_one_of_scipy(n: int) -> None:
    differences = np.random.default_rng(n).normal(0.2, 1.0, n)
    assert p_value(differences.tolist()) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)


def test_of_many_differences_it_is_that_of_the_normal_distribution() -> None:
    differences = np.random.default_rng(0).normal(0.1, 1.0, 300)
    expected = stats.wilcoxon(differences, method="approx", correction=True).pvalue
    assert p_value(differences.tolist()) == pytest.approx(expected, rel=1e-6)


def by_all_signs(differences: list[float]) -> float:
    given = np.array([each for each in differences if each])
    ranks = stats.rankdata(np.abs(given))
    sums = np.array([np.sum(ranks[list(signs)]) for signs in itertools.product([False, True], repeat=len(given))])
    seen = float(ranks[given > 0].sum())
    return min(1.0, 2 * float(min((sums <= seen).mean(), (sums >= seen).mean())))


@pytest.mark.parametrize("seed", range(8))
def test_ties_and_zeros_are_counted_exactly(seed: int) -> None:
    differences = np.random.default_rng(seed).integers(-3, 5, 9).astype(float).tolist()
    assert p_value(differences) == pytest.approx(by_all_signs(differences))
    # the same by rows, as plans are made
    assert p_values(np.array([differences, differences[::-1]])) == pytest.approx([by_all_signs(differences)] * 2)


def test_rounding_of_single_precision_makes_no_ranks() -> None:
    first, second = (np.array(each, np.float32) for each in ([0.86, 0.87, 0.51, 0.9], [0.85, 0.86, 0.5, 0.91]))
    differences = [float(a) - float(b) for a, b in zip(first, second, strict=True)]
    tied = by_all_signs([0.01, 0.01, 0.01, -0.01])
    assert p_value(differences, resolution=1e-6) == pytest.approx(tied)
    pairs = (dict(enumerate(each.tolist())) for each in (first, second))
    assert compare("m", *(("", each) for each in pairs), lower_is_better=False).p_value == pytest.approx(tied)


def test_by_rows_many_differences_have_nearly_the_exact_p_value() -> None:
    drawn = np.random.default_rng(5).normal(0.3, 1.0, (50, 20))
    assert p_values(drawn) == pytest.approx([p_value(row) for row in drawn.tolist()], abs=0.02)


def test_fewer_than_six_differences_are_never_clear() -> None:
    assert [p_value([1.0 + i for i in range(n)]) for n in (1, 2, 5, 6)] == [None, 0.5, 0.0625, 0.03125]
    assert p_value([0.0, 0.0, 0.0]) == 1.0


def test_which_way_differences_lean() -> None:
    assert leaning([1.0, 2.0, -3.0, 0.0]) == 0.0
    assert leaning([1.0, 2.0, 3.0]) == 1.0
    assert leaning([-1.0, 5.0, -2.0]) == 0.0
    assert leaning([-1.0, 2.0]) == pytest.approx(1 / 3)
    assert (leaning([]), leaning([0.0])) == (0.0, 0.0)


@pytest.mark.parametrize("n", [3, 5, 6, 8, 16, 64])
@pytest.mark.parametrize("name", SHAPES)
def test_equal_groups_are_taken_for_different_no_more_often_than_told(name: str, n: int) -> None:
    shape, rng = SHAPES[name], np.random.default_rng(n)
    drawn = shape.draw(rng, (1000, n)) - shape.draw(rng, (1000, n))
    # of a thousand, three standard errors above one in twenty
    assert (p_values(drawn) < 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
