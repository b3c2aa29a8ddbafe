"""Early stopping that looks where a run has its rows."""

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping as AtEveryEpoch

from src.tasks.base import Task


class EarlyStopping(AtEveryEpoch):
    """Lightning's early stopping, at logged epochs (``task.log_every_n_epochs``): ``patience`` counts those.

    So a run may train in blocks of epochs, and models of a stack may stop one by one. Lightning's own class looks
    whenever it documents that, and trains in steps.
    """

    content_with_blocks = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, if the epoch is logged."""
        if not isinstance(pl_module, Task) or pl_module.is_at_row:
            super().on_train_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, if asked to look here."""
        if not isinstance(pl_module, Task) or pl_module.is_at_row:
            super().on_validation_end(trainer, pl_module)
