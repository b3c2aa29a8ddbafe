"""What all pictures of the plane of two features share: the part that is seen, the look of points, class colours below.

Axes: `n` points, `k` classes, `h` and `w` rows and columns of a grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from src.plots import style

# What goes in and what belongs to it, (n, ...) each: points and their labels, or a feature and its target.
Samples: TypeAlias = tuple[NDArray[Any], NDArray[Any]]
Predict: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]

CHUNK = 65_536  # points per call of a predict function: bounds memory, costs nothing for small data
_PIXELS_PER_POINT = 2.5  # finer grids look the same, since the picture is interpolated between the points


@dataclass(frozen=True)
class View:
    """The part of the plane that a panel shows.

    Attributes:
        lower: Left and bottom in data units, (2,).
        upper: Right and top, (2,).
        size: Width and height of the panel in inches.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    size: tuple[float, float]

    @classmethod
    def around(cls, *clouds: NDArray[Any], width: float = 4.4) -> "View":
        """Show all clouds of points (n, 2) with a margin.

        One unit is as long on both axes, unless that leaves a strip too thin for the panel's title.

        Args:
            *clouds: Points (n, 2) each.
            width: Of the panel in inches; a little less where the data are higher than wide.
        """
        lower = np.min([points.min(0) for points in clouds], axis=0).astype(np.float64)
        upper = np.max([points.max(0) for points in clouds], axis=0).astype(np.float64)
        margin = 0.08 * np.where(upper > lower, upper - lower, 1.0)
        lower, upper = lower - margin, upper + margin
        ratio = float((upper - lower)[1] / (upper - lower)[0])
        if not 0.5 <= ratio <= 1.3:
            return cls(lower, upper, (width, width / 1.1))
        height = min(width * ratio, 1.09 * width)
        return cls(lower, upper, (height / ratio, height))

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Ends of both axes, as `Axes.set` takes them."""
        return {"xlim": (self.lower[0], self.upper[0]), "ylim": (self.lower[1], self.upper[1])}

    def grid(self, *, dpi: float = style.DPI) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Lay a grid over the panel, just fine enough for its pixels.

        Args:
            dpi: Pixels per inch of the picture.

        Returns:
            Places of the columns (w,) and of the rows (h,), and all points row by row from below, (h * w, 2).
        """
        w, h = (int(inches * dpi / _PIXELS_PER_POINT) for inches in self.size)
        x, y = np.linspace(self.lower[0], self.upper[0], w), np.linspace(self.lower[1], self.upper[1], h)
        return x, y, np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


@dataclass(frozen=True)
class Background:
    """What a classifier says about every place of a panel: class probabilities on a grid.

    Attributes:
        x: Places of the columns, (w,).
        y: Places of the rows, (h,).
        probs: Class probabilities, (h, w, k).
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    probs: NDArray[np.float32]

    @classmethod
    def of(cls, predict: Predict, view: View, *, n_classes: int, dpi: float = style.DPI) -> "Background":
        """Ask a classifier about every place of a panel.

        Args:
            predict: Takes points, float32 (n, 2), and returns class probabilities, (n, k).
            view: What the panel shows.
            n_classes: Number of classes, k.
            dpi: Pixels per inch of the picture.

        Raises:
            ValueError: As in `class_probs`.
        """
        x, y, points = view.grid(dpi=dpi)
        return cls(x, y, class_probs(predict, points, n_classes).reshape(len(y), len(x), n_classes))

    def draw(self, ax: Axes, *, lw: float = 1.1) -> None:
        """Fill `ax` with soft class colours, and draw a line, `lw` points wide, wherever two classes tie."""
        show(ax, self.x, self.y, style.soften(self.probs))
        # Every border has two sides, so the last of the classes that win somewhere needs no line of its own.
        for k in np.unique(self.probs.argmax(-1))[:-1]:
            lead = self.probs[..., k] - np.delete(self.probs, k, axis=-1).max(-1)
            # Above the points (3 > 2), which would hide it where they are dense.
            ax.contour(self.x, self.y, lead, levels=[0.0], colors=style.INK, linewidths=lw, zorder=3)


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


def check_samples(name: str, part: Samples, n_classes: int) -> None:
    """Refuse points and labels that cannot be drawn.

    Args:
        name: What the message calls the part.
        part: Points (n, 2) and their integer labels (n,) in 0..k-1.
        n_classes: Number of classes, k.

    Raises:
        ValueError: If a shape, a dtype or a range differs from the above, or a number is not finite.
    """
    points, labels = part
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise ValueError(f"{name} points must have shape (n, 2) with n >= 1, got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"{name} points must be finite, got NaN or infinity")
    if labels.shape != (len(points),) or labels.dtype.kind not in "iu":
        raise ValueError(f"{name} labels must be ({len(points)},) integers, got {labels.shape} of {labels.dtype}")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"{name} labels must be in 0..{n_classes - 1}, got {labels.min()}..{labels.max()}")


def look(k: int, *, size: float, is_wrong: bool = False) -> dict[str, Any]:
    """Return how a point of class `k` is drawn: its colour and shape, with a dark edge if it is wrong."""
    edge = {"mec": style.INK, "mew": 0.24 * size} if is_wrong else {"mec": "white", "mew": 0.5}
    return {"marker": style.marker(k), "ls": "none", "mfc": style.color(k), "ms": size, **edge}
