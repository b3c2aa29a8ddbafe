"""What is shown now and then while a network learns."""

from abc import ABC, abstractmethod
from typing import Annotated, Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from src.config.allowed import Range, checked
from src.tasks.base import Task

# Looks at a run whose configuration does not say how many it wants.
DEFAULT_LOOKS = 20


class EveryFewEpochs(Callback, ABC):
    """Shows something at the first, at every so many, and at the last epoch; all of them logged ones.

    Args:
        every_n_epochs: Epochs from one look to the next, rounded up to logged ones; None for about twenty a run, 0 for
            none at all.

    Raises:
        ValueError: If ``every_n_epochs`` is negative.
    """

    needs_task = True
    content_with_blocks = True

    # Whether it shows gradients, which are gone once validation begins.
    wants_gradients = False

    @checked("")
    def __init__(self, *, every_n_epochs: Annotated[int, Range(low=0)] | None) -> None:
        self.every_n_epochs = every_n_epochs
        self._shown: int | None = None

    @abstractmethod
    def show(self, trainer: pl.Trainer, task: Task) -> None:
        """Show what there is at ``task.epoch``; must leave the network and all random generators as they are."""

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ARG002 - Lightning's signature
        batch: Any,  # noqa: ARG002
        batch_idx: int,
    ) -> None:
        """Show if it is time; what Lightning calls a batch may be a block of epochs, after which gradients are gone."""
        assert isinstance(pl_module, Task)
        is_end = pl_module.trains_in_blocks or (self.wants_gradients and batch_idx + 1 == trainer.num_training_batches)
        if is_end and self._is_time(pl_module):
            self._show(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show if it is time, with what validation has measured, where a batch is a step."""
        assert isinstance(pl_module, Task)
        if not pl_module.trains_in_blocks and not self.wants_gradients and self._is_time(pl_module):
            self._show(trainer, pl_module)

    def _is_time(self, task: Task) -> bool:
        is_last = task.epoch + 1 == task.schedule.max_epochs
        return self.every_n_epochs != 0 and (is_last or task.epoch % self._step(task) == 0)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the last epoch of a run that ends early; gradients are gone by then."""
        assert isinstance(pl_module, Task)
        if self.every_n_epochs != 0 and pl_module.epoch != self._shown:
            self._show(trainer, pl_module)

    def _show(self, trainer: pl.Trainer, task: Task) -> None:
        self._shown = task.epoch
        self.show(trainer, task)

    def _step(self, task: Task) -> int:
        """Epochs from one look to the next: decided by the schedule alone, so that a resumed run has the same looks."""
        schedule = task.schedule
        # a run without an end is as long as the hundred rows that any other has
        n_epochs = schedule.max_epochs or 100 * schedule.log_every
        every = self.every_n_epochs or -(-n_epochs // DEFAULT_LOOKS)
        return -(-every // schedule.log_every) * schedule.log_every
