"""Distributions of the shapes that results of small networks have, with what is true of each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Size = int | tuple[int, ...]
Draw = Callable[[Rng, Size], NDArray[np.float64]]


@dataclass(frozen=True)
class Shape:
    """How to draw values, and what is true of them.

    Attributes:
        draw: Draws values of a size.
        median: Its median.
        iqm: The mean of its middle half.
        mean: Its mean.
    """

    draw: Draw
    median: float
    iqm: float
    mean: float


def _skewed(rng: Rng, size: Size) -> NDArray[np.float64]:
    return 1 - np.minimum(0.5, np.exp(rng.normal(np.log(0.005), 1.2, size)))


def _counted(rng: Rng, size: Size) -> NDArray[np.float64]:
    """As of 200 test points, with many ties."""
    return np.round(_skewed(rng, size) * 200) / 200


def _humps(share: float) -> Draw:
    def draw(rng: Rng, size: Size) -> NDArray[np.float64]:
        is_lost = rng.random(size) < share
        found: NDArray[np.float64] = np.where(
            is_lost, rng.normal(0.5, 0.02, size), 1 - np.abs(rng.normal(0.01, 0.005, size))
        )
        return found

    return draw


def _wide(rng: Rng, size: Size) -> NDArray[np.float64]:
    return rng.beta(0.3, 0.5, size)


_DRAWS: dict[str, Draw] = {
    "skewed": _skewed,
    "counted": _counted,
    "a few lost": _humps(0.05),
    "a third lost": _humps(0.3),
    "half lost": _humps(0.5),
    "wide": _wide,
}


def _true(draw: Draw) -> Shape:
    values = np.sort(draw(np.random.default_rng(0), 400_000))
    return Shape(draw, float(np.median(values)), float(values[100_000:300_000].mean()), float(values.mean()))


SHAPES = {name: _true(draw) for name, draw in _DRAWS.items()}
