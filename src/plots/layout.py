"""Where things stand in a figure, in inches: panels in rows, the title above, the legend below.

Figures are built without `matplotlib.pyplot`: it loads slowly and keeps every figure alive in global state.

Axes: `p` panels.
"""

import math
import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from src.plots import style


def panels(
    n_panels: int,
    *,
    size: tuple[float, float],
    title: str,
    columns: int | None = None,
    shared: bool = True,
    left: float = 0.85,
    above: float = 0.3,
    below: float = 0.65,
    legend: Sequence[Line2D] = (),
) -> tuple[Figure, list[Axes]]:
    """Lay out panels in rows, a title above, and a legend below, where it can hide no data.

    Places are computed, not measured by a layout engine, which would draw everything twice.

    Args:
        n_panels: Number of panels, p.
        size: Width and height of one panel in inches.
        title: What stands on top of the figure, wrapped where too long; below its first line smaller.
        columns: Panels in a row; None for a single row.
        shared: Whether all panels have the same range, so that only the outer ones need numbers on their axes.
        left: Inches left of the first panel, for tick labels and the axis name; of every panel where none is shared.
        above: Inches above each panel, for its own title.
        below: Inches below each panel, for tick labels and the axis name.
        legend: Lines whose labels tell what they are.

    Returns:
        The figure and its panels, row by row from left to right, p of them.
    """
    n_columns = min(columns or n_panels, n_panels)
    n_rows = -(-n_panels // n_columns)
    right = 0.25
    step_x = size[0] + (0.3 if shared else left)
    step_y = size[1] + above + (0.12 if shared else below)
    width = left + (n_columns - 1) * step_x + size[0] + right
    first, _, rest = title.partition("\n")
    lines = textwrap.wrap(first, max(10, int(width / 0.115)))  # inches per letter of 13 points, bold
    smaller = textwrap.wrap(rest, max(10, int(width / 0.09)))  # and of 11
    legend_columns = _legend_columns([str(line.get_label()) for line in legend], width)
    bottom = below + 0.27 * -(-len(legend) // legend_columns)
    height = bottom + (n_rows - 1) * step_y + size[1] + above + 0.23 * len(lines) + 0.19 * len(smaller) + 0.12
    figure = Figure(figsize=(width, height), dpi=style.DPI, facecolor="white")
    figure.text(0.5, 1 - 0.1 / height, "\n".join(lines), ha="center", va="top", size=13, weight="bold", color=style.INK)
    if smaller:
        top = 1 - (0.1 + 0.23 * len(lines)) / height
        figure.text(0.5, top, "\n".join(smaller), ha="center", va="top", size=11, color=style.INK)
    if legend:
        shown = figure.legend(
            handles=list(legend), loc="lower center", ncols=legend_columns, frameon=False, fontsize=11,
            labelcolor=style.INK, borderaxespad=0.2, handletextpad=0.4, columnspacing=1.4, labelspacing=0.3,
        )  # fmt: skip
        for handle in shown.legend_handles:
            if isinstance(handle, Line2D):
                handle.set_markersize(8)  # also where the points themselves are many and small
    axes = []
    for i in range(n_panels):
        row, column = divmod(i, n_columns)
        corner = ((left + column * step_x) / width, (bottom + (n_rows - 1 - row) * step_y) / height)
        ax = figure.add_axes((*corner, size[0] / width, size[1] / height))
        is_left, is_lowest = column == 0, i + n_columns >= n_panels
        ax.tick_params(
            labelsize=11, color=style.INK, labelcolor=style.INK,
            labelleft=is_left or not shared, labelbottom=is_lowest or not shared,
        )  # fmt: skip
        ax.spines[:].set_color("#8A8A8A")
        ax.xaxis.set_major_locator(_ticks())
        ax.yaxis.set_major_locator(_ticks())
        ax.ticklabel_format(scilimits=(-3, 5))  # longer numbers would push the axis name off the figure
        axes.append(ax)
    return figure, axes


def logarithmic(ax: Axes) -> None:
    """A logarithmic vertical axis with plain numbers, also at its ends: texts are drawn as they stand, formulas too."""
    ax.set_yscale("log")
    low, high = (math.log10(end) for end in ax.get_ylim())
    ax.set_ylim(10.0 ** math.floor(low), 10.0 ** math.ceil(high))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _legend_columns(labels: list[str], width: float) -> int:
    widths = [0.6 + 0.09 * len(label) for label in labels]  # inches: the symbol, then letters of 11 points
    if sum(widths) <= width:
        return max(1, len(widths))
    return max(1, int(width / max(widths)))


def _ticks() -> MaxNLocator:
    return MaxNLocator(6, steps=[1, 2, 2.5, 5, 10])  # without 1.5 and 6, whose multiples nobody reads at a glance
