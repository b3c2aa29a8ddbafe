"""What the regression picture shows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from src.plots.regression import Series, predictions_figure
from src.plots.style import save

X = np.arange(0, 1, 0.02)
Y = 0.7 * X + 0.3
TRAIN, TEST = (X[:40], Y[:40]), (X[40:], Y[40:])


def _draw(train: Series = TRAIN, test: Series = TEST, predictions: Series = (X, Y)) -> Figure:
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
def test_bad_series_are_refused_by_name(name: str, series: Series, message: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be .*{message.removeprefix('must be ')}"):
        _draw(**{name: series})
