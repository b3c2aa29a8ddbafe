"""What all pictures of the plane of two features have in common: its limits, its shape, the look of its points.

Axes: `n` points, `k` classes.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from src.plots import style

Part: TypeAlias = tuple[NDArray[Any], NDArray[Any]]


def check_part(name: str, part: Part, n_classes: int) -> None:
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


def limits(*clouds: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower left and the upper right corner of all clouds of points (n, 2) with a margin, (2,) each."""
    lower = np.min([points.min(0) for points in clouds], axis=0).astype(np.float64)
    upper = np.max([points.max(0) for points in clouds], axis=0).astype(np.float64)
    margin = 0.08 * np.where(upper > lower, upper - lower, 1.0)
    return lower - margin, upper + margin


def panel_size(span: NDArray[np.float64], *, width: float = 4.4) -> tuple[float, float]:
    """Fit a panel to the data: one unit is as long on both axes, unless that leaves a strip too thin for its title.

    Args:
        span: Extent of the data, (2,).
        width: Of the panel in inches; a little less where the data are higher than wide.

    Returns:
        Width and height in inches.
    """
    ratio = float(span[1] / span[0])
    if not 0.5 <= ratio <= 1.3:
        return width, width / 1.1
    height = min(width * ratio, 1.09 * width)
    return height / ratio, height


def look(k: int, *, size: float, is_wrong: bool = False) -> dict[str, Any]:
    """Return how a point of class `k` is drawn: its colour and shape, with a dark edge if it is wrong."""
    edge = {"mec": style.INK, "mew": 0.24 * size} if is_wrong else {"mec": "white", "mew": 0.5}
    return {"marker": style.marker(k), "ls": "none", "mfc": style.color(k), "ms": size, **edge}
