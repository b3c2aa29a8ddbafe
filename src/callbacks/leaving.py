"""Ending a run between two epochs, where a signal has asked for it."""

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from src.callbacks.checkpoint import BestAndLast
from src.config import interrupts
from src.tasks.base import Task


class LeavesWhenAsked(Callback):
    """Ends a run in the middle of a block, with a checkpoint of the epoch that has just ended.

    Stands before all other callbacks: they look at blocks that are whole, and see this one when the run goes on.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Hear signals before Lightning does, which has its own handler for SIGTERM since the run was set up."""
        interrupts.handle_again()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write and end, if the block was cut short.

        Raises:
            KeyboardInterrupt: Then.
        """
        if not (isinstance(pl_module, Task) and pl_module.is_within_block):
            return
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, BestAndLast):
                callback.write(trainer)
        raise KeyboardInterrupt
