"""The decision boundary of a classifier of two features, under the points it learnt from and those held back.

Axes: `n` points, `k` classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from src.config.metrics import share
from src.plots import style
from src.plots.layout import panels
from src.plots.plane import Background, Predict, Samples, View, check_samples, class_probs, look


def boundary_figure(
    predict: Predict,
    train: Samples,
    test: Samples,
    *,
    class_names: Sequence[str],
    feature_names: Sequence[str],
    title: str,
) -> Figure:
    """Draw train and test points over what a classifier says about every place around them.

    Args:
        predict: Takes points, float32 (n, 2), and returns class probabilities, (n, k) with k >= 2. A call gets at
            most 65,536 points.
        train: Points (n, 2) and their integer labels (n,) in 0..k-1.
        test: The same for the points that were held back.
        class_names: One per class, k of them.
        feature_names: Of the horizontal and the vertical axis.
        title: What stands on top of the figure.

    Returns:
        Two panels with the same range. Of a part with more than 2,000 points, the same 2,000 are drawn every time;
        its accuracy counts all.

    Raises:
        ValueError: If a shape, a dtype or a range differs from the above, or a number is not finite.
    """
    n_classes = len(class_names)
    if n_classes < 2 or len(feature_names) != 2:
        raise ValueError(
            f"need 2 or more class names and exactly 2 feature names, got {list(class_names)} and {list(feature_names)}"
        )
    check_samples("train", train, n_classes)
    check_samples("test", test, n_classes)
    view = View.around(train[0], test[0])
    background = Background.of(predict, view, n_classes=n_classes)
    figure, axes = panels(2, size=view.size, title=title, above=0.52, legend=_legend(class_names))
    for ax, name, (points, labels) in zip(axes, ("Train", "Test"), (train, test), strict=True):
        wrong = class_probs(predict, points, n_classes).argmax(1) != labels
        background.draw(ax)
        _draw_points(ax, points, labels, wrong)
        _describe(ax, name, wrong)
        ax.set(**view.limits)
        ax.set_xlabel(feature_names[0], **style.LABEL)
    axes[0].set_ylabel(feature_names[1], **style.LABEL)
    return figure


def _draw_points(ax: Axes, points: NDArray[Any], labels: NDArray[Any], wrong: NDArray[np.bool_]) -> None:
    chosen = style.shown(len(points))
    points, labels, wrong = points[chosen], labels[chosen], wrong[chosen]
    size = style.marker_size(len(points))
    # Mistakes last, on top of their neighbours.
    for is_wrong in (False, True):
        for k in np.unique(labels[wrong == is_wrong]):
            some = points[(labels == k) & (wrong == is_wrong)]
            ax.plot(some[:, 0], some[:, 1], **look(int(k), size=size, is_wrong=is_wrong))


def _describe(ax: Axes, name: str, wrong: NDArray[np.bool_]) -> None:
    n, n_shown = len(wrong), len(style.shown(len(wrong)))
    count = f"{wrong.sum():,} of {n:,} wrong"
    if n_shown < n:
        count = f"{wrong.sum():,} wrong; {n_shown:,} of {n:,} shown"
    # A given y is not searched for, which would measure all labels of the panel once more.
    ax.set_title(f"{name}: accuracy {share(1 - wrong.mean())}%\n{count}", size=11, color=style.INK, y=1.0)


def _legend(class_names: Sequence[str]) -> list[Line2D]:
    ring: dict[str, Any] = {"marker": "o", "ls": "none", "mfc": "none", "mec": style.INK, "mew": 1.4, "ms": 8}
    return [
        *(Line2D([], [], label=name, **look(k, size=8)) for k, name in enumerate(class_names)),
        Line2D([], [], label="wrong", **ring),
        Line2D([], [], label="decision boundary", color=style.INK, lw=1.1),
        Line2D([], [], label="shade: how far a class leads, white is a tie", ls="none"),
    ]
