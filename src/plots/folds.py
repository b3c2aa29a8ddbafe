"""Where the units of a ReLU network fold the plane, and how its decision boundary bends there.

Between the folds of all layers a ReLU network is linear (Montúfar et al. 2014, "On the Number of Linear Regions of Deep
Neural Networks"): its boundary is made of straight pieces, with a corner wherever it meets a fold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from src.plots import style
from src.plots.layout import panels
from src.plots.plane import Background, Predict, Samples, View, check_samples, look
from src.plots.units import HiddenLayers, LayerMap

MAX_LINES = 32  # of a panel; more are no picture but a hatching
MAX_LAYERS = 4
_BOUNDARY = 2.4  # points
# Dark enough for every class colour behind it, and none of them.
_FOLD: dict[str, Any] = {"color": style.VIOLET, "lw": 1.2}


def folds_figure(
    predict: Predict,
    hidden: HiddenLayers,
    data: Samples,
    *,
    class_names: Sequence[str],
    feature_names: Sequence[str],
    title: str,
) -> Figure:
    """Draw the decision boundary, and over it the fold line of each unit: where its pre-activation is zero.

    Args:
        predict: Takes points, float32 (n, 2), and returns class probabilities, (n, k) with k >= 2.
        hidden: Takes the same points, and returns every hidden layer at them.
        data: Points (n, 2) and their integer labels (n,) in 0..k-1.
        class_names: One per class, k of them.
        feature_names: Of the horizontal and the vertical axis.
        title: What stands on top of the figure.

    Returns:
        A panel per layer that folds, at most 4; in each the first 32 units, and its title says so. Where no layer
        folds, a single panel with the boundary alone.

    Raises:
        ValueError: If a shape, a dtype or a range differs from the above, or a number is not finite.
    """
    n_classes = len(class_names)
    check_samples("data", data, n_classes)
    view = View.around(data[0])
    background = Background.of(predict, view, n_classes=n_classes)
    maps = LayerMap.all_of(hidden, view, max_units=MAX_LINES)
    folding = [(i + 1, layer) for i, layer in enumerate(maps) if layer.folds]
    if len(folding) > MAX_LAYERS:
        title = f"{title}; the first {MAX_LAYERS} of {len(folding)} layers that fold"
        folding = folding[:MAX_LAYERS]
    n_panels = max(1, len(folding))
    figure, axes = panels(
        n_panels,
        size=view.size,
        title=title,
        columns=min(n_panels, 2),
        above=0.52,
        legend=_legend(class_names)[: None if folding else -1],
    )
    for i, ax in enumerate(axes):
        background.draw(ax, lw=_BOUNDARY)
        _draw_points(ax, data)
        ax.set(**view.limits)
        text = f"no unit folds the plane:\nactivations: {', '.join(dict.fromkeys(m.name for m in maps)) or 'none'}"
        if folding:
            number, layer = folding[i]
            crossing = np.flatnonzero(layer.crosses_zero())
            # Under the boundary (3), over the points (2).
            layer.draw_folds(ax, crossing, colors=_FOLD["color"], linewidths=_FOLD["lw"], zorder=2.5)
            shown = f"the first {MAX_LINES} of {layer.n_units}" if layer.n_units > MAX_LINES else f"{layer.n_units}"
            s = "" if layer.n_units == 1 else "s"
            text = f"hidden layer {number}: {shown} {layer.name} unit{s}\n{len(crossing)} fold within this view"
        ax.set_title(text, size=11, color=style.INK, y=1.0)
        if i + 2 >= n_panels:
            ax.set_xlabel(feature_names[0], **style.LABEL)
        if i % 2 == 0:
            ax.set_ylabel(feature_names[1], **style.LABEL)
    return figure


def _draw_points(ax: Axes, data: Samples) -> None:
    chosen = style.shown(len(data[0]))
    points, labels = data[0][chosen], data[1][chosen]
    size = 0.7 * style.marker_size(len(points))
    for k in np.unique(labels):
        some = points[labels == k]
        ax.plot(some[:, 0], some[:, 1], **(look(int(k), size=size) | {"mew": 0.3}))


def _legend(class_names: Sequence[str]) -> list[Line2D]:
    return [
        *(Line2D([], [], label=name, **look(k, size=8)) for k, name in enumerate(class_names)),
        Line2D([], [], label="decision boundary", color=style.INK, lw=_BOUNDARY),
        Line2D([], [], label="fold of a unit", **_FOLD),
    ]
