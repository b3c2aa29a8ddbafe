"""What the sheet of activations shows."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from src.plots.activations import Curve, activations_figure
from tests.plots.seen import assert_readable

X = np.linspace(-4, 4, 81)
RELU = Curve(np.maximum(X, 0), (X > 0).astype(np.float64))
CURVES = {"identity": Curve(X, np.ones(81)), "relu": RELU, "tanh": Curve(np.tanh(X), 1 - np.tanh(X) ** 2)}


def _draw(**twins: Curve) -> Figure:
    return activations_figure(X, CURVES, twins, title="a sheet")


def test_every_activation_has_a_panel_with_its_value_and_its_slope() -> None:
    figure = _draw()
    for ax, (name, curve) in zip(figure.axes, CURVES.items(), strict=True):
        assert ax.get_title() == name
        value, slope = ax.lines
        assert np.array_equal(value.get_xydata(), np.stack([X, curve.value], 1))
        assert np.array_equal(slope.get_xydata(), np.stack([X, curve.slope], 1))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["value", "slope"]
    assert_readable(figure)


def test_a_twin_lies_dashed_over_what_it_stands_for_and_its_panel_tells_how_far_it_is_off() -> None:
    figure = _draw(relu=RELU, tanh=Curve(np.tanh(X) + 0.002, 1 - np.tanh(X) ** 2))
    identity, relu, tanh = figure.axes
    assert [len(ax.lines) for ax in figure.axes] == [2, 4, 4]
    for line, expected in zip(relu.lines[2:], (RELU.value, RELU.slope), strict=True):
        assert line.is_dashed()
        assert line.get_linewidth() < min(other.get_linewidth() for other in relu.lines[:2])
        assert np.array_equal(line.get_ydata(), expected)
    titles = [ax.get_title() for ax in (identity, relu, tanh)]
    assert titles == ["identity", "relu\nby hand: the same", "tanh\nby hand: within 0.002"]
    assert "written by hand" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert_readable(figure)


def test_all_panels_have_the_same_range() -> None:
    axes = _draw().axes
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) == 1


def test_a_twin_of_nothing_and_arrays_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"twins must be of curves that are there, got twins \['selu'\]"):
        _draw(selu=RELU)
    with pytest.raises(ValueError, match=r"relu must have one value and one slope per place, got shapes"):
        _draw(relu=Curve(X[:-1], X))
    with pytest.raises(ValueError, match="of curves that are there"):
        activations_figure(X, {}, {}, title="")
