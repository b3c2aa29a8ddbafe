"""Intervals and paired comparisons, against SciPy and against numbers worked out by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from src.analysis.stats import Comparison, compare, estimate, holm
from src.analysis.units import Unit


def compared(a: dict[int, float], b: dict[int, float], *, lower: bool = False) -> Comparison:
    return compare("test/accuracy", ("a", a), ("b", b), lower_is_better=lower)


def drawn(n: int, *, seed: int, shift: float = 0.0) -> dict[int, float]:
    rng = np.random.default_rng(seed)
    return {i: float(value) for i, value in enumerate(rng.normal(shift, 1.0, n))}


def test_an_interval_worked_out_by_hand() -> None:
    # standard deviation 1, so 4.303 (the t table's value for two degrees of freedom) over the root of three
    found = estimate([1.0, 2.0, 3.0])
    assert found is not None
    assert (found.mean, found.n) == (2.0, 3)
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3), abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_an_interval_is_that_of_scipy(n: int) -> None:
    values = list(drawn(n, seed=n).values())
    found = estimate(values)
    assert found is not None
    assert found.half_width is not None
    low, high = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))


def test_a_single_value_has_no_interval_and_none_no_mean() -> None:
    found = estimate([0.25])
    assert found is not None
    assert (found.mean, found.half_width, found.n) == (0.25, None, 1)
    assert estimate([]) is None


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -3e-9, 1e9])
def test_equal_values_have_an_interval_of_no_width(value: float) -> None:
    found = estimate([value] * 5)
    assert found is not None
    assert (found.mean, found.half_width) == (value, 0.0)


@pytest.mark.parametrize("n", [2, 3, 8, 32])
def test_a_comparison_is_the_paired_t_test_of_scipy(n: int) -> None:
    a, b = drawn(n, seed=1, shift=0.3), drawn(n, seed=2)
    found = compared(a, b)
    expected = stats.ttest_rel(list(a.values()), list(b.values()))
    low, high = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.difference is not None
    assert found.difference.half_width is not None
    assert found.difference.mean == pytest.approx((low + high) / 2)
    assert found.difference.half_width == pytest.approx((high - low) / 2)
    # the reason for this test: it says what the interval says
    assert found.is_clear == (low > 0 or high < 0)


def test_pairs_are_matched_by_seed_and_not_by_place() -> None:
    a = drawn(10, seed=1)
    b = {seed: value - 1 + 0.01 * seed for seed, value in reversed(a.items())}
    found = compared(a, b)
    assert (found.wins, found.ties, found.losses) == (10, 0, 0)
    assert found.difference is not None
    assert found.difference.mean == pytest.approx(1 - 0.01 * 4.5)


def test_only_shared_seeds_count() -> None:
    found = compared({0: 1.0, 1: 2.0, 2: 9.0}, {1: 1.5, 2: 8.75, 3: 4.0, 4: 4.0})
    assert found.difference is not None
    assert (found.difference.n, found.n_left_out) == (2, 3)
    assert found.difference.mean == pytest.approx(0.375)


def test_lower_is_better_turns_wins_around_but_not_the_difference() -> None:
    a, b = {0: 1.0, 1: 2.0, 2: 3.0}, {0: 2.0, 1: 2.0, 2: 1.0}
    high, low = compared(a, b), compared(a, b, lower=True)
    assert (high.wins, high.ties, high.losses) == (1, 1, 1)
    assert high.difference == low.difference
    lopsided = compared({0: 1.0, 1: 1.0}, {0: 2.0, 1: 3.0}, lower=True)
    assert (lopsided.wins, lopsided.ties, lopsided.losses) == (2, 0, 0)


def test_no_shared_seed_is_no_comparison_and_one_is_no_test() -> None:
    none = compared({0: 1.0}, {1: 2.0})
    assert (none.difference, none.p_value, none.is_clear) == (None, None, False)
    one = compared({0: 1.0}, {0: 2.0})
    assert one.difference is not None
    assert (one.difference.half_width, one.p_value, one.is_clear) == (None, None, False)


@pytest.mark.parametrize("n", [2, 5, 6, 20])
def test_equal_differences_are_judged_by_the_sign_test(n: int) -> None:
    found = compared({i: 0.5 + 0.1 * i for i in range(n)}, {i: 0.25 + 0.1 * i for i in range(n)})
    assert found.p_value == pytest.approx(stats.binomtest(n, n).pvalue)
    assert found.is_clear == (n >= 6)


def test_equal_groups_are_no_difference() -> None:
    found = compared({0: 0.5, 1: 0.75}, {0: 0.5, 1: 0.75})
    assert (found.ties, found.p_value, found.is_clear) == (2, 1.0, False)


def test_holm_by_hand() -> None:
    # 0.01 x 4, 0.02 x 3, then 0.03 x 2 and 0.04 x 1, which may not fall below what stands before
    given = [0.04, 0.01, None, 0.03, 0.02]
    plain = [Comparison("m", "a", "b", None, 0, 0, 0, 0, p) for p in given]
    assert [each.p_value for each in holm(plain)] == pytest.approx([0.06, 0.04, None, 0.06, 0.06])
    assert [each.p_value for each in holm(plain[:1])] == [0.04]
    assert holm([Comparison("m", "a", "b", None, 0, 0, 0, 0, 0.9)] * 3)[0].p_value == 1.0


def test_the_corrected_resampled_interval_and_test_worked_out_by_hand() -> None:
    # standard deviation 1, and a variance of the mean of 1/3 + 1/2 in the place of 1/3
    folds = Unit("fold", 0.5)
    found = estimate([1.0, 2.0, 3.0], folds)
    assert found is not None
    assert (found.mean, found.n) == (2.0, 3)
    assert found.half_width == pytest.approx(4.302653 * math.sqrt(5 / 6), abs=1e-6)
    # t = 2 / sqrt(5/6); with two degrees of freedom p = 1 - t / sqrt(2 + t^2)
    a, b = {"x": 1.5, "y": 2.5, "z": 3.5}, dict.fromkeys("xyz", 0.5)
    compared = compare("test/loss", ("a", a), ("b", b), lower_is_better=True, unit=folds)
    assert compared.difference == found
    assert compared.p_value == pytest.approx(1 - math.sqrt(4.8 / 6.8), abs=1e-9)
    assert (compared.wins, compared.losses, compared.unit) == (0, 3, folds)


def test_the_corrected_test_is_that_of_the_paper_for_repeated_folds() -> None:
    values, rho = list(drawn(50, seed=3, shift=0.5).values()), 1 / 7.2
    found = compare(
        "m", ("a", dict(enumerate(values))), ("b", dict.fromkeys(range(50), 0.0)), lower_is_better=False,
        unit=Unit("fold", rho),
    )  # fmt: skip
    t = np.mean(values) / math.sqrt((1 / 50 + rho) * np.var(values, ddof=1))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), 49))
    assert found.difference is not None
    assert found.difference.half_width == pytest.approx(
        stats.t.ppf(0.975, 49) * math.sqrt((1 / 50 + rho) * np.var(values, ddof=1))
    )
    # the same values of independent seeds are surer than they are
    plain = compare("m", ("a", dict(enumerate(values))), ("b", dict.fromkeys(range(50), 0.0)), lower_is_better=False)
    assert plain.p_value is not None
    assert found.p_value is not None
    assert plain.p_value < found.p_value


@pytest.mark.parametrize(("n", "worth"), [(10, 4), (50, 6)])
def test_equal_differences_of_folds_count_as_many_as_they_are_worth(n: int, worth: int) -> None:
    unit = Unit("fold", 1 / 7.2)  # 1 / (1/10 + 1/7.2) = 4.2, 1 / (1/50 + 1/7.2) = 6.3
    values = dict.fromkeys(range(n), 0.5)
    found = compare("m", ("a", values), ("b", dict.fromkeys(range(n), 0.25)), lower_is_better=False, unit=unit)
    assert found.p_value == pytest.approx(stats.binomtest(worth, worth).pvalue)
