"""What accumulates over the batches of a validation or test."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection


class Meters:
    """Mean loss and metrics of one split, whatever the sizes of its batches; in double precision.

    Args:
        split: Prefix of the names.
        metrics: Updated with (predictions, targets as the data hold them).
        of_probs: Updated with (probabilities, the same targets); None for none.
    """

    def __init__(self, split: str, metrics: MetricCollection, of_probs: MetricCollection | None = None) -> None:
        self._loss_name, self._loss, self._metrics = f"{split}/loss", MeanLoss(), metrics.clone(prefix=f"{split}/")
        for name, metric in self._metrics.items(keep_base=True, copy_state=False):
            # counts stay counts
            if name != "confusion":
                metric.set_dtype(torch.float64)
        self._of_probs = None if of_probs is None else of_probs.clone(prefix=f"{split}/")
        self._all: list[MeanLoss | MetricCollection] = [self._loss, self._metrics]
        self._all += [] if self._of_probs is None else [self._of_probs]
        self._device = torch.device("cpu")

    @property
    def takes_probs(self) -> bool:
        """Whether it measures probabilities."""
        return self._of_probs is not None

    def reset(self, device: torch.device) -> None:
        """Begin again, on a device; MPS has no double precision, so that its numbers are added up on the CPU."""
        before, self._device = self._device, torch.device("cpu") if device.type == "mps" else device
        for meter in self._all:
            # looking for all that might have to move takes longer than to reset it
            if self._device != before:
                meter.to(self._device)
            meter.reset()

    def update(self, loss: Tensor, preds: Tensor, y: Tensor, probs: Tensor | None = None) -> None:
        """Add a batch: its mean loss, predictions and targets (n, ...), and where they are measured probabilities."""
        self._loss.update(self._exact(loss), len(y))
        self._metrics.update(self._exact(preds), self._exact(y))
        if self._of_probs is not None:
            assert probs is not None
            self._of_probs.update(self._exact(probs), self._exact(y))

    def compute(self) -> dict[str, Tensor]:
        """Values so far, `split/name`."""
        of_probs = {} if self._of_probs is None else self._of_probs.compute()
        return {self._loss_name: self._loss.compute(), **self._metrics.compute(), **of_probs}

    def _exact(self, values: Tensor) -> Tensor:
        there = values.to(self._device)
        return there.double() if there.is_floating_point() else there


class MeanLoss(Metric):
    """Mean over samples of the mean losses of batches; a loss that is not finite stays in it."""

    is_differentiable = True
    higher_is_better = False
    full_state_update = False

    total: Tensor
    n: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_dtype(torch.float64)
        for name in ("total", "n"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, loss: Tensor, n: int) -> None:
        """Add a batch: its mean loss and its number of samples."""
        self.total = self.total + loss.detach().double() * n
        self.n = self.n + n

    def compute(self) -> Tensor:
        """The mean so far, float64."""
        return self.total / self.n
