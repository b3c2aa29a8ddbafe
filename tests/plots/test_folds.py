"""Fold lines of networks that were built by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.plots import style
from src.plots.folds import MAX_LAYERS, MAX_LINES, folds_figure
from src.plots.plane import Samples
from src.plots.units import Layer
from tests.plots.seen import assert_readable, contours, vertices, width

Floats = NDArray[np.float32]

# Rows (a, b, c) of units with pre-activation a * x + b * y + c; the last two are never zero in view.
UNITS = np.array([[1, 0, -0.5], [1, 1, 0], [2, -1, 0.3], [0, 1, 9], [1, 0, -9]], dtype=np.float32)


def _layer(points: Floats, units: NDArray[np.float32] = UNITS, *, name: str = "relu") -> Layer:
    before = points @ units[:, :2].T + units[:, 2]
    return Layer(name, name == "relu", before, np.maximum(before, 0) if name == "relu" else before)


def _predict(points: Floats) -> Floats:
    positive = 1 / (1 + np.exp(-5 * points[:, 0]))
    return np.stack([1 - positive, positive], 1).astype(np.float32)


def _data() -> Samples:
    points = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    return points, (points[:, 0] > 0).astype(np.int64)


def _draw(*names: str, units: NDArray[np.float32] = UNITS) -> Figure:
    def hidden(points: Floats) -> Sequence[Layer]:
        return [_layer(points, units, name=name) for name in names]

    return folds_figure(
        _predict, hidden, _data(), class_names=("left", "right"), feature_names=("X1", "X2"), title="a network"
    )


def _folds(ax: Axes) -> list[ContourSet]:
    return [line for line in contours(ax) if width(line) < 2]


def test_folds_of_a_first_layer_are_the_straight_lines_of_its_weights() -> None:
    (ax,) = _draw("relu").axes
    folds = _folds(ax)
    assert len(folds) == 3
    for line, (a, b, c) in zip(folds, UNITS[:3], strict=True):
        x, y = vertices(line).T
        assert a * x + b * y + c == pytest.approx(0, abs=1e-5)
        # from frame to frame, not a part of the line
        ends = vertices(line)[[0, -1]]
        edges = np.array([ax.get_xlim(), ax.get_ylim()]).T
        assert np.isclose(ends[:, None], edges, atol=1e-6).any(axis=(1, 2)).all()


def test_folds_of_a_second_layer_bend_exactly_where_the_first_one_folds() -> None:
    def hidden(points: Floats) -> Sequence[Layer]:
        first = _layer(points, UNITS[:1])
        before = (points[:, 1:] - 2 * first.after).astype(np.float32)
        return [first, Layer("relu", folds=True, before=before, after=np.maximum(before, 0))]

    figure = folds_figure(_predict, hidden, _data(), class_names=("a", "b"), feature_names=("x", "y"), title="")
    (fold,) = _folds(figure.axes[1])
    x, y = vertices(fold).T
    step = 3 * 2.2 / 190  # of the grid: inside a cell with a corner the line cuts it off
    assert y == pytest.approx(2 * np.maximum(x - 0.5, 0), abs=step)
    assert y[x < 0.45] == pytest.approx(0, abs=1e-6)


def test_the_boundary_is_drawn_thick_and_dark_above_all_folds() -> None:
    (ax,) = _draw("relu").axes
    boundary, *folds = contours(ax)
    assert (
        boundary.get_zorder() > max(fold.get_zorder() for fold in folds) > max(line.get_zorder() for line in ax.lines)
    )
    assert width(boundary) > 1.5 * width(folds[0])
    assert vertices(boundary)[:, 0] == pytest.approx(0, abs=1e-4)


def test_folds_have_a_colour_that_no_class_has() -> None:
    figure = _draw("relu")
    (label,) = [line for line in figure.legends[0].get_lines() if line.get_label() == "fold of a unit"]
    assert label.get_color() == style.VIOLET
    assert style.VIOLET not in style.PALETTE


def test_only_layers_that_fold_have_a_panel_which_counts_their_units() -> None:
    figure = _draw("identity", "relu", "tanh", "relu")
    assert [ax.get_title() for ax in figure.axes] == [
        f"hidden layer {i}: 5 relu units\n3 fold within this view" for i in (2, 4)
    ]
    assert_readable(figure)


@pytest.mark.parametrize("names", [("identity", "tanh"), ()])
def test_a_network_without_folds_shows_its_boundary_and_says_so(names: tuple[str, ...]) -> None:
    figure = _draw(*names)
    (ax,) = figure.axes
    assert len(contours(ax)) == 1
    assert ax.get_title() == f"no unit folds the plane:\nactivations: {', '.join(names) or 'none'}"
    assert "fold of a unit" not in [text.get_text() for text in figure.legends[0].get_texts()]
    assert_readable(figure)


def test_many_units_and_layers_are_cut_down_and_the_panels_say_so() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, dtype=np.float32)
    figure = _draw("relu", units=np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1))
    assert len(_folds(figure.axes[0])) == MAX_LINES
    assert figure.axes[0].get_title().startswith("hidden layer 1: the first 32 of 40 relu units\n32 fold")
    assert_readable(figure)
    figure = _draw(*["relu"] * 6, units=UNITS[:1])
    assert [ax.get_title().splitlines()[0] for ax in figure.axes] == [
        f"hidden layer {i + 1}: 1 relu unit" for i in range(MAX_LAYERS)
    ]
    assert figure.texts[0].get_text().replace("\n", " ") == "a network; the first 4 of 6 layers that fold"
    assert_readable(figure)


def test_bad_points_are_refused() -> None:
    with pytest.raises(ValueError, match=r"data points must have shape \(n, 2\)"):
        folds_figure(
            _predict, lambda _: [], (np.zeros((3, 3)), np.zeros(3, dtype=np.int64)), class_names=("a", "b"),
            feature_names=("x", "y"), title="",
        )  # fmt: skip
