"""What each hidden unit of a network computes over the plane: its values on a grid, and a small picture per unit.

Axes: `n` points, `w` units of a layer, `h` and `v` rows and columns of the grid.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from src.plots import style
from src.plots.layout import panels
from src.plots.plane import View, show

MAX_UNITS = 16  # of a layer
MAX_LAYERS = 4
_COLUMNS = 8
_CHUNK = 4096  # points per call: wide layers hold thousands of numbers for each of them


@dataclass(frozen=True)
class Layer:
    """A hidden layer at some points.

    Attributes:
        name: What its activation is called.
        folds: Whether that has a corner at zero, so that its units fold the plane.
        before: Pre-activations, (n, w).
        after: Activations, (n, w).
    """

    name: str
    folds: bool
    before: NDArray[np.float32]
    after: NDArray[np.float32]


HiddenLayers: TypeAlias = Callable[[NDArray[np.float32]], Sequence[Layer]]


@dataclass(frozen=True)
class LayerMap:
    """A hidden layer over a panel: the first of its units.

    Attributes:
        name: What its activation is called.
        folds: Whether that has a corner at zero.
        n_units: How many units the layer has.
        x: Places of the columns, (v,).
        y: Places of the rows, (h,).
        before: Pre-activations of the units that are kept, (h, v, w).
        after: Their activations, (h, v, w).
    """

    name: str
    folds: bool
    n_units: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    before: NDArray[np.float32]
    after: NDArray[np.float32]

    @classmethod
    def all_of(cls, hidden: HiddenLayers, view: View, *, max_units: int) -> "list[LayerMap]":
        """Ask a network for its hidden units at every place of a panel.

        Args:
            hidden: Takes points, float32 (n, 2), and returns every hidden layer at these points. A call gets at most
                4,096 points.
            view: What the panel shows.
            max_units: How many units of a layer are kept; the first ones.
        """
        x, y, points = view.grid()
        places = (np.ascontiguousarray(points[i : i + _CHUNK], np.float32) for i in range(0, len(points), _CHUNK))
        chunks = [
            [(layer, layer.before[:, :max_units].copy(), layer.after[:, :max_units].copy()) for layer in hidden(chunk)]
            for chunk in places
        ]
        maps = []
        for parts in zip(*chunks, strict=True):
            first: Layer = parts[0][0]
            before, after = (np.concatenate([p[i] for p in parts]).reshape(len(y), len(x), -1) for i in (1, 2))
            maps.append(cls(first.name, first.folds, first.before.shape[1], x, y, before, after))
        return maps

    def crosses_zero(self) -> NDArray[np.bool_]:
        """Tell of which units the pre-activation has both signs in view, (w,)."""
        lowest, highest = (f(self.before, axis=(0, 1)) for f in (np.min, np.max))
        both: NDArray[np.bool_] = (lowest < 0) & (highest > 0)
        return both

    def draw_folds(self, ax: Axes, units: Iterable[int], **look: Any) -> None:
        """Draw where the pre-activations of some units are zero."""
        for unit in units:
            ax.contour(self.x, self.y, self.before[..., unit], levels=[0.0], **look)


def units_figure(
    hidden: HiddenLayers,
    points: NDArray[np.float32],
    *,
    feature_names: Sequence[str],
    title: str,
) -> Figure:
    """Draw the output of every hidden unit over the plane, each in its own scale from white at zero.

    Args:
        hidden: Takes points, float32 (n, 2), and returns every hidden layer at them.
        points: What the network learnt from (n, 2); they set the range.
        feature_names: Of the horizontal and the vertical axis.
        title: What stands on top of the figure.

    Returns:
        A panel per unit, layer by layer; of more than 16 units in a layer or 4 layers the first ones, and the title
        says so. A unit that is zero everywhere in view is called silent.

    Raises:
        ValueError: If the network has no hidden layer, or `points` is not (n, 2).
    """
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(f"points must have shape (n, 2) with n >= 1, got {points.shape}")
    view = View.around(points, width=1.15)
    maps = LayerMap.all_of(hidden, view, max_units=MAX_UNITS)
    if not maps:
        raise ValueError("hidden must return at least one layer, got none")
    layers, title = maps[:MAX_LAYERS], title + _left_out(maps)
    widest = max(layer.before.shape[2] for layer in layers)
    columns = -(-widest // -(-widest // _COLUMNS))
    rows = [(i, unit) for i, layer in enumerate(layers) for unit in range(0, layer.before.shape[2], columns)]
    figure, axes = panels(
        columns * len(rows), size=view.size, title=title, columns=columns, left=0.75, above=0.26, below=0.45,
        legend=_legend(any(layer.after.min() < 0 for layer in layers)),
    )  # fmt: skip
    for row, (i, first) in enumerate(rows):
        layer, line = layers[i], axes[row * columns : (row + 1) * columns]
        for unit, ax in enumerate(line, start=first):
            if unit >= layer.before.shape[2]:
                ax.remove()
                continue
            _draw_unit(ax, layer, unit)
        line[0].set_ylabel(f"layer {i + 1}\n{layer.name}" if first == 0 else "", size=11, color=style.INK)
    line[0].set_xlabel(f"{feature_names[0]} →", size=11, color=style.INK, loc="left")
    # On the right, since the layer's name stands on the left.
    line[layer.before.shape[2] - 1 - first].annotate(
        f"{feature_names[1]} →", (1, 0), xytext=(3, 0), xycoords="axes fraction", textcoords="offset points",
        size=11, color=style.INK, rotation=90, ha="left", va="bottom",
    )  # fmt: skip
    return figure


def _left_out(maps: Sequence[LayerMap]) -> str:
    """Say what there is no room for."""
    layers = f"the first {MAX_LAYERS} of {len(maps)} layers" if len(maps) > MAX_LAYERS else ""
    widest = max(layer.n_units for layer in maps[:MAX_LAYERS])
    units = f"the first {MAX_UNITS} of up to {widest} units of a layer" if widest > MAX_UNITS else ""
    return "".join(f"; {text}" for text in (layers, units) if text)


def _draw_unit(ax: Axes, layer: LayerMap, unit: int) -> None:
    values = layer.after[..., unit]
    largest = float(np.abs(values).max())
    colors = style.signed_colormap()(0.5 + 0.5 * values / (largest or 1.0))[..., :3]
    show(ax, layer.x, layer.y, colors)
    if layer.crosses_zero()[unit]:
        layer.draw_folds(ax, [unit], colors=style.INK, linewidths=1.2)
    silent = "" if largest else ": silent"
    ax.set_title(f"unit {unit + 1}{silent}", size=10, color=style.INK, y=1.0, pad=3)
    ax.set(xticks=[], yticks=[], xlim=layer.x[[0, -1]], ylim=layer.y[[0, -1]])


def _legend(has_negative: bool) -> list[Line2D]:  # noqa: FBT001 - its name says what it is
    lowest, highest = (style.signed_colormap()(place) for place in (0.0, 1.0))
    negative = Line2D([], [], ls="none", marker="s", mfc=lowest, mec="none", label="negative")
    return [
        *([negative] if has_negative else []),
        Line2D([], [], ls="none", marker="s", mfc="white", mec=style.INK, mew=0.8, label="zero"),
        Line2D([], [], ls="none", marker="s", mfc=highest, mec="none", label="positive"),
        Line2D([], [], color=style.INK, lw=1.2, label="pre-activation = 0"),
    ]
