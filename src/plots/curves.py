"""How training went: loss and score of the training and the validation part over the epochs.

Axes: `r` rows of the table of metrics.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from src.config.metrics import number, share
from src.plots import style
from src.plots.layout import logarithmic, panels

_SPLITS: dict[str, dict[str, Any]] = {
    "train": {"color": style.color(0), "ls": "-"},
    "val": {"color": style.color(1), "ls": (0, (4, 1.5))},
}
_BEST: dict[str, Any] = {"color": style.INK, "lw": 1.1, "ls": ":"}
_LOG_FROM = 30.0  # largest over smallest value, from which the end of a curve lies flat on a linear axis


def curves_figure(history: Mapping[str, NDArray[np.float64]], *, title: str, best_epoch: int | None = None) -> Figure:
    """Draw a panel per quantity that was measured on the training or the validation part.

    Args:
        history: Columns of the table of metrics, (r,) each: `epoch`, and `split/name` such as `val/loss`. Other columns
            are left out; NaN stands for a number that was not measured.
        title: What stands on top of the figure.
        best_epoch: The epoch whose weights are kept, which every panel marks; None where that is not known.

    Returns:
        Panels side by side. What falls and stays above zero has a logarithmic axis once it has fallen far; an accuracy
        has the whole range from 0 to 1, so that chance and perfection have a fixed place.

    Raises:
        ValueError: If there is no column `epoch`, none of the form `train/name` or `val/name`, or no row.
    """
    names = list(dict.fromkeys(name.split("/", 1)[1] for name in history if name.startswith(("train/", "val/"))))
    if "epoch" not in history or not names or len(history["epoch"]) == 0:
        raise ValueError(f"history needs rows of epoch and of train/... or val/..., got columns {list(history)}")
    there = [split for split in _SPLITS if any(f"{split}/{name}" in history for name in names)]
    legend = [
        Line2D([], [], label={"val": "validation"}.get(split, split), lw=1.8, **_SPLITS[split]) for split in there
    ]
    if best_epoch is not None:
        legend.append(Line2D([], [], label=f"best weights, epoch {best_epoch:,}", **_BEST))
    figure, axes = panels(len(names), size=(4.6, 3.2), title=title, shared=False, above=0.52, legend=legend)
    for ax, name in zip(axes, names, strict=True):
        _draw(ax, name, history)
        if best_epoch is not None:
            ax.axvline(best_epoch, **_BEST)
    return figure


def _draw(ax: Axes, name: str, history: Mapping[str, NDArray[np.float64]]) -> None:
    ends = []
    for split, look in _SPLITS.items():
        values = history.get(f"{split}/{name}")
        if values is None or not np.isfinite(values).any():
            continue
        measured = np.isfinite(values) & np.isfinite(history["epoch"])
        x, y = history["epoch"][measured], values[measured]
        # A single row makes no line.
        ax.plot(x, y, lw=1.8, marker="o" if len(x) == 1 else "", **look)
        last = float(y[-1])
        ends.append(f"{split} {share(last)}%" if name == "accuracy" else f"{split} {number(last)}")
    if name == "accuracy":
        ax.set_ylim(-0.02, 1.02)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    elif _falls_far([np.asarray(line.get_ydata()) for line in ax.lines]):
        logarithmic(ax)
        name = f"{name}, log scale"
    ax.set_title(f"{name}\nat the end: {', '.join(ends) or 'not measured'}", size=11, color=style.INK, y=1.0)
    ax.set_xlabel("epoch", **style.LABEL)
    ax.grid(color="#E4E4E4", lw=0.8)
    ax.set_axisbelow(True)


def _falls_far(curves: list[NDArray[np.float64]]) -> bool:
    if not curves:
        return False
    every = np.concatenate(curves)
    return bool(every.min() > 0 and every.max() > _LOG_FROM * every.min() and curves[0][-1] < curves[0][0])
