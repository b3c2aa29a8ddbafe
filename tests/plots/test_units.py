"""What the grid of hidden units shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.plots import style
from src.plots.plane import View
from src.plots.units import MAX_LAYERS, MAX_UNITS, Layer, LayerMap, units_figure
from tests.plots.seen import assert_readable, contours, vertices

Floats = NDArray[np.float32]
POINTS = np.random.default_rng(0).uniform(-1, 1, (50, 2)).astype(np.float32)


def _layer(points: Floats, width: int, *, name: str = "relu") -> Layer:
    """Units that look into all directions; the second one is far below zero, so that a ReLU keeps it silent."""
    angles = np.arange(width)
    before = points @ np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    before[:, 1:2] -= 10
    return Layer(name, name == "relu", before, np.maximum(before, 0) if name == "relu" else before)


def _draw(*layers: tuple[int, str]) -> Figure:
    def hidden(points: Floats) -> Sequence[Layer]:
        assert points.dtype == np.float32
        return [_layer(points, width, name=name) for width, name in layers]

    return units_figure(hidden, POINTS, feature_names=("X1", "X2"), title="a network")


def _color_at(ax: Axes, x: float, y: float) -> NDArray[Any]:
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    pixels = np.asarray(image.get_array(), dtype=np.float64)
    row = int((y - bottom) / (top - bottom) * len(pixels))
    color: NDArray[Any] = pixels[row, int((x - left) / (right - left) * pixels.shape[1])]
    return color


def test_there_is_a_panel_per_unit_and_every_layer_begins_a_row() -> None:
    figure = _draw((5, "relu"), (3, "tanh"))
    assert [ax.get_title() for ax in figure.axes] == [
        "unit 1", "unit 2: silent", "unit 3", "unit 4", "unit 5", "unit 1", "unit 2", "unit 3",
    ]  # fmt: skip
    first = {ax.get_ylabel(): ax.get_position().x0 for ax in figure.axes if ax.get_ylabel()}
    assert list(first) == ["layer 1\nrelu", "layer 2\ntanh"]
    assert len({round(x, 6) for x in first.values()}) == 1
    assert_readable(figure)


def test_zero_is_white_and_each_sign_has_its_colour() -> None:
    ax, *_ = _draw((3, "identity")).axes  # the first unit is x itself
    lowest, highest = (np.array(style.signed_colormap()(end)[:3]) for end in (0.0, 1.0))
    limit = ax.get_xlim()
    assert _color_at(ax, 0, 0.5) == pytest.approx(np.ones(3), abs=0.05)
    assert _color_at(ax, limit[0] * 0.999, 0) == pytest.approx(lowest, abs=0.05)
    assert _color_at(ax, limit[1] * 0.999, 0) == pytest.approx(highest, abs=0.05)


def test_the_line_is_where_the_pre_activation_is_zero_and_missing_where_it_never_is() -> None:
    first, second, _ = _draw((3, "relu")).axes
    (line,) = contours(first)
    assert vertices(line)[:, 0] == pytest.approx(0, abs=1e-6)
    assert contours(second) == []


def test_the_legend_tells_of_negative_numbers_only_where_there_are_some() -> None:
    def entries(name: str) -> list[str]:
        return [text.get_text() for text in _draw((3, name)).legends[0].get_texts()]

    assert entries("tanh") == ["negative", "zero", "positive", "pre-activation = 0"]
    assert entries("relu") == ["zero", "positive", "pre-activation = 0"]


@pytest.mark.slow
@pytest.mark.parametrize("layers", [[(8, "relu")] * 2, [(16, "handmade_sigmoid"), (2, "handmade_relu")], [(1, "relu")]])
def test_no_text_runs_over_another(layers: list[tuple[int, str]]) -> None:
    assert_readable(_draw(*layers))


def test_many_units_and_layers_are_cut_down_and_the_title_says_so() -> None:
    figure = _draw((20, "relu"), *[(1, "relu")] * 5)
    assert len(figure.axes) == MAX_UNITS + (MAX_LAYERS - 1)
    (title,) = [text.get_text().replace("\n", " ") for text in figure.texts]
    assert title == "a network; the first 4 of 6 layers; the first 16 of up to 20 units of a layer"


def test_a_network_without_hidden_layers_and_points_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="hidden must return at least one layer, got none"):
        _draw()
    with pytest.raises(ValueError, match=r"points must have shape \(n, 2\) with n >= 1, got \(50, 1\)"):
        units_figure(lambda _: [], POINTS[:, :1], feature_names=("x", "y"), title="")


def test_layers_come_back_row_by_row_from_small_chunks_and_only_the_first_units_are_kept() -> None:
    sizes = []

    def hidden(points: Floats) -> list[Layer]:
        sizes.append(len(points))
        before = np.concatenate([points, -points], 1) - np.float32(0.25)
        return [Layer("relu", folds=True, before=before, after=np.maximum(before, 0))]

    view = View(np.array([0.0, 5.0]), np.array([1.0, 7.0]), (3.0, 2.0))
    (layer,) = LayerMap.all_of(hidden, view, max_units=3)
    assert max(sizes) <= 4096
    assert len(sizes) > 1
    assert sum(sizes) == len(layer.x) * len(layer.y)
    assert (layer.name, layer.folds, layer.n_units) == ("relu", True, 4)
    assert layer.before.shape == (len(layer.y), len(layer.x), 3)
    assert np.allclose(layer.before[..., 0], layer.x[None, :] - 0.25, atol=1e-6)
    assert np.allclose(layer.before[..., 1], layer.y[:, None] - 0.25, atol=1e-6)
    assert np.array_equal(layer.after, np.maximum(layer.before, 0))
    assert layer.crosses_zero().tolist() == [True, False, False]
