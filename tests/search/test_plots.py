"""Pictures of a search."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from src.search.plots import history_figure, importances_figure, pareto_figure, slices_figure


def lines(figure: Figure) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in figure.axes[0].lines}


def data(line: Line2D, axis: str) -> list[float]:
    values: list[float] = np.asarray(line.get_xdata() if axis == "x" else line.get_ydata()).tolist()
    return values


@pytest.mark.parametrize(("maximize", "best"), [(False, [3, 1, 1, 1]), (True, [3, 3, 4, 4])])
def test_the_best_so_far_follows_the_direction_and_leaves_out_what_was_pruned(
    maximize: bool,  # noqa: FBT001
    best: list[float],
) -> None:
    figure = history_figure(
        [0, 2, 5, 6],
        [3, 1, 4, 0 if not maximize else 9],
        [False, False, False, True],
        metric="val/loss",
        maximize=maximize,
        title="t",
    )
    drawn = lines(figure)
    assert data(drawn["best so far"], "y") == best
    assert data(drawn["best so far"], "x") == [0, 2, 5, 6]
    assert data(drawn["trial"], "x") == [0, 2, 5]
    assert data(drawn["pruned"], "x") == [6]
    assert drawn["pruned"].get_markerfacecolor() == "white"


def test_without_pruned_trials_the_legend_names_none() -> None:
    figure = history_figure([0], [0.5], [False], metric="val/loss", maximize=False, title="t")
    assert set(lines(figure)) == {"trial", "best so far"}
    assert [text.get_text() for text in figure.legends[0].texts] == ["trial", "best so far"]


def test_a_diverged_trial_does_not_flatten_the_others() -> None:
    scales = {}
    for worst in (5.0, 1e6):
        figure = history_figure([0, 1], [0.5, worst], [False, False], metric="l", maximize=False, title="t")
        scales[worst] = figure.axes[0].get_yscale()
    assert scales == {5.0: "linear", 1e6: "log"}


@pytest.mark.parametrize(("numbers", "values"), [([], []), ([0, 1], [0.5])])
def test_history_wants_as_many_values_as_trials(numbers: list[int], values: list[float]) -> None:
    with pytest.raises(ValueError, match="must be of one length >= 1"):
        history_figure(numbers, values, [False] * len(values), metric="l", maximize=False, title="t")


def test_importances_are_bars_of_their_shares_with_the_largest_on_top() -> None:
    figure = importances_figure({"a": {"x": 0.1, "y": 0.9}, "b": {"x": 0.3, "y": 0.7}}, title="t")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x", "y"]
    assert [bar.get_width() for bar in ax.patches] == [0.1, 0.9, 0.3, 0.7]  # type: ignore[attr-defined]
    assert [text.get_text() for text in ax.texts] == ["10%", "90%", "30%", "70%"]
    assert [text.get_text() for text in figure.legends[0].texts] == ["a", "b"]
    assert not importances_figure({"a": {"x": 1.0}}, title="t").legends


@pytest.mark.parametrize("importances", [{}, {"a": {}}])
def test_importances_of_nothing_are_refused(importances: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="must hold a metric and a searched key"):
        importances_figure(importances, title="t")


def test_slices_put_numbers_on_scales_and_choices_in_their_order() -> None:
    figure = slices_figure(
        {"lr": [0.01, 0.1], "n": [3, 1], "kind": ["b", "a"]},
        [5.0, 6.0],
        choices={"kind": ("b", "c", "a")},
        log=["lr"],
        metric="val/loss",
        title="t",
    )
    lr, n, kind = figure.axes
    offsets = [np.asarray(ax.collections[0].get_offsets()).tolist() for ax in figure.axes]
    assert offsets == [[[0.01, 5], [0.1, 6]], [[3, 5], [1, 6]], [[0, 5], [2, 6]]]
    assert (lr.get_xscale(), n.get_xscale()) == ("log", "linear")
    assert [label.get_text() for label in kind.get_xticklabels()] == ["b", "c", "a"]
    assert [ax.get_title() for ax in figure.axes] == ["lr", "n", "kind"]
    assert (lr.get_ylabel(), n.get_ylabel()) == ("val/loss", "")


def test_later_trials_are_darker() -> None:
    figure = slices_figure({"x": [1, 2, 3]}, [1.0, 1.0, 1.0], choices={}, log=[], metric="m", title="t")
    shades = np.asarray(figure.axes[0].collections[0].get_facecolor())[:, :3].sum(1)
    assert shades[0] > shades[1] > shades[2]


def test_long_choices_are_cut_and_turned() -> None:
    figure = slices_figure({"x": ["a" * 30]}, [1.0], choices={"x": ("a" * 30, "b")}, log=[], metric="m", title="t")
    label = figure.axes[0].get_xticklabels()[0]
    assert label.get_text() == "a" * 19 + "…"
    assert label.get_rotation() == 45


def test_slices_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        slices_figure({}, [], choices={}, log=[], metric="m", title="t")


def test_the_front_of_two_objectives_is_a_line_in_order() -> None:
    values = [[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [3.0, 3.0]]
    figure = pareto_figure(values, [True, True, True, False], metrics=["a", "b"], title="t")
    rest, front = figure.axes[0].lines
    assert (data(front, "x"), data(front, "y")) == ([1, 2, 3], [3, 2, 1])
    assert (data(rest, "x"), data(rest, "y")) == ([3], [3])
    assert front.get_linestyle() == "-"
    assert not same_color(front.get_color(), rest.get_color())
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("b", "a")


def test_three_objectives_are_two_panels_without_lines() -> None:
    figure = pareto_figure([[1.0, 2.0, 300.0], [2.0, 1.0, 1.0]], [True, True], metrics=["a", "b", "c"], title="t")
    assert [ax.get_xlabel() for ax in figure.axes] == ["b", "c"]
    assert [ax.get_xscale() for ax in figure.axes] == ["linear", "log"]
    assert all(line.get_linestyle() == "None" for ax in figure.axes for line in ax.lines)


@pytest.mark.parametrize("values", [[], [[1.0]], [1.0, 2.0]])
def test_a_front_wants_two_objectives(values: list[object]) -> None:
    with pytest.raises(ValueError, match=r"must be of shape \(t, m\)"):
        pareto_figure(np.asarray(values, dtype=float), [], metrics=["a"], title="t")
