"""What a classifier says about every place of a panel: soft class colours and the line where it changes its mind.

Axes: `n` points, `k` classes, `h` and `w` rows and columns of the grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from src.plots import style

Predict: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]

CHUNK = 65_536  # points per call of a predict function: bounds memory, costs nothing for small data
_PIXELS_PER_POINT = 2.5  # finer grids look the same, since the picture is interpolated between the points


@dataclass(frozen=True)
class Background:
    """Class probabilities on a grid.

    Attributes:
        x: Places of the columns, (w,).
        y: Places of the rows, (h,).
        probs: Class probabilities, (h, w, k).
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    probs: NDArray[np.float32]

    def draw(self, ax: Axes, *, lw: float = 1.1) -> None:
        """Fill `ax` with soft class colours, and draw a line, `lw` points wide, wherever two classes tie."""
        show(ax, self.x, self.y, style.soften(self.probs))
        # Every border has two sides, so the last of the classes that win somewhere needs no line of its own.
        for k in np.unique(self.probs.argmax(-1))[:-1]:
            lead = self.probs[..., k] - np.delete(self.probs, k, axis=-1).max(-1)
            # Above the points (3 > 2), which would hide it where they are dense.
            ax.contour(self.x, self.y, lead, levels=[0.0], colors=style.INK, linewidths=lw, zorder=3)


def evaluate(
    predict: Predict,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    *,
    size: tuple[float, float],
    n_classes: int,
) -> Background:
    """Ask a classifier about a grid just fine enough for a panel.

    Args:
        predict: Takes points, float32 (n, 2), and returns class probabilities, (n, k).
        lower: Left and bottom of the panel in data units, (2,).
        upper: Right and top, (2,).
        size: Width and height of the panel in inches.
        n_classes: Number of classes, k.

    Raises:
        ValueError: As in `class_probs`.
    """
    x, y, points = grid(lower, upper, size=size)
    return Background(x, y, class_probs(predict, points, n_classes).reshape(len(y), len(x), n_classes))


def grid(
    lower: NDArray[np.float64], upper: NDArray[np.float64], *, size: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Lay a grid over a panel, just fine enough for its size in inches.

    Returns:
        Places of the columns (w,) and of the rows (h,), and all points row by row from below, (h * w, 2).
    """
    w, h = (int(inches * style.DPI / _PIXELS_PER_POINT) for inches in size)
    x, y = np.linspace(lower[0], upper[0], w), np.linspace(lower[1], upper[1], h)
    return x, y, np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


def show(ax: Axes, x: NDArray[np.float64], y: NDArray[np.float64], colors: NDArray[Any]) -> AxesImage:
    """Fill `ax` with colours of a grid, (h, w, 3)."""
    dx, dy = x[1] - x[0], y[1] - y[0]
    # The centre of a corner pixel lies on the corner of the panel, so lines reach the frame.
    extent = (x[0] - dx / 2, x[-1] + dx / 2, y[0] - dy / 2, y[-1] + dy / 2)
    return ax.imshow(colors, extent=extent, origin="lower", interpolation="bilinear", aspect="auto")


def class_probs(predict: Predict, points: NDArray[Any], n_classes: int) -> NDArray[np.float32]:
    """Return the class probabilities of points (n, 2), asked for in chunks, (n, k).

    Raises:
        ValueError: If `predict` returns another shape, or rows that are no probabilities.
    """
    chunks = []
    for start in range(0, len(points), CHUNK):
        chunk = np.ascontiguousarray(points[start : start + CHUNK], dtype=np.float32)
        probs = predict(chunk)
        allowed = (len(chunk), n_classes)
        if probs.shape != allowed:
            raise ValueError(f"predict must return one column per class name, {allowed}, got shape {probs.shape}")
        # 0.02: what rounding to 16 bits may lose. `not all(<=)` also catches NaN.
        if not (np.abs(probs.sum(1) - 1) <= 0.02).all() or probs.min() < 0:
            raise ValueError(
                "predict must return probabilities in [0, 1] that sum to 1 per row (logits? a diverged model?), "
                f"got values in {probs.min():.4g}..{probs.max():.4g}"
            )
        chunks.append(probs)
    return np.concatenate(chunks)
