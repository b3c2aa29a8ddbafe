"""Directions of metrics."""

import pytest

from src.config.errors import ConfigError
from src.search.direction import direction


@pytest.mark.parametrize("metric", ["val/loss", "train/mae", "test/mse", "n_parameters", "duration_s"])
def test_errors_and_costs_are_minimized(metric: str) -> None:
    assert direction(metric) == "minimize"


@pytest.mark.parametrize("metric", ["val/accuracy", "test/f1", "test/precision", "val/recall", "test/r2"])
def test_scores_are_maximized(metric: str) -> None:
    assert direction(metric) == "maximize"


def test_a_metric_of_ones_own_has_to_be_told() -> None:
    with pytest.raises(
        ConfigError, match=r"maximize val/beauty is not known; say it, as in .*\{val/beauty: maximize\}"
    ):
        direction("val/beauty")
