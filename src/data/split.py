"""Cutting samples into train and test."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from src.data.base import Part


def n_test_samples(n: int, test_size: float) -> int:
    """How many of ``n`` samples are the test part: rounded up, as scikit-learn does.

    Raises:
        ValueError: If ``test_size`` is not strictly between 0 and 1, or leaves a part empty.
    """
    if not 0 < test_size < 1:
        raise ValueError(f"data.test_size must be between 0 and 1, exclusive, got {test_size!r}")
    n_test = int(np.ceil(n * test_size))
    if not 0 < n_test < n:
        raise ValueError(
            f"data.test_size={test_size} of {n} samples leaves {n - n_test} to train on; allowed: what leaves 1 or more"
        )
    return n_test


def shuffled_split(part: Part, *, test_size: float, seed: int) -> tuple[Part, Part]:
    """A random train and test part, the same as scikit-learn's ``train_test_split(random_state=seed)``.

    Written out because importing ``sklearn.model_selection`` takes longer than training a small network.
    """
    n_test = n_test_samples(len(part.x), test_size)
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(part.x)))
    test, train = order[:n_test], order[n_test:]
    return Part(part.x[train], part.y[train]), Part(part.x[test], part.y[test])


def apportioned(n: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers that add up to ``n``, in proportion to shares that add up to 1; who loses most gets what is left.

    Args:
        n: What is shared out.
        shares: Of each.
    """
    exact = np.array(shares, dtype=np.float64) / sum(shares) * n
    # what is whole but for rounding is whole
    sizes = np.floor(exact + 1e-6)
    largest_rest = np.argsort(sizes - exact, kind="stable")
    sizes[largest_rest[: n - int(sizes.sum())]] += 1
    return [int(size) for size in sizes]


def stratified_split(part: Part, *, n_test: Sequence[int], seed: int) -> tuple[Part, Part]:
    """A random train and test part, with so many points of each class in the test part.

    Args:
        part: What is cut, with labels (n,).
        n_test: Of each class, by label.
        seed: Draws which points these are, and the order of both parts.
    """
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(part.x)))
    labels = part.y[order]
    is_test = torch.zeros(len(order), dtype=torch.bool)
    for label, n in enumerate(n_test):
        is_test[(labels == label).nonzero().flatten()[:n]] = True
    test, train = order[is_test], order[~is_test]
    return Part(part.x[train], part.y[train]), Part(part.x[test], part.y[test])


def as_part(x: NDArray[np.float64], y: NDArray[np.int64]) -> Part:
    """Float32 inputs and int64 labels from what scikit-learn generates; float64 never reaches a device."""
    return Part(torch.from_numpy(x).float(), torch.from_numpy(y).long())
