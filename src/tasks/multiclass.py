"""One of several classes, from one logit per class."""

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from src.tasks.base import Task
from src.tasks.metrics.balance import BalancedAccuracy, Chance
from src.tasks.metrics.calibration import calibration_metrics


def probs_of(logits: Tensor) -> Tensor:
    """Probability of each class (n, k) from logits (n, k)."""
    return torch.softmax(logits, dim=1)


def preds_of(probs: Tensor) -> Tensor:
    """Labels (n,), int64: the most probable class, from probabilities or logits (n, k)."""
    return probs.argmax(dim=1)


class MulticlassClassification(Task):
    """Several classes; the loss sees logits (n, k) and labels (n,), or in a subclass probabilities (n, k)."""

    task_name = "multiclass"
    score_name = "accuracy"
    losses = (nn.CrossEntropyLoss,)

    def targets(self, y: Tensor) -> Tensor:
        """The labels themselves."""
        return y

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """1 where the largest logit is that of the right class, or of the likeliest one, else 0: (..., n)."""
        labels = targets.argmax(dim=-1) if targets.is_floating_point() else targets
        return (outputs.argmax(dim=-1) == labels).float()

    def probs(self, outputs: Tensor) -> Tensor:
        """Probabilities (n, k)."""
        return probs_of(outputs)

    def preds(self, outputs: Tensor) -> Tensor:
        """Labels (n,): those of `preds_of`, from the logits themselves, which are not rounded to probabilities."""
        return preds_of(outputs)

    def make_metrics(self) -> MetricCollection:
        """Accuracy over samples beside that of guessing; precision, recall and F1 averaged over classes.

        Predictions are ours, so their checks are off.
        """
        k = self.spec.n_outputs
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(k, average="micro", validate_args=False),
                "balanced_accuracy": BalancedAccuracy(k),
                "chance": Chance(k),
                "precision": MulticlassPrecision(k, average="macro", validate_args=False),
                "recall": MulticlassRecall(k, average="macro", validate_args=False),
                "f1": MulticlassF1Score(k, average="macro", validate_args=False),
                "confusion": MulticlassConfusionMatrix(k, validate_args=False),
            }
        )

    def make_calibration(self) -> MetricCollection:
        """Expected calibration error and Brier's score."""
        return calibration_metrics()
