"""Vector pictures for a paper: learning curves of groups with bands, and the metric of each group with its interval.

Axes: `e` epochs, `g` groups.
"""

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from src.plots import style
from src.plots.layout import logarithmic, panels
from src.run.files import write_atomically

_DASHES: tuple[tuple[int, tuple[float, ...]], ...] = ((0, ()), (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
_MARKERS = ("o", "s", "^", "D", "v", "P")
_LOG_FROM = 50.0

# Fonts as outlines that a journal takes, and bytes that are the same every time.
_LOOK: Any = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "report"}
_NO_DATE = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


@dataclass(frozen=True)
class GroupCurve:
    """Mean, lowest and highest of a group at some epochs, each (e,), in the group's colour."""

    label: str
    color: str
    epochs: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class GroupValues:
    """Values of a group by one metric, where they lie, and the ends of the interval of that; None without one."""

    label: str
    color: str
    values: Sequence[float]
    center: float
    ends: tuple[float, float] | None


def group_curves_figure(found: Mapping[str, Sequence[GroupCurve]], *, shares: frozenset[str]) -> Figure:
    """Draw a panel per metric with the curves of all groups, best first, told apart by colour and dashes.

    Args:
        found: Curves by what stands above the panel.
        shares: Those of the names that are shares of 1.

    Raises:
        ValueError: If there is no panel.
    """
    if not found:
        raise ValueError("found holds no curves")
    first = list(dict.fromkeys((each.label, each.color) for curves in found.values() for each in curves))
    dashes = {label: _DASHES[i % len(_DASHES)] for i, (label, _) in enumerate(first)}
    legend = [Line2D([], [], label=label, color=color, lw=1.8, ls=dashes[label]) for label, color in first]
    figure, axes = panels(
        len(found), size=(3.4, 2.6), title="", columns=2, shared=False, above=0.32, below=0.6, legend=legend
    )
    for ax, (name, curves) in zip(axes, found.items(), strict=True):
        for each in reversed(curves):
            ax.fill_between(each.epochs, each.low, each.high, color=each.color, alpha=0.18, lw=0)
            # a single row makes no line
            dot = "o" if len(each.epochs) == 1 else ""
            ax.plot(each.epochs, each.mean, color=each.color, lw=1.8, ls=dashes[each.label], marker=dot)
        values = np.concatenate([each.mean for each in curves])
        if name in shares:
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        elif values.min() > 0 and values.max() > _LOG_FROM * values.min():
            logarithmic(ax)
        ax.set_title(name, size=11, color=style.INK)
        ax.set_xlabel("epoch", **style.LABEL)
        _grid(ax)
    return figure


def groups_figure(groups: Sequence[GroupValues], *, metric: str, is_share: bool) -> Figure:
    """Draw a row per group, g of them, the first on top: every value, the estimate, and its interval.

    Args:
        groups: Best first.
        metric: What stands below the axis.
        is_share: Whether values are shares of 1.
    """
    longest = max(len(each.label) for each in groups)
    height, left = 0.36 * len(groups) + 0.2, 0.35 + 0.085 * min(longest, 40)
    figure, (ax,) = panels(1, size=(4.0, height), title="", left=left, above=0.1, below=0.65)
    for i, each in enumerate(groups):
        marker = _MARKERS[i % len(_MARKERS)]
        ax.plot(each.values, [-i] * len(each.values), ls="", marker=marker, ms=6, color=each.color, alpha=0.45, mew=0)
        if each.ends is not None:
            low, high = each.ends
            ax.plot([low, high], [-i, -i], color=style.INK, lw=1.5)
        ax.plot([each.center], [-i], ls="", marker="|", ms=13, mew=2.2, color=style.INK)
    ax.set_yticks([-i for i in range(len(groups))], [_cut(each.label, 40) for each in groups])
    ax.set_ylim(-len(groups) + 0.4, 0.6)
    if is_share:
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel(metric, **style.LABEL)
    _grid(ax)
    ax.grid(visible=False, axis="y")
    return figure


def save_vector(figure: Figure, path: Path) -> None:
    """Write a PDF or an SVG, as the path ends, in one step; the same figure gives the same bytes.

    Raises:
        ValueError: If the path has another ending.
    """
    kind = path.suffix.lstrip(".")
    if kind not in _NO_DATE:
        raise ValueError(f"a vector picture is saved as .pdf or .svg, got {path.name!r}")
    for text in figure.findobj(Text):
        # names are those of data and models, and no formulas
        text.set_parse_math(False)
    data = io.BytesIO()
    with matplotlib.rc_context(_LOOK), _quiet():
        figure.savefig(data, format=kind, metadata=_NO_DATE[kind], bbox_inches="tight", pad_inches=0.05)
    write_atomically(path, data.getvalue())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself which glyphs of a font go into the file."""
    logger = logging.getLogger("fontTools")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _grid(ax: Axes) -> None:
    ax.grid(color="#E4E4E4", lw=0.8)
    ax.set_axisbelow(True)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
