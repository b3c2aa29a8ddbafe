"""What accumulates over the batches of a validation or test."""

import torch
from torch import Tensor
from torchmetrics import MeanMetric, MetricCollection


class Meters:
    """Mean loss and metrics of one split, whatever the sizes of its batches.

    Args:
        split: Prefix of the names.
        metrics: Updated with (predictions, targets as the data hold them).
    """

    def __init__(self, split: str, metrics: MetricCollection) -> None:
        self._loss_name, self._loss, self._metrics = f"{split}/loss", MeanMetric(), metrics.clone(prefix=f"{split}/")

    def reset(self, device: torch.device) -> None:
        """Begin again, on a device."""
        for meter in (self._loss, self._metrics):
            meter.to(device).reset()

    def update(self, loss: Tensor, preds: Tensor, y: Tensor) -> None:
        """Add a batch: its mean loss, predictions and targets (n, ...)."""
        self._loss.update(loss, weight=len(y))
        self._metrics.update(preds, y)

    def compute(self) -> dict[str, Tensor]:
        """Values so far, `split/name`."""
        return {self._loss_name: self._loss.compute(), **self._metrics.compute()}
