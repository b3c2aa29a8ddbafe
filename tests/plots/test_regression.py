"""What the regression picture shows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from src.plots import style
from src.plots.plane import Samples
from src.plots.regression import predictions_figure, residuals_figure
from src.plots.style import save
from tests.plots.seen import assert_readable

X = np.arange(0, 1, 0.02)
Y = 0.7 * X + 0.3
TRAIN, TEST = (X[:40], Y[:40]), (X[40:], Y[40:])


def _draw(train: Samples = TRAIN, test: Samples = TEST, predictions: Samples = (X, Y)) -> Figure:
    return predictions_figure(train, test, predictions, feature_name="dose", target_name="effect", title="a line")


def _data(figure: Figure) -> dict[Any, Any]:
    return {line.get_label(): line.get_xydata() for line in figure.axes[0].lines}


def test_all_three_series_are_drawn_as_given_and_named() -> None:
    figure = _draw()
    data = _data(figure)
    for name, series in (("train", TRAIN), ("test", TEST), ("prediction", (X, Y))):
        assert np.array_equal(data[name], np.stack(series, 1))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "test", "prediction"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("dose", "effect")
    assert [text.get_text() for text in figure.texts] == ["a line"]


def test_predictions_are_joined_from_left_to_right_whatever_their_order() -> None:
    order = np.random.default_rng(0).permutation(len(X))
    assert np.array_equal(_data(_draw(predictions=(X[order], Y[order])))["prediction"], np.stack([X, Y], 1))


def test_every_point_and_prediction_is_within_the_axes() -> None:
    ax = _draw(predictions=(X * 2, Y - 5)).axes[0]
    assert ax.get_xlim()[0] < 0
    assert ax.get_xlim()[1] > 1.96
    assert ax.get_ylim()[0] < -4.7
    assert ax.get_ylim()[1] > Y.max()


def test_of_many_points_a_sample_is_drawn_and_the_legend_says_so() -> None:
    x = np.linspace(0, 1, 50_000)
    data = _data(_draw(train=(x, x)))
    assert len(data["train (2,000 of 50,000 shown)"]) == 2000


def test_it_can_be_saved(tmp_path: Path) -> None:
    save(_draw(), tmp_path / "line.png")


@pytest.mark.parametrize("name", ["train", "test", "predictions"])
@pytest.mark.parametrize(
    ("series", "message"),
    [
        ((X[:, None], Y), r"shape \(n,\) with n >= 1, got \(50, 1\) and \(50,\)"),
        ((X, Y[1:]), r"got \(50,\) and \(49,\)"),
        ((X[:0], Y[:0]), r"with n >= 1, got \(0,\)"),
        ((X, np.full(50, np.nan)), "must be finite"),
    ],
)
def test_bad_series_are_refused_by_name(name: str, series: Samples, message: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be .*{message.removeprefix('must be ')}"):
        _draw(**{name: series})


def _residuals(train: Samples = (X[:40], Y[:40] - 0.5), test: Samples = (X[40:], -Y[40:])) -> Figure:
    return residuals_figure(train, test, place_name="dose", target_name="effect", title="a line")


def test_residuals_are_drawn_as_given_around_a_line_at_zero() -> None:
    figure = _residuals()
    (ax,) = figure.axes
    zero, train, test = ax.lines
    assert np.array_equal(zero.get_ydata(), [0, 0])
    assert np.array_equal(train.get_xydata(), np.stack([X[:40], Y[:40] - 0.5], 1))
    assert np.array_equal(test.get_xydata(), np.stack([X[40:], -Y[40:]], 1))
    assert [line.get_markerfacecolor() for line in (train, test)] == list(style.PALETTE[:2])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("dose", "effect - prediction")
    assert_readable(figure)


def test_the_legend_tells_the_mean_absolute_residual_of_all_points_though_some_are_drawn() -> None:
    residuals = np.linspace(-1, 3, 50_000)
    figure = _residuals(train=(np.arange(50_000.0), residuals))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        f"train: mean absolute residual {np.abs(residuals).mean():.3g} (2,000 of 50,000 shown)",
        f"test: mean absolute residual {np.abs(Y[40:]).mean():.3g}",
    ]
    assert_readable(figure)


def test_zero_is_in_view_also_where_all_residuals_are_far_away() -> None:
    low, high = _residuals(train=(X, Y + 100), test=(X, Y + 100)).axes[0].get_ylim()
    assert low <= 0 < 100 < high


@pytest.mark.parametrize("name", ["train", "test"])
def test_bad_residuals_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        _residuals(**{name: (X, np.full(50, np.inf))})
