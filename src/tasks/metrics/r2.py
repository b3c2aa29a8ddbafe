"""The share of the variance that a regression explains, with all the digits that there are."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class R2(Metric):
    """1 - (sum of squared residuals) / (sum of squared deviations from the mean), averaged over targets.

    As in scikit-learn, a target that never changes counts as 1 if it is predicted exactly, else as 0, and of fewer than
    two samples there is no value: nan. Sums are taken in double precision around the mean of each batch, so that
    neither small numbers nor large offsets lose digits.

    Args:
        n_targets: Targets ``t``.
        **kwargs: As in `torchmetrics.Metric`.
    """

    is_differentiable = True
    higher_is_better = True
    full_state_update = False

    # Rows: samples, mean, squared deviations from it, squared residuals; a column per target (4, t).
    moments: Tensor

    def __init__(self, n_targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_dtype(torch.float64)
        self.add_state("moments", torch.zeros(4, n_targets, dtype=torch.float64), dist_reduce_fx=_merged)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch (n, t), or where there is one target (n,)."""
        y = target.detach().double().reshape(len(target), -1)
        if not len(y):
            return
        batch = moments_of(preds.detach().double().reshape(y.shape), y)
        self.moments = _merged(torch.stack([self.moments, batch]))

    def compute(self) -> Tensor:
        """The value so far, float64."""
        return explained(self.moments)


def moments_of(preds: Tensor, y: Tensor) -> Tensor:
    """Samples, means, squared deviations from these, and squared residuals (4, ..., t) of numbers (..., n, t)."""
    mean = y.mean(-2)
    deviations = (y - mean.unsqueeze(-2)).square().sum(-2)
    return torch.stack([torch.full_like(mean, y.shape[-2]), mean, deviations, (y - preds).square().sum(-2)])


def explained(moments: Tensor) -> Tensor:
    """The share of the variance (...) that these moments (4, ..., t) tell of, averaged over targets."""
    n, _, deviations, squares = moments
    of_constant = torch.where(squares == 0, 1.0, 0.0).to(squares)
    values = torch.where(deviations == 0, of_constant, 1 - squares / deviations)
    return torch.where(n < 2, torch.nan, values).mean(-1)


def _merged(moments: Tensor) -> Tensor:
    """Moments (4, t) of all samples, from those of parts of them (parts, 4, t)."""
    counts, means, deviations, squares = moments.unbind(1)
    n = counts.sum(0)
    # what is averaged are differences from the largest part's mean, however large the means are
    largest = means.gather(0, counts.argmax(0, keepdim=True))[0]
    shift = (counts / n.clamp(min=1) * (means - largest)).sum(0)
    between = (counts * (means - largest - shift).square()).sum(0)
    return torch.stack([n, largest + shift, deviations.sum(0) + between, squares.sum(0)])
