"""Nothing in a figure hides anything else."""

import sys

import pytest
from matplotlib.lines import Line2D

from src.plots.layout import panels
from tests.plots.seen import assert_readable
from tests.waiting import completed


@pytest.mark.slow
@pytest.mark.parametrize("title", ["short", "a title that lists every override of the run " * 4])
@pytest.mark.parametrize("n_entries", [0, 3, 30])
def test_title_panels_and_legend_never_overlap_nor_leave_the_figure(title: str, n_entries: int) -> None:
    entries = [Line2D([], [], label=f"class number {i}") for i in range(n_entries)]
    figure, axes = panels(2, size=(3.6, 3.0), title=title, legend=entries)
    boxes = [ax.get_tightbbox() for ax in axes]
    boxes += [part.get_window_extent() for part in (*figure.texts, *figure.legends)]
    for i, box in enumerate(boxes):
        assert box is not None
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
        assert not any(other is not None and box.overlaps(other) for other in boxes[:i])


@pytest.mark.slow
@pytest.mark.parametrize("n_panels", [3, 4, 5, 6])
def test_panels_fill_rows_from_the_left_and_shared_numbers_stand_at_the_edge(n_panels: int) -> None:
    figure, axes = panels(n_panels, size=(1.5, 1.0), title="t", columns=3)
    places = [ax.get_position() for ax in axes]
    assert places == sorted(places, key=lambda place: (-round(place.y0, 6), place.x0))
    assert [ax.get_position().width * figure.get_figwidth() for ax in axes] == pytest.approx([1.5] * n_panels)
    assert [ax.get_position().height * figure.get_figheight() for ax in axes] == pytest.approx([1.0] * n_panels)
    for i, ax in enumerate(axes):
        assert bool(ax.xaxis.get_tick_params()["labelbottom"]) == (i + 3 >= n_panels)
        assert bool(ax.yaxis.get_tick_params()["labelleft"]) == (i % 3 == 0)
    for ax in axes:
        ax.set_title("a title", size=11, y=1.0)
    assert_readable(figure)


def test_panels_with_ranges_of_their_own_have_room_for_their_numbers() -> None:
    figure, axes = panels(4, size=(2.0, 1.5), title="t", columns=2, shared=False)
    for i, ax in enumerate(axes):
        ax.set(xlim=(0, 10.0**i), ylim=(-(10.0**i), 10.0**i), xlabel="across", ylabel="up", title="a panel")
        assert ax.xaxis.get_tick_params().get("labelbottom", True)
        assert ax.yaxis.get_tick_params()["labelleft"]
    assert_readable(figure)


def test_symbols_in_the_legend_are_large_though_the_points_are_small() -> None:
    small = Line2D([], [], label="points", marker="o", ms=2)
    (legend,) = panels(1, size=(3.0, 3.0), title="", legend=[small])[0].legends
    assert [handle.get_markersize() for handle in legend.legend_handles if isinstance(handle, Line2D)] == [8]
    assert small.get_markersize() == 2


def test_panels_have_the_size_asked_for() -> None:
    figure, axes = panels(3, size=(2.0, 1.5), title="")
    for ax in axes:
        box = ax.get_position()
        size = (box.width * figure.get_figwidth(), box.height * figure.get_figheight())
        assert size == pytest.approx((2.0, 1.5))


def test_pictures_load_neither_pyplot_nor_torch() -> None:
    code = (
        "import sys, src.plots.boundary, src.plots.confusion, src.plots.regression; "
        "sys.exit(str({'matplotlib.pyplot', 'torch', 'lightning', 'hydra'} & set(sys.modules) or ''))"
    )
    done = completed(sys.executable, "-c", code)
    assert done.stderr.strip() == ""
