"""Whether probabilities are worth what they say: the expected calibration error, and Brier's score.

Both are sums over samples in double precision, of constant size, so that no probability is kept.

Axes: ``n`` samples, ``k`` classes, ``b`` bins; ``...`` stands for the axis of models where many are stacked, and for
nothing where there is one.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

N_BINS = 15
"""Bins of equal width from 0 to 1; a confidence of exactly 1 has one of its own, as in torchmetrics."""


def calibration_metrics() -> MetricCollection:
    """``ece`` and ``brier``, updated with (probabilities (n, k), labels (n,))."""
    return MetricCollection({"ece": CalibrationError(), "brier": Brier()})


def confidences_of(probs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """How sure an answer is, and whether it is right, as torchmetrics takes them; both (..., n), float64.

    Of two classes it is the probability of class 1, and whether that is the class; of more the largest probability, and
    whether that is of the class.

    Args:
        probs: Probabilities (..., n, k).
        target: Labels (..., n), or (n,) if all models share them.
    """
    if probs.shape[-1] == 2:
        return probs[..., 1].double().contiguous(), target.double().expand(probs.shape[:-1])
    confidence, preds = probs.max(dim=-1)
    return confidence.double(), (preds == target).double()


def binned(confidence: Tensor, right: Tensor) -> Tensor:
    """Sums of confidences, of right answers and of samples (..., n) in each bin: (3, ..., b + 1), float64."""
    edges = torch.linspace(0, 1, N_BINS + 1, dtype=torch.float64, device=confidence.device)
    # a probability that is rounded to more than 1, or lost, stays in the last bin
    places = (torch.bucketize(confidence, edges, right=True) - 1).clamp(0, N_BINS)
    if places.ndim > 1:
        # each model has bins of its own
        places = places + (N_BINS + 1) * torch.arange(len(places), device=places.device).unsqueeze(1)
    values = torch.stack([confidence, right, torch.ones_like(confidence)])
    sums = torch.zeros(3, *confidence.shape[:-1], N_BINS + 1, dtype=torch.float64, device=confidence.device)
    sums.view(3, -1).index_add_(1, places.flatten(), values.flatten(1))
    return sums


def error_of(sums: Tensor) -> Tensor:
    """The expected calibration error (...) of what `binned` has summed."""
    confidence, right, n = sums
    error: Tensor = (confidence - right).abs().sum(-1) / n.sum(-1)
    return error


def squares_of(probs: Tensor, target: Tensor) -> Tensor:
    """Sums over samples of what Brier's score is the mean of (...), float64.

    Args:
        probs: Probabilities (..., n, k).
        target: Labels (..., n), or (n,) if all models share them.
    """
    is_class = torch.nn.functional.one_hot(target, probs.shape[-1])
    squares = (probs.double() - is_class).square()
    return (squares[..., 1] if probs.shape[-1] == 2 else squares.sum(-1)).sum(-1)


class _OfProbabilities(Metric):
    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_dtype(torch.float64)


class CalibrationError(_OfProbabilities):
    """The expected calibration error: how far confidence and share of right answers are apart, in the mean of samples.

    As `torchmetrics.classification.BinaryCalibrationError` and `MulticlassCalibrationError` with 15 bins and the norm
    l1.

    Args:
        **kwargs: As in `torchmetrics.Metric`.
    """

    sums: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("sums", torch.zeros(3, N_BINS + 1, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, probs: Tensor, target: Tensor) -> None:
        """Add a batch."""
        self.sums = self.sums + binned(*confidences_of(probs, target))

    def compute(self) -> Tensor:
        """The value so far, float64."""
        return error_of(self.sums)


class Brier(_OfProbabilities):
    """Brier's score: the mean squared error of the probability of class 1, or of several classes summed over them.

    Args:
        **kwargs: As in `torchmetrics.Metric`.
    """

    total: Tensor
    n: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("total", "n"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, probs: Tensor, target: Tensor) -> None:
        """Add a batch."""
        self.total = self.total + squares_of(probs, target)
        self.n = self.n + len(target)

    def compute(self) -> Tensor:
        """The value so far, float64."""
        return self.total / self.n
