"""What a data set is split into.

Axes: ``n`` samples, ``f`` features, ``t`` targets of a regression.
"""

from typing import NamedTuple

from torch import Tensor


class Part(NamedTuple):
    """One part of a split.

    Attributes:
        x: Inputs (n, f), float32.
        y: Targets: class labels (n,), int64, or numbers (n, t), float32.
    """

    x: Tensor
    y: Tensor


class Parts(NamedTuple):
    """The three parts of a data set; no sample is in two of them."""

    train: Part
    val: Part
    test: Part
