"""What the learning curves show."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.typing import NDArray

from src.plots import style
from src.plots.curves import curves_figure
from tests.plots.seen import assert_readable

EPOCH = np.arange(0.0, 100.0, 10.0)
HISTORY: dict[str, NDArray[np.float64]] = {
    "epoch": EPOCH,
    "step": EPOCH + 1,
    "train/loss": np.exp(-EPOCH / 50),
    "train/accuracy": 1 - 0.5 * np.exp(-EPOCH / 50),
    "val/loss": np.exp(-EPOCH / 60),
    "val/accuracy": 1 - 0.5 * np.exp(-EPOCH / 60),
    "lr": np.full(10, 0.1),
}


def _lines(ax: Axes) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in ax.lines]


def test_lines_hold_the_columns_of_the_table_and_no_others() -> None:
    figure = curves_figure(HISTORY, title="a run")
    assert [ax.get_title().splitlines()[0] for ax in figure.axes] == ["loss", "accuracy"]
    for ax, name in zip(figure.axes, ("loss", "accuracy"), strict=True):
        for (x, y), split in zip(_lines(ax), ("train", "val"), strict=True):
            assert np.array_equal(x, EPOCH)
            assert np.array_equal(y, HISTORY[f"{split}/{name}"])
    assert_readable(figure)


def test_the_epoch_whose_weights_are_kept_is_marked_in_every_panel() -> None:
    figure = curves_figure(HISTORY, title="a run\nCircles, SGD(lr=0.1), seed 42", best_epoch=70)
    for ax in figure.axes:
        x, y = _lines(ax)[-1]
        assert (list(x), list(y)) == ([70, 70], [0, 1])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["train", "validation", "best weights, epoch 70"]
    assert_readable(figure)


def test_splits_differ_in_colour_and_in_shape_and_the_legend_tells_which_is_which() -> None:
    figure = curves_figure(HISTORY, title="a run")
    for ax in figure.axes:
        assert [line.get_color() for line in ax.lines] == list(style.PALETTE[:2])
        assert ax.lines[0].is_dashed() != ax.lines[1].is_dashed()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "validation"]


def test_titles_tell_where_the_curves_end() -> None:
    figure = curves_figure(HISTORY, title="a run")
    last = {name: values[-1] for name, values in HISTORY.items()}
    assert [ax.get_title().splitlines()[1] for ax in figure.axes] == [
        f"at the end: train {last['train/loss']:.4g}, val {last['val/loss']:.4g}",
        f"at the end: train {100 * last['train/accuracy']:.1f}%, val {100 * last['val/accuracy']:.1f}%",
    ]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (np.geomspace(1, 1e-3, 10), "log"),
        (np.geomspace(1, 0.1, 10), "linear"),
        (np.geomspace(1e-3, 1, 10), "linear"),
        (np.linspace(1, 0, 10), "linear"),
    ],
    ids=["falls far", "falls a little", "rises", "reaches zero"],
)
def test_only_what_falls_far_and_stays_above_zero_has_a_log_scale(values: NDArray[np.float64], scale: str) -> None:
    (ax,) = curves_figure({"epoch": EPOCH, "train/loss": values}, title="").axes
    assert ax.get_yscale() == scale
    assert ("log scale" in ax.get_title()) == (scale == "log")


def test_an_accuracy_has_the_whole_range_whatever_it_does() -> None:
    (ax,) = curves_figure({"epoch": EPOCH, "val/accuracy": np.geomspace(0.5, 0.01, 10)}, title="").axes
    assert ax.get_ylim() == (-0.02, 1.02)
    assert ax.get_yscale() == "linear"


def test_what_was_not_measured_is_left_out_and_a_single_row_is_a_dot() -> None:
    gaps = np.where(np.arange(10) % 2, np.nan, HISTORY["val/loss"])
    (ax,) = curves_figure({"epoch": EPOCH, "train/loss": HISTORY["train/loss"], "val/loss": gaps}, title="").axes
    assert np.array_equal(_lines(ax)[1][0], EPOCH[::2])
    (ax,) = curves_figure({"epoch": EPOCH, "val/mae": np.full(10, np.nan)}, title="").axes
    assert len(ax.lines) == 0
    assert "not measured" in ax.get_title()
    (ax,) = curves_figure({"epoch": EPOCH[:1], "train/loss": np.ones(1)}, title="").axes
    assert ax.lines[0].get_marker() == "o"


@pytest.mark.parametrize(
    "history",
    [{}, {"epoch": EPOCH}, {"train/loss": EPOCH}, {"epoch": EPOCH[:0], "train/loss": EPOCH[:0]}],
    ids=["nothing", "no metric", "no epoch", "no row"],
)
def test_a_table_without_curves_is_refused(history: dict[str, NDArray[np.float64]]) -> None:
    with pytest.raises(ValueError, match=r"history needs rows of epoch and of train/\.\.\. or val/\.\.\."):
        curves_figure(history, title="")
