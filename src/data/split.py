"""Cutting samples into train and test."""

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


def as_part(x: NDArray[np.float64], y: NDArray[np.int64]) -> Part:
    """Float32 inputs and int64 labels from what scikit-learn generates; float64 never reaches a device."""
    return Part(torch.from_numpy(x).float(), torch.from_numpy(y).long())
