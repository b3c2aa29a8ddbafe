"""The metrics of the shipped tasks for many models at once: what the metrics of each would say of its outputs.

All that is measured of thousands of small outputs is the fixed cost of the calls, which many models share here.

Axes: ``m`` models, ``n`` samples, ``k`` classes, ``t`` targets. Targets have a 1 in the place of ``m`` where all models
share them.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from src.tasks.metrics.calibration import binned, confidences_of, error_of, squares_of
from src.tasks.metrics.r2 import explained, moments_of


class OfModels(NamedTuple):
    """What is known of some models.

    Attributes:
        values: Each metric (m,) by name, float64, in the order of a `torchmetrics.MetricCollection`.
        confusion: Rows true, columns predicted classes (m, k, k); None for a regression.
    """

    values: dict[str, Tensor]
    confusion: Tensor | None


def of_classes(preds: Tensor, probs: Tensor, y: Tensor, *, averages: bool) -> OfModels:
    """Those of a classification.

    Args:
        preds: Predicted labels (m, n).
        probs: Probabilities (m, n, k).
        y: Labels (m or 1, n).
        averages: Whether precision, recall and F1 are means over the classes that there are, or else those of class 1.
    """
    (m, n), k = preds.shape, probs.shape[2]
    cells = (torch.arange(m, device=y.device).unsqueeze(1) * k + y) * k + preds
    confusion = torch.bincount(cells.flatten(), minlength=m * k * k).view(m, k, k)
    counts = confusion.double()
    hits, support, predicted = counts.diagonal(dim1=1, dim2=2), counts.sum(2), counts.sum(1)
    of_each = {
        "precision": _share(hits, predicted),
        "recall": _share(hits, support),
        "f1": _share(2 * hits, support + predicted),
    }
    # a class that neither occurs nor is predicted does not count
    counted = ((support + predicted) > 0).double()
    n_counted = counted.sum(1, keepdim=True)
    told = {
        name: (counted * shares / n_counted).sum(1) if averages else shares[:, 1] for name, shares in of_each.items()
    }
    exact = probs.double()
    target = y[0] if len(y) == 1 else y
    values = {
        "accuracy": hits.sum(1) / n,
        "balanced_accuracy": _share(hits, support).sum(1) / (support > 0).sum(1),
        "chance": support.max(1).values / n,
        "f1": told["f1"],
        "precision": told["precision"],
        "recall": told["recall"],
        "brier": squares_of(exact, target) / n,
        "ece": error_of(binned(*confidences_of(exact, target))),
    }
    return OfModels(values, confusion)


def of_numbers(outputs: Tensor, y: Tensor) -> OfModels:
    """Those of a regression, from outputs (m, n, t) and targets (m or 1, n, t)."""
    preds, targets = outputs.double(), y.double()
    errors = preds - targets
    values = {
        "mae": errors.abs().flatten(1).mean(1),
        "mse": errors.square().flatten(1).mean(1),
        "r2": explained(moments_of(preds, targets.expand_as(preds))),
    }
    return OfModels(values, None)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """A share of nothing is 0."""
    return torch.where(whole > 0, part / whole.clamp(min=1), 0.0)
