"""The plain way of Lightning: a batch is a step, and every hook and every flag is what its documentation says.

What a run leaves is the same as where it trains in blocks of epochs (`src.tasks.base`): the same weights, the same rows
of the same epochs.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from src.config.command import interrupts
from src.data.base import Batch
from src.tasks.penalty import Penalty
from src.tasks.schedule import Schedule
from src.tasks.training.loop import Means, Measured, add

# Shares of all batches add up to 1 but for this.
_ROUNDING = 1e-6


class _Stepping(Protocol):
    """What is asked of a task."""

    net: nn.Module
    loss: nn.Module
    epoch: int
    penalty: Penalty
    schedule: Schedule
    trainer: pl.Trainer

    def targets(self, y: Tensor) -> Tensor: ...

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor: ...

    def optimizers(self) -> Any: ...

    def lr_schedulers(self) -> Any: ...


class Steps:
    """Trains a task batch by batch, and keeps what an epoch has measured until it ends.

    Args:
        task: Its network, loss and score.
    """

    def __init__(self, task: _Stepping) -> None:
        self._task = task
        self._lr = 0.0
        self._train: Means | None = None
        self._share = self._val_share = 0.0
        self._val: Means | None = None
        self._epoch: Measured | None = None
        # the batch that was measured last: an optimiser may ask for its loss again
        self._measured = -1

    def start_epoch(self) -> None:
        """Forget the epoch before.

        Raises:
            KeyboardInterrupt: If a signal has asked the run to end; its checkpoint is written.
        """
        if interrupts.now():
            raise KeyboardInterrupt
        task = self._task
        task.epoch = task.trainer.current_epoch
        self._train, self._val, self._measured, self._share = None, None, -1, 0.0
        self._lr = task.optimizers().param_groups[0]["lr"]

    def training_step(self, batch: Batch | Sequence[Tensor], batch_idx: int) -> Tensor:
        """Loss of a batch, whose gradient Lightning takes."""
        batch = as_batch(batch)
        task, y = self._task, self._targets(batch.y)
        outputs = task.net(batch.x)
        loss: Tensor = task.loss(outputs, y)
        if batch_idx != self._measured:
            self._measured = batch_idx
            with torch.no_grad():
                means = Means(loss.detach(), task.score(outputs.detach(), y).mean())
                self._train = add(self._train, means, batch.share)
                self._share += batch.share
        if task.penalty:
            loss = loss + task.penalty.of(task.net.parameters())
        return loss if batch.scale == 1 else loss * batch.scale

    def start_validation(self) -> None:
        """Forget the validation before."""
        self._val, self._val_share = None, 0.0

    def validation_step(self, batch: Batch, outputs: Tensor, loss: Tensor) -> None:
        """Keep what a batch has measured."""
        score = self._task.score(outputs, self._targets(batch.y)).mean()
        self._val = add(self._val, Means(loss, score), batch.share)
        self._val_share += batch.share

    @property
    def measured(self) -> Measured | None:
        """What the last epoch has measured, unless it was forgotten."""
        return self._epoch

    def forget(self) -> None:
        """Drop what the epoch has measured: it is logged."""
        self._epoch = None

    @property
    def val(self) -> Means | None:
        """What this epoch's validation has measured; None before it."""
        return None if self._val is None else _mean(self._val, self._val_share)

    def end_epoch(self) -> Measured:
        """What the epoch has measured; a scheduler that waits for that takes its step."""
        task = self._task
        assert self._train is not None
        train, val = _mean(self._train, self._share), self.val
        scheduler = task.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau) and val is not None:
            scheduler.step(val.loss.item())
        self._epoch = Measured(task.epoch, self._lr, train, val)
        return self._epoch

    def _targets(self, y: Tensor) -> Tensor:
        targets: Tensor = self._task.trainer.precision_plugin.convert_input(self._task.targets(y))
        return targets


def as_batch(batch: Batch | Sequence[Tensor]) -> Batch:
    """A batch of any loader: inputs and targets, which count by their number."""
    if isinstance(batch, Batch):
        return batch
    x, y = batch
    return Batch(x, y, float(len(x)), 1.0)


def _mean(sums: Means, share: float) -> Means:
    """Means over the samples that there were: a trainer may end an epoch early, and a batch may not know its share."""
    return sums if abs(share - 1) < _ROUNDING else Means(*(each / share for each in sums))
