"""Early stopping that looks where a run has its rows."""

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping as AtEveryEpoch

from src.tasks.base import is_at_row, is_measured


class EarlyStopping(AtEveryEpoch):
    """Lightning's early stopping, at logged epochs (``task.log_every_n_epochs``): ``patience`` counts those.

    So a run may train in blocks of epochs, and models of a stack may stop one by one. Lightning's own class looks
    whenever it documents that, and trains in steps.
    """

    content_with_blocks = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, if the epoch is logged and has measured what is monitored."""
        if is_at_row(pl_module) and is_measured(pl_module, self.monitor):
            super().on_train_epoch_end(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, if asked to look here."""
        if is_at_row(pl_module):
            super().on_validation_end(trainer, pl_module)
