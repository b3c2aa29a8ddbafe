"""Which classes a classifier takes for which.

Axes: `k` classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.plots import style
from src.plots.layout import panels

_LONGEST = 20  # letters of a class name


def confusion_figure(matrix: NDArray[Any], class_names: Sequence[str], *, title: str) -> Figure:
    """Draw a confusion matrix: counts in the cells, the shade and a percentage for the share of the row.

    Args:
        matrix: Counts, integers (k, k): a row per true class, a column per predicted class.
        class_names: One per class, k of them; shortened after 20 letters.
        title: What stands on top of the figure.

    Raises:
        ValueError: If `matrix` is not square, not of integers >= 0, or `class_names` has another length.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] != len(class_names):
        raise ValueError(
            f"matrix must be (k, k) with one class name per row, got {matrix.shape} and {len(class_names)} names"
        )
    if matrix.size == 0 or matrix.dtype.kind not in "iu" or matrix.min() < 0:
        raise ValueError(f"matrix must hold integers >= 0 for at least one class, got {matrix.dtype} {matrix.shape}")
    k = len(class_names)
    names = [name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…" for name in class_names]
    side = float(np.clip(0.75 * k, 3.2, 10))
    longest = 0.085 * max(map(len, names))  # inches per letter of 11 points
    tilted = longest > 0.95 * side / k
    below = 0.6 + (0.75 * longest if tilted else 0.05)
    figure, (ax,) = panels(1, size=(side, side), title=title, left=0.6 + longest, above=0.1, below=below)
    # A class without samples has an empty row, not a share of 0 / 0.
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    ax.imshow(share, cmap=style.soft_colormap(), vmin=0, vmax=1)
    _number(ax, matrix, share, room=side / k)
    ax.set_xticks(range(k), names, rotation=45 if tilted else 0, ha="right" if tilted else "center",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_yticks(range(k), names)
    ax.tick_params(length=0)
    borders = np.arange(1, k) - 0.5
    ax.hlines(borders, -0.5, k - 0.5, color="#D5D5D5", lw=0.8)
    ax.vlines(borders, -0.5, k - 0.5, color="#D5D5D5", lw=0.8)
    ax.set_xlabel("predicted class", **style.LABEL)
    ax.set_ylabel("true class", **style.LABEL)
    return figure


def _number(ax: Axes, matrix: NDArray[Any], share: NDArray[np.float64], *, room: float) -> None:
    """Write count and share into cells of `room` inches, unless they are too small to read anything in."""
    letters = max(4, len(f"{matrix.max():,}"))
    size = min(13.0, 72 * room * 0.85 / (0.65 * letters), 72 * room * 0.3)
    if size < 6:
        return
    colormap = style.soft_colormap()
    for (i, j), count in np.ndenumerate(matrix):
        text = f"{count:,}\n{_percent(float(share[i, j]))}" if count else "0"
        ink = style.ink_on(colormap(float(share[i, j]))) if count else "#767676"
        ax.text(j, i, text, size=size, color=ink, ha="center", va="center")


def _percent(share: float) -> str:
    """Round to whole percent, but never a few to none or nearly all to all."""
    if share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"
