"""What the hidden units of a network compute at every place of a panel.

Axes: `n` points, `w` units of a layer, `h` and `v` rows and columns of the grid.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from src.plots.background import grid

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


Hidden: TypeAlias = Callable[[NDArray[np.float32]], Sequence[Layer]]


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

    def crosses_zero(self) -> NDArray[np.bool_]:
        """Tell of which units the pre-activation has both signs in view, (w,)."""
        lowest, highest = (f(self.before, axis=(0, 1)) for f in (np.min, np.max))
        both: NDArray[np.bool_] = (lowest < 0) & (highest > 0)
        return both

    def draw_folds(self, ax: Axes, units: Iterable[int], **look: Any) -> None:
        """Draw where the pre-activations of some units are zero."""
        for unit in units:
            ax.contour(self.x, self.y, self.before[..., unit], levels=[0.0], **look)


def evaluate_hidden(
    hidden: Hidden,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    *,
    size: tuple[float, float],
    max_units: int,
) -> list[LayerMap]:
    """Ask a network for its hidden units on a grid just fine enough for a panel.

    Args:
        hidden: Takes points, float32 (n, 2), and returns every hidden layer at these points. A call gets at most 4,096
            points.
        lower: Left and bottom of the panel in data units, (2,).
        upper: Right and top, (2,).
        size: Width and height of the panel in inches.
        max_units: How many units of a layer are kept; the first ones.
    """
    x, y, points = grid(lower, upper, size=size)
    chunks = [
        [(layer, layer.before[:, :max_units].copy(), layer.after[:, :max_units].copy()) for layer in hidden(chunk)]
        for chunk in (np.ascontiguousarray(points[i : i + _CHUNK], np.float32) for i in range(0, len(points), _CHUNK))
    ]
    maps = []
    for parts in zip(*chunks, strict=True):
        first: Layer = parts[0][0]
        before, after = (np.concatenate([p[i] for p in parts]).reshape(len(y), len(x), -1) for i in (1, 2))
        maps.append(LayerMap(first.name, first.folds, first.before.shape[1], x, y, before, after))
    return maps
