"""What accuracy is worth where classes are of unequal size: the mean over classes, and what guessing gets.

Axes: ``n`` samples, ``k`` classes.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


def counts_of(preds: Tensor, target: Tensor, n_classes: int) -> Tensor:
    """Right answers and samples of each class (2, k) among labels (n,)."""
    return torch.stack([torch.bincount(each, minlength=n_classes) for each in (target[preds == target], target)])


def mean_recall(counts: Tensor) -> Tensor:
    """The mean recall of the classes that occur, from what `counts_of` has counted."""
    hits, support = counts
    mean: Tensor = (hits / support)[support > 0].mean()
    return mean


class _OfClasses(Metric):
    """Counts right answers and samples of each class, in double precision.

    Args:
        n_classes: Classes ``k``.
        **kwargs: As in `torchmetrics.Metric`.
    """

    is_differentiable = False
    higher_is_better: bool | None = True
    full_state_update = False

    # Rows: right answers, samples (2, k).
    counts: Tensor

    def __init__(self, n_classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_dtype(torch.float64)
        self._n_classes = n_classes
        self.add_state("counts", torch.zeros(2, n_classes, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch of labels (n,)."""
        self.counts = self.counts + counts_of(preds, target, self._n_classes)


class BalancedAccuracy(_OfClasses):
    """The mean recall of the classes that occur, as `sklearn.metrics.balanced_accuracy_score`."""

    def compute(self) -> Tensor:
        """The value so far, float64."""
        return mean_recall(self.counts)


class Chance(_OfClasses):
    """The share of the largest class: the accuracy of whoever answers with that one whatever is asked."""

    higher_is_better = None

    def compute(self) -> Tensor:
        """The value so far, float64."""
        _, support = self.counts
        largest: Tensor = support.max() / support.sum()
        return largest
