"""How sure a classifier of two features is of each class, over the plane: one panel per class.

Axes: `n` points, `k` classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from src.plots import style
from src.plots.layout import panels
from src.plots.plane import Background, Predict, Samples, View, check_samples, show

MAX_CLASSES = 12
# How likely the class is on each line, and how the line is drawn.
_LEVELS: dict[float, dict[str, Any]] = {
    0.1: {"ls": ":", "lw": 1.4},
    0.5: {"ls": "-", "lw": 1.6},
    0.9: {"ls": "--", "lw": 1.2},
}


def probabilities_figure(
    predict: Predict, data: Samples, *, class_names: Sequence[str], feature_names: Sequence[str], title: str
) -> Figure:
    """Draw the probability of each class as the strength of its colour, with lines at 10, 50 and 90%.

    Args:
        predict: Takes points, float32 (n, 2), and returns class probabilities, (n, k) with k >= 2.
        data: Training points (n, 2) and their integer labels (n,) in 0..k-1; a panel shows those of its class in
            colour, all others as small grey dots, and of more than 2,000 the same 2,000.
        class_names: One per class, k of them.
        feature_names: Of the horizontal and the vertical axis.
        title: What stands on top of the figure.

    Returns:
        A panel per class with the same range; of more than 12 classes the first 12, and the title says so.

    Raises:
        ValueError: If a shape, a dtype or a range differs from the above, or a number is not finite.
    """
    n_classes = len(class_names)
    check_samples("data", data, n_classes)
    n_panels = min(n_classes, MAX_CLASSES)
    if n_panels < n_classes:
        title = f"{title}; the first {n_panels} of {n_classes} classes"
    columns = n_panels if n_panels <= 3 else 2 if n_panels == 4 else 4 if n_panels > 6 else 3
    view = View.around(data[0], width=3.6 if columns == 2 else 3.3 if columns == 3 else 2.7)
    background = Background.of(predict, view, n_classes=n_classes)
    figure, axes = panels(
        n_panels, size=view.size, title=title, columns=columns, above=0.32, legend=_legend(background, n_panels)
    )
    for k, ax in enumerate(axes):
        _draw_class(ax, k, background, data)
        ax.set_title(class_names[k], size=11, color=style.INK, y=1.0)
        ax.set(**view.limits)
        if k + columns >= n_panels:
            ax.set_xlabel(feature_names[0], **style.LABEL)
        if k % columns == 0:
            ax.set_ylabel(feature_names[1], **style.LABEL)
    return figure


def _draw_class(ax: Axes, k: int, background: Background, data: Samples) -> None:
    probs = background.probs[..., k]
    show(ax, background.x, background.y, style.soften_one(probs, k))
    for level, look in _LEVELS.items():
        if probs.min() < level < probs.max():
            ax.contour(
                background.x, background.y, probs, levels=[level], colors=style.INK, linestyles=look["ls"],
                linewidths=look["lw"], zorder=3,
            )  # fmt: skip
    chosen = style.shown(len(data[0]))
    points, labels = data[0][chosen], data[1][chosen]
    others, own = points[labels != k], points[labels == k]
    size = 0.8 * style.marker_size(len(points))
    ax.plot(others[:, 0], others[:, 1], marker=".", ls="none", mfc="#8A8A8A", mec="none", ms=0.8 * size)
    ax.plot(own[:, 0], own[:, 1], marker=style.marker(k), ls="none", mfc=style.color(k), mec="white", mew=0.4, ms=size)


def _legend(background: Background, n_panels: int) -> list[Line2D]:
    lowest, highest = (f(background.probs[..., :n_panels]) for f in (np.min, np.max))
    lines = [
        Line2D([], [], color=style.INK, label=f"{level:.0%} likely", **look)
        for level, look in _LEVELS.items()
        if lowest < level < highest
    ]
    dots = Line2D([], [], marker=".", ls="none", mfc="#8A8A8A", mec="none", label="training points of other classes")
    return [*lines, dots]
