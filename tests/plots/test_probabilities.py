"""What the pictures of class probabilities show."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.plots import style
from src.plots.plane import Samples
from src.plots.probabilities import MAX_CLASSES, probabilities_figure
from tests.plots.seen import assert_readable, contours, vertices

Floats = NDArray[np.float32]


def _softmax(points: Floats, k: int) -> Floats:
    """Classes along the horizontal axis, one per unit."""
    logits = -4 * (points[:, :1] - np.arange(k)) ** 2
    raised = np.exp(logits - logits.max(1, keepdims=True))
    probs: Floats = (raised / raised.sum(1, keepdims=True)).astype(np.float32)
    return probs


def _data(k: int, n: int = 120) -> Samples:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % k
    return np.stack([labels + rng.normal(0, 0.2, n), k / 1.5 * rng.random(n)], 1), labels


def _draw(k: int, data: Samples | None = None) -> Figure:
    return probabilities_figure(
        lambda points: _softmax(points, k),
        _data(k) if data is None else data,
        class_names=[f"class {i}" for i in range(k)],
        feature_names=("width", "height"),
        title="a title",
    )


def _shown_probs(ax: Axes, k: int) -> NDArray[np.float64]:
    """Undo the colouring of a panel."""
    (image,) = ax.images
    lost = 255 - np.asarray(image.get_array(), dtype=np.float64)
    strongest = 255 - style.soften_one(np.ones(()), k).astype(np.float64)
    share: NDArray[np.float64] = lost.sum(-1) / strongest.sum()
    return share


@pytest.mark.parametrize("k", [2, 3, 4, 7])
def test_there_is_a_panel_per_class_and_all_of_them_sum_to_one(k: int) -> None:
    figure = _draw(k)
    assert [ax.get_title() for ax in figure.axes] == [f"class {i}" for i in range(k)]
    total = sum(_shown_probs(ax, i) for i, ax in enumerate(figure.axes))
    assert total == pytest.approx(1.0, abs=0.01 * k)
    assert_readable(figure)


def test_a_panel_has_the_colour_of_its_class_and_is_white_where_that_is_impossible() -> None:
    rgb = style.soften_one(np.array([0.0, 1.0]), 1) / 255
    assert np.array_equal(rgb[0], np.ones(3))
    faded = 1 - rgb[1]
    assert faded / faded.max() == pytest.approx((1 - np.array(to_rgb(style.color(1)))) / 1.0, abs=0.02)


def test_lines_lie_where_the_class_is_that_likely() -> None:
    ax = _draw(3).axes[1]
    levels = []
    for line in contours(ax):
        places = vertices(line).astype(np.float32)
        levels.append(float(np.asarray(line.levels)[0]))
        assert _softmax(places, 3)[:, 1] == pytest.approx(levels[-1], abs=0.02)
    assert levels == [0.1, 0.5, 0.9]


def test_lines_that_are_nowhere_are_not_in_the_legend() -> None:
    def half(points: Floats) -> Floats:
        return np.full((len(points), 2), 0.5, dtype=np.float32)

    figure = probabilities_figure(half, _data(2), class_names=("a", "b"), feature_names=("x", "y"), title="")
    assert [contours(ax) for ax in figure.axes] == [[], []]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training points of other classes"]


def test_points_of_the_class_stand_out_of_all_others() -> None:
    points, labels = _data(3)
    for k, ax in enumerate(_draw(3, (points, labels)).axes):
        others, own = ax.lines
        assert np.array_equal(own.get_xydata(), points[labels == k])
        assert np.array_equal(others.get_xydata(), points[labels != k])
        assert own.get_markerfacecolor() == style.color(k) != others.get_markerfacecolor()


def test_of_many_classes_the_first_are_drawn_and_the_title_says_so() -> None:
    figure = _draw(30)
    assert len(figure.axes) == MAX_CLASSES
    assert figure.texts[0].get_text().replace("\n", " ") == "a title; the first 12 of 30 classes"
    assert_readable(figure)


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"data labels must be in 0\.\.1, got 0\.\.2"):
        _draw(2, _data(3))
