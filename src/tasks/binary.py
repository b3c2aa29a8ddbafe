"""One of two classes, from one logit per sample."""

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryConfusionMatrix,
    BinaryF1Score,
    BinaryPrecision,
    BinaryRecall,
)

from src.tasks.base import Task
from src.tasks.metrics.balance import BalancedAccuracy, Chance
from src.tasks.metrics.calibration import calibration_metrics


def probs_of(logits: Tensor) -> Tensor:
    """Probability of class 1 (n,) from logits (n, 1) or (n,)."""
    return torch.sigmoid(logits.view(-1))


def preds_of(probs: Tensor) -> Tensor:
    """Labels (n,), int64: 1 where the probability of class 1 is above one half."""
    return (probs > 0.5).long()


class BinaryClassification(Task):
    """Two classes; the loss sees logits (n, 1) and targets (n, 1) of 0.0 and 1.0, in a subclass also between."""

    task_name = "binary"
    score_name = "accuracy"
    losses = (nn.BCEWithLogitsLoss,)

    def targets(self, y: Tensor) -> Tensor:
        """Labels (n,) as numbers (n, 1), the shape of the logits."""
        return y.float().unsqueeze(1)

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """1 where the logit has the sign of the likelier class, also of smoothed targets, else 0: (..., n)."""
        return ((outputs > 0) == (targets > 0.5)).squeeze(-1).float()

    def probs(self, outputs: Tensor) -> Tensor:
        """Probabilities (n, 2) of both classes."""
        positive = probs_of(outputs)
        return torch.stack([1 - positive, positive], dim=1)

    def preds(self, outputs: Tensor) -> Tensor:
        """Labels (n,): those of `preds_of`, from the logits themselves, which are not rounded to probabilities."""
        return (outputs.view(-1) > 0).long()

    def make_metrics(self) -> MetricCollection:
        """Accuracy beside that of guessing; precision, recall and F1 of class 1.

        Predictions are ours, so their checks are off.
        """
        return MetricCollection(
            {
                "accuracy": BinaryAccuracy(validate_args=False),
                "balanced_accuracy": BalancedAccuracy(2),
                "chance": Chance(2),
                "precision": BinaryPrecision(validate_args=False),
                "recall": BinaryRecall(validate_args=False),
                "f1": BinaryF1Score(validate_args=False),
                "confusion": BinaryConfusionMatrix(validate_args=False),
            }
        )

    def make_calibration(self) -> MetricCollection:
        """Expected calibration error and Brier's score."""
        return calibration_metrics()
