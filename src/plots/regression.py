"""A regression: the points, the line that a model draws through them, and how far it is off.

Axes: `n` points, `m` predictions.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from src.plots import style
from src.plots.layout import panels
from src.plots.plane import Samples


def predictions_figure(
    train: Samples,
    test: Samples,
    predictions: Samples,
    *,
    feature_name: str,
    target_name: str,
    title: str,
) -> Figure:
    """Draw train and test points and a model's predictions over both.

    Args:
        train: The feature (n,) and the target (n,).
        test: The same for the points that were held back.
        predictions: Where the model was asked (m,), in any order, and what it answered (m,).
        feature_name: Name of the horizontal axis.
        target_name: Name of the vertical axis.
        title: What stands on top of the figure.

    Returns:
        One panel. Of a part with more than 2,000 points, the same 2,000 are drawn every time, and the legend says so.

    Raises:
        ValueError: If the two arrays of a pair are empty, not (n,) both, or not finite.
    """
    _check(train=train, test=test, predictions=predictions)
    lines = [_points("train", train, 0), _points("test", test, 1), _prediction(*predictions)]
    figure, (ax,) = panels(1, size=(6.4, 4.0), title=title, above=0.1, legend=lines)
    _draw(ax, lines)
    ax.set_xlabel(feature_name, **style.LABEL)
    ax.set_ylabel(target_name, **style.LABEL)
    return figure


def residuals_figure(train: Samples, test: Samples, *, place_name: str, target_name: str, title: str) -> Figure:
    """Draw what a model leaves unexplained: target minus prediction of every point.

    A good fit leaves a band around zero without a pattern; a slope or an arch is something that the model has missed.

    Args:
        train: Where each point stands on the horizontal axis, its feature or its prediction (n,), and its residual
            (n,).
        test: The same for the points that were held back.
        place_name: Name of the horizontal axis.
        target_name: Name of what was predicted.
        title: What stands on top of the figure.

    Returns:
        One panel, in which zero is always in view. The legend tells each part's mean absolute residual, of all points
        also where 2,000 are drawn.

    Raises:
        ValueError: If the two arrays of a pair are empty, not (n,) both, or not finite.
    """
    _check(train=train, test=test)
    lines = [
        _points(f"{name}: mean absolute residual {np.abs(part[1]).mean():.3g}", part, k)
        for k, (name, part) in enumerate((("train", train), ("test", test)))
    ]
    figure, (ax,) = panels(1, size=(6.4, 2.8), title=title, left=1.0, above=0.1, legend=lines)
    ax.axhline(0, color=style.INK, lw=1.1, zorder=1.5)
    _draw(ax, lines)
    ax.set_xlabel(place_name, **style.LABEL)
    ax.set_ylabel(f"{target_name} - prediction", **style.LABEL)
    return figure


def _check(**parts: Samples) -> None:
    for name, (x, y) in parts.items():
        if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
            raise ValueError(f"{name} must be two arrays of shape (n,) with n >= 1, got {x.shape} and {y.shape}")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError(f"{name} must be finite, got NaN or infinity")


def _draw(ax: Axes, lines: list[Line2D]) -> None:
    for line in lines:
        ax.add_line(line)
    ax.autoscale_view()
    ax.grid(color="#E4E4E4", lw=0.8)
    ax.set_axisbelow(True)


def _points(name: str, part: Samples, k: int) -> Line2D:
    chosen = style.shown(len(part[0]))
    if len(chosen) < len(part[0]):
        name = f"{name} ({len(chosen):,} of {len(part[0]):,} shown)"
    edge: dict[str, Any] = {"mec": "white", "mew": 0.5, "ms": style.marker_size(len(chosen))}
    x, y = part[0][chosen], part[1][chosen]
    return Line2D(x, y, label=name, marker=style.marker(k), ls="none", mfc=style.color(k), **edge)


def _prediction(x: NDArray[Any], y_hat: NDArray[Any]) -> Line2D:
    order = np.argsort(x, kind="stable")
    # Above the points, thinner than they are: both stay visible where the fit is exact.
    return Line2D(x[order], y_hat[order], label="prediction", color=style.INK, lw=1.6)
