"""What comes before all other callbacks at the end of an epoch."""

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from src.callbacks.checkpoint import BestAndLast
from src.config.command import interrupts
from src.tasks.base import Task


class ComesFirst(Callback):
    """Lets a task log its epoch before anybody looks, and ends a run where a signal has asked for it.

    In the middle of a block it leaves a checkpoint of the epoch that has just ended: all other callbacks look at blocks
    that are whole, and see this one when the run goes on.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Hear signals before Lightning does, which has its own handler for SIGTERM since the run was set up."""
        interrupts.handle_again()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log, or write and end if a block was cut short.

        Raises:
            KeyboardInterrupt: Then.
        """
        if not isinstance(pl_module, Task):
            return
        pl_module.end_epoch()
        if not pl_module.is_within_block:
            return
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, BestAndLast):
                callback.write(trainer)
        raise KeyboardInterrupt

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Log the last epoch of a run that has ended between two rows."""
        if isinstance(pl_module, Task):
            pl_module.end_training()
