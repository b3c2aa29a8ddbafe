"""Activation functions and their slopes on one sheet, each with its hand-made twin where there is one.

Axes: `n` places.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from src.plots import style
from src.plots.layout import panels

_VALUE: dict[str, Any] = {"color": style.color(5), "lw": 5.0}
_SLOPE: dict[str, Any] = {"color": style.color(4), "lw": 3.0}
_TWIN: dict[str, Any] = {"color": style.INK, "ls": (0, (3, 2)), "lw": 1.3}


@dataclass(frozen=True)
class Curve:
    """An activation at some places.

    Attributes:
        value: What it returns, (n,).
        slope: Its derivative, (n,).
    """

    value: NDArray[np.float64]
    slope: NDArray[np.float64]


def activations_figure(
    x: NDArray[np.float64], curves: Mapping[str, Curve], twins: Mapping[str, Curve], *, title: str
) -> Figure:
    """Draw a panel per activation: value, slope, and dashed over both those of the hand-made twin.

    Args:
        x: Where the activations were asked, in rising order, (n,).
        curves: What they answered, by name.
        twins: The same of those written by hand, by the name of the one that they stand for.
        title: What stands on top of the figure.

    Returns:
        Panels in rows of three; all have the same range. The panel of a twin tells how far it is off at most.

    Raises:
        ValueError: If there is no curve, or a twin of none of them, or an array is not (n,).
    """
    if not curves or not set(twins) <= set(curves):
        raise ValueError(f"twins must be of curves that are there, got twins {list(twins)} of curves {list(curves)}")
    for name, curve in (*curves.items(), *twins.items()):
        if x.ndim != 1 or {curve.value.shape, curve.slope.shape} != {x.shape}:
            shapes = (x.shape, curve.value.shape, curve.slope.shape)
            raise ValueError(f"{name} must have one value and one slope per place, got shapes {shapes}")
    every = np.concatenate([curve.value for curve in curves.values()])
    # The identity leaves the picture below, where all others are flat.
    bottom, top = max(every.min(), -1.25), min(every.max(), 2.75)
    figure, axes = panels(
        len(curves), size=(3.1, 2.3), title=title, columns=3, above=0.3 if not twins else 0.5, legend=_legend(twins)
    )
    for i, (ax, (name, curve)) in enumerate(zip(axes, curves.items(), strict=True)):
        _draw(ax, name, x, curve, twins.get(name))
        ax.set(xlim=(x[0], x[-1]), ylim=(bottom - 0.1, top + 0.1), xticks=(-3, 0, 3))
        if i + 3 >= len(curves):
            ax.set_xlabel("input", **style.LABEL)
    return figure


def _draw(ax: Axes, name: str, x: NDArray[np.float64], curve: Curve, twin: Curve | None) -> None:
    ax.grid(color="#E4E4E4", lw=0.8)
    ax.set_axisbelow(True)
    ax.plot(x, curve.value, **_VALUE)
    ax.plot(x, curve.slope, **_SLOPE)
    text = name
    if twin is not None:
        ax.plot(x, twin.value, **_TWIN)
        ax.plot(x, twin.slope, **_TWIN)
        off = max(np.abs(twin.value - curve.value).max(), np.abs(twin.slope - curve.slope).max())
        text = f"{name}\nby hand: within {off:.1g}" if off else f"{name}\nby hand: the same"
    ax.set_title(text, size=11, color=style.INK, y=1.0)


def _legend(twins: Mapping[str, Curve]) -> list[Line2D]:
    lines = [Line2D([], [], label="value", **_VALUE), Line2D([], [], label="slope", **_SLOPE)]
    return [*lines, *([Line2D([], [], label="written by hand", **_TWIN)] if twins else [])]
