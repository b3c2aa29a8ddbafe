"""A group in numbers: which estimate has an interval, and which has none that holds."""

import numpy as np
import pytest

from src.analysis.stats.estimates import Distribution, distribution
from src.analysis.varying.units import Unit


def test_a_bounded_metric_has_three_estimates_with_intervals() -> None:
    values = tuple(np.linspace(0.9, 1.0, 13).tolist())
    found = Distribution(values, bounds=(0.0, 1.0))
    assert (found.n, found.default) == (13, "median")
    assert found.quartiles == pytest.approx((0.925, 0.95, 0.975))
    for each in (found.median, found.iqm, found.mean):
        assert each.value == pytest.approx(0.95)
        assert each.interval is not None
        assert each.interval.low < 0.95 < each.interval.high <= 1.0
    assert [found.of(name).words for name in ("median", "iqm", "mean")] == ["median", "interquartile mean", "mean"]


@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_the_mean_of_what_has_no_bounds_or_breaks_them_has_no_interval(bounds: tuple[float, float] | None) -> None:
    found = Distribution((0.1, 0.5, 1.5), bounds=bounds)
    assert found.mean.interval is None
    assert found.median.interval == (0.1, 1.5, 0.75)


def test_of_folds_only_the_mean_has_an_interval_which_ends_at_the_bounds() -> None:
    found = Distribution((1.0, 1.0, 0.99), Unit("fold", 0.1), (0.0, 1.0))
    assert found.default == "mean"
    assert (found.median.interval, found.iqm.interval) == (None, None)
    assert found.mean.interval is not None
    assert found.mean.interval.high == 1.0
    unbounded = Distribution(found.values, found.unit)
    assert unbounded.mean.interval is not None
    assert unbounded.mean.interval.high > 1.0


def test_no_value_is_no_distribution_and_one_has_no_interval() -> None:
    assert distribution([]) is None
    one = distribution([0.5], bounds=(0, 1))
    assert one is not None
    assert [one.of(name).interval for name in ("median", "iqm", "mean")] == [None, None, None]
    with pytest.raises(ValueError, match="at least one value"):
        Distribution(())
