"""What all charts of the page share."""

import math

import pytest

from src.analysis.page.series import axis, metric_axis, with_ends


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.43, 1.0], [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        ([0, 999], [0, 200, 400, 600, 800, 1000]),
        ([-3, 4], [-4, -2, 0, 2, 4]),
        ([5, 5], [5, 5.2]),
        ([0, 0], [0, 0.2]),
        ([100.003, 100.0031], [100.003, 100.00302, 100.00304, 100.00306, 100.00308, 100.0031]),
    ],
)
def test_an_axis_begins_and_ends_with_a_labelled_tick(values: list[float], ticks: list[float]) -> None:
    found = with_ends(axis("x"), values)
    assert found["tickvals"] == pytest.approx(ticks)
    assert found["range"][0] < ticks[0] <= min(values)
    assert found["range"][1] > ticks[-1] >= max(values)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.003, 0.7], [0.001, 0.01, 0.1, 1]),
        ([0.02, 0.4], [0.02, 0.05, 0.1, 0.2, 0.5]),
        ([1e-10, 10.0], [1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1, 100]),
        ([1, 1], [1, 2]),
        ([0.1, 10], [0.1, 0.2, 0.5, 1, 2, 5, 10]),
        # zero has no place on it
        ([0, 0.4, 100], [0.1, 1, 10, 100]),
    ],
)
def test_so_does_a_logarithmic_one(values: list[float], ticks: list[float]) -> None:
    found = with_ends(axis("x", type="log"), values)
    assert found["tickvals"] == pytest.approx(ticks)
    low, high = (10**end for end in found["range"])
    assert low < ticks[0]
    assert high > ticks[-1] >= max(values)
    assert len(found["tickvals"]) <= 8


@pytest.mark.parametrize("values", [[], [-1.7e308, 1.7e308], [5e-324, 1.0], [0.0, 1e-310]])
def test_without_values_that_have_round_numbers_around_them_it_is_as_it_was(values: list[float]) -> None:
    for kind in ("linear", "log"):
        assert with_ends(axis("x", type=kind), values) == axis("x", type=kind)


def test_an_axis_of_a_metric_reaches_as_far_as_it_must() -> None:
    loss = metric_axis("val/loss", [0.01, 0.9], ends=[0.0001, 3.0])
    assert loss["type"] == "log"
    assert (loss["tickvals"][0], loss["tickvals"][-1]) == (0.0001, 10.0)
    accuracy = metric_axis("val/accuracy", [0.5, 1.0])
    assert (accuracy["tickvals"][0], accuracy["tickvals"][-1]) == (0.5, 1.0)
    assert all(math.isfinite(end) for end in accuracy["range"])
