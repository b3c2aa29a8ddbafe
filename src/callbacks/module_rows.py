"""What a run keeps of a LightningModule that is no task of this project."""

import random
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint

from src.config.command import interrupts
from src.tasks.base import task_state
from src.tasks.rows import KeepsRows


class ModuleRows(Checkpoint):
    """A row of ``metrics.csv`` for every epoch, and in checkpoints the random generators.

    A callback of the kind that Lightning calls last, when all that an epoch logs is known.
    """

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """End where a signal has asked for it: the checkpoint is written.

        Raises:
            KeyboardInterrupt: Then.
        """
        if interrupts.now():
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Keep what the epoch has logged."""
        row = {"epoch": trainer.current_epoch, "step": trainer.global_step, **scalars(trainer.callback_metrics)}
        for logger in trainer.loggers:
            if isinstance(logger, KeepsRows):
                logger.log_row(row)

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002 - Lightning's signature
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Keep the generators, which draw the order of batches and much else."""
        checkpoint.update(task_state(rng_state=torch.get_rng_state(), fitted={}))
        kind, keys, *rest = np.random.get_state()
        checkpoint["generators"] = {
            "python": list(random.getstate()[1]),
            "numpy": [str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
        }

    def on_load_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002 - Lightning's signature
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Go on drawing where the checkpoint stopped."""
        torch.set_rng_state(checkpoint["rng_state"].cpu())
        generators = checkpoint["generators"]
        random.setstate((3, tuple(generators["python"]), None))
        kind, keys, *rest = generators["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))


def scalars(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Numbers among what a module has logged."""
    found = {}
    for name, value in metrics.items():
        tensor = torch.as_tensor(value)
        if tensor.numel() == 1:
            found[name] = float(tensor)
    return found
