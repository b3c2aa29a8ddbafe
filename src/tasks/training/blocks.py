"""Blocks of epochs: from one logged epoch to the next in one call of Lightning's."""

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl

from src.compat.lightning import skip_epochs, uncount_block
from src.config.command import interrupts
from src.data.base import Batches
from src.tasks.schedule import Schedule
from src.tasks.training.loop import Measured, train_block
from src.tasks.training.network import OneNetwork, steps_left


class Blocks:
    """Trains a task block by block.

    Args:
        module: The task, which has an optimiser and perhaps a scheduler; it is told of every epoch.
        schedule: Cuts its epochs into blocks.
        train: Training batches.
        val: Validation batches.
        learner: Makes what trains of these batches, since an optimiser is known in a step only.

    Attributes:
        is_cut_short: Whether a signal has ended the last block in its middle.
    """

    def __init__(
        self,
        module: pl.LightningModule,
        schedule: Schedule,
        train: Batches,
        val: Batches,
        learner: Callable[[Batches, Batches], OneNetwork],
    ) -> None:
        self._module, self._schedule, self._train, self._val, self._learner = module, schedule, train, val, learner
        self._is_asked_to_end = self.is_cut_short = False

    def train(self) -> list[Measured]:
        """Train the next block, and tell what was measured.

        Raises:
            KeyboardInterrupt: If a signal has asked the run to end; its checkpoint is written.
        """
        if self._is_asked_to_end:
            raise KeyboardInterrupt
        module: Any = self._module
        trainer, schedule = module.trainer, self._schedule
        block = schedule.block(trainer.current_epoch)
        # trainer.max_steps may come first
        block = block[: math.ceil(min(steps_left(trainer) / len(self._train), len(block)))]
        is_end = block.start + len(block) < schedule.block(block.start).stop
        learner = self._learner(self._train, self._val)
        measured = train_block(
            learner,
            interrupts.until_asked(block),
            lambda epoch: schedule.is_measured(epoch) or (is_end and epoch == block[-1]),
        )
        self._is_asked_to_end, self.is_cut_short = interrupts.asked(), module.epoch < block[-1]
        skip_epochs(trainer, module.epoch - block.start, n_steps=learner.n_uncounted)
        if self.is_cut_short:
            uncount_block(trainer)
        return measured

    def n_steps(self, epoch: int) -> int:
        """Steps that had been taken at the end of an epoch."""
        return min(self._module.trainer.global_step, (epoch + 1) * len(self._train))
