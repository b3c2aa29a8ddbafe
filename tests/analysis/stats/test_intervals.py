"""Intervals against SciPy, numbers worked out by hand, and the truth on skewed, bounded and two-humped values."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from src.analysis.stats import betting
from src.analysis.stats.betting import mean_interval
from src.analysis.stats.bootstrap import (
    FEWEST,
    _middle_mean,
    _middle_mean_of_many,
    interquartile_interval,
    interquartile_mean,
)
from src.analysis.stats.folds import corrected_interval
from src.analysis.stats.interval import Interval
from src.analysis.stats.orders import median, median_interval
from src.analysis.stats.shares import share_interval
from tests.analysis.stats.shapes import SHAPES


@pytest.mark.parametrize(
    ("n", "low", "high", "level"),
    [(2, 0, 1, 0.5), (3, 0, 2, 0.75), (4, 0, 3, 0.875), (5, 0, 4, 0.9375), (6, 0, 5, 0.95), (8, 0, 7, 0.95)],
)
def test_a_few_values_have_the_widest_interval_of_a_median_and_the_level_it_reaches(
    n: int, low: float, high: float, level: float
) -> None:
    assert median_interval(list(range(n))) == Interval(low, high, level)


@pytest.mark.parametrize("n", [9, 16, 17, 64, 500])
def test_the_interval_of_a_median_is_the_narrowest_that_reaches_its_level(n: int) -> None:
    found = median_interval(list(range(n)))
    assert found is not None
    k = int(found.low)
    assert (found.high, found.level) == (n - 1 - k, 0.95)
    # the value at the low end is the (k + 1)-th smallest: it is above the median if no more than k are below that
    assert 2 * stats.binom.cdf(k, n, 0.5) <= 0.05 < 2 * stats.binom.cdf(k + 1, n, 0.5)
    assert found.level <= 1 - 2 * stats.binom.cdf(k, n, 0.5)


def test_the_interval_of_a_median_is_that_of_scipy_which_inverts_the_sign_test() -> None:
    values = np.random.default_rng(3).normal(size=20)
    found = median_interval(list(values))
    expected = stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert found == Interval(expected.low, expected.high)


def test_one_value_has_no_interval_and_order_does_not_matter() -> None:
    assert [each([0.5]) for each in (median_interval, interquartile_interval)] == [None, None]
    assert mean_interval([0.5], (0, 1)) is None
    assert corrected_interval([0.5], 0.1) is None
    assert median([3.0, 1.0, 2.0, 10.0]) == 2.5
    assert median_interval([5.0, 1.0, 3.0]) == (1.0, 5.0, 0.75)


@pytest.mark.parametrize(("k", "n"), [(0, 8), (1, 8), (8, 8), (3, 64), (0, 1)])
def test_a_share_has_the_interval_of_clopper_and_pearson(k: int, n: int) -> None:
    found = share_interval(k, n)
    assert found is not None
    assert found[:2] == pytest.approx(tuple(stats.binomtest(k, n).proportion_ci(0.95, method="exact")))
    assert found.level == 0.95


def test_no_failure_among_eight_is_at_most_37_percent_and_no_run_tells_nothing() -> None:
    assert share_interval(0, 8) == pytest.approx((0.0, 0.369417, 0.95), abs=1e-6)
    assert share_interval(0, 0) is None


def test_an_interquartile_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).normal(size=23)
    assert interquartile_mean(list(values)) == pytest.approx(stats.trim_mean(values, 0.25))


def test_an_interquartile_mean_has_an_interval_from_twelve_values_on_and_always_the_same() -> None:
    values = list(np.random.default_rng(1).normal(size=FEWEST))
    assert interquartile_interval(values[:-1]) is None
    found = interquartile_interval(values)
    assert found is not None
    assert found.low < interquartile_mean(values) < found.high
    assert interquartile_interval(values[::-1]) == found
    # wider than plain percentiles
    plain = stats.bootstrap((values,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), method="percentile", rng=0)
    low, high = plain.confidence_interval
    assert found.low < low
    assert high < found.high


def test_equal_values_have_intervals_of_no_width_but_for_the_mean_which_may_be_moved_by_what_was_not_seen() -> None:
    assert median_interval([0.5] * 8) == (0.5, 0.5, 0.95)
    assert interquartile_interval([0.5] * 12) == (0.5, 0.5, 0.95)
    assert corrected_interval([0.5] * 8, 0.1) == (0.5, 0.5, 0.95)
    found = mean_interval([0.5] * 8, (0.0, 1.0))
    assert found is not None
    assert found.low < 0.4
    assert found.high > 0.6


def test_an_interval_by_betting_holds_what_no_bet_has_made_rich() -> None:
    x = np.array([0.2, 0.9, 0.4, 0.7, 0.8])
    found = mean_interval(list(x), (0.0, 1.0))
    assert found is not None
    stakes = np.sin((np.arange(100) + 0.5) * np.pi / 200) ** 2

    def fortune(values: np.ndarray, m: float) -> float:
        return float(np.mean([np.prod(1 + c * (values / m - 1)) for c in stakes]))

    # half of the error at each end
    assert fortune(x, found.low) == pytest.approx(40)
    assert fortune(1 - x, 1 - found.high) == pytest.approx(40)


def test_the_interval_of_a_bounded_mean_stays_within_and_follows_the_bounds() -> None:
    values = [0.0, 1.0, 1.0, 1.0]
    found, doubled = mean_interval(values, (0.0, 1.0)), mean_interval([2 * x - 1 for x in values], (-1.0, 1.0))
    assert found is not None
    assert doubled is not None
    assert 0 < found.low < 0.75 < found.high <= 1
    assert doubled[:2] == pytest.approx([2 * end - 1 for end in found[:2]])
    assert mean_interval([0.0] * 4, (0.0, 1.0)) == pytest.approx((0.0, 1 - mean_interval([1.0] * 4, (0, 1))[0], 0.95))  # type: ignore[index]
    with pytest.raises(ValueError, match=r"values within 0 and 1 expected, got 0\.5 to 1\.5"):
        mean_interval([0.5, 1.5], (0, 1))


def test_the_corrected_resampled_interval_worked_out_by_hand() -> None:
    # standard deviation 1, and a variance of the mean of 1/3 + 1/2 in the place of 1/3; 4.303 is the t table's value
    found = corrected_interval([1.0, 2.0, 3.0], 0.5)
    assert found is not None
    assert (found.high - found.low) / 2 == pytest.approx(4.302653 * np.sqrt(5 / 6), abs=1e-6)
    assert (found.high + found.low) / 2 == pytest.approx(2.0)


@pytest.mark.parametrize("n", [6, 8, 16, 32])
@pytest.mark.parametrize("name", SHAPES)
def test_the_median_is_covered_whatever_the_shape(name: str, n: int) -> None:
    shape, rng = SHAPES[name], np.random.default_rng(n)
    drawn = shape.draw(rng, (1000, n))
    found = [median_interval(row) for row in drawn.tolist()]
    assert np.mean([each is not None and each.low <= shape.median <= each.high for each in found]) >= 0.94


@pytest.mark.parametrize("n", [3, 8, 32])
@pytest.mark.parametrize("name", SHAPES)
def test_the_mean_of_a_bounded_metric_is_covered_whatever_the_shape(name: str, n: int) -> None:
    shape, rng = SHAPES[name], np.random.default_rng(n)
    drawn = np.clip(shape.draw(rng, (200, n)), 0, 1)
    found = [mean_interval(row, (0.0, 1.0)) for row in drawn.tolist()]
    assert np.mean([each is not None and each.low <= shape.mean <= each.high for each in found]) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("n", [12, 13, 16, 32])
@pytest.mark.parametrize("name", SHAPES)
def test_the_interquartile_mean_is_covered_from_twelve_values_on(name: str, n: int) -> None:
    shape, rng = SHAPES[name], np.random.default_rng(n)
    found = [interquartile_interval(row) for row in shape.draw(rng, (400, n)).tolist()]
    is_held = [each is not None and each.low - 1e-9 <= shape.iqm <= each.high + 1e-9 for each in found]
    assert np.mean(is_held) >= 0.94 - 2 * np.sqrt(0.94 * 0.06 / 400)


def test_places_that_are_counted_give_the_interquartile_means_of_values_that_are_sorted() -> None:
    rng = np.random.default_rng(0)
    for n in (12, 13, 1001):
        given, places = np.sort(rng.normal(size=n)), rng.integers(0, n, (20, n))
        np.testing.assert_allclose(_middle_mean_of_many(given, places), _middle_mean(given[places]), atol=1e-12)


def test_equal_values_are_looked_at_once_by_betting(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 21, 50_000) / 20
    looked_at: list[int] = []
    log_fortune = betting._log_fortune

    def counted(x: Any, m: float, counts: Any) -> float:
        looked_at.append(len(x))
        return log_fortune(x, m, counts)

    monkeypatch.setattr(betting, "_log_fortune", counted)
    found = mean_interval(values.tolist(), (0.0, 1.0))
    assert found is not None
    assert found.low < values.mean() < found.high
    assert set(looked_at) == {21}
    assert len(looked_at) < 100
