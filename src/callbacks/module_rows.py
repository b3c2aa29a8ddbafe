"""What a run keeps of a LightningModule that is no task of this project."""

import random
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint

from src.config.command import interrupts
from src.tasks.base import task_state
from src.tasks.rows import KeepsRows


class ModuleRows(Checkpoint):
    """A row of ``metrics.csv`` for every epoch, and in checkpoints the random generators.

    A callback of the kind that Lightning calls last, when all that an epoch logs is known.

    Attributes:
        logged: The last value of all that training has logged, before a kill and after it.
    """

    def __init__(self) -> None:
        self.logged: dict[str, float] = {}

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """End where a signal has asked for it: the checkpoint is written.

        Raises:
            KeyboardInterrupt: Then.
        """
        if interrupts.now():
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Keep what the epoch has logged."""
        self._look(trainer)
        # a module that logs one of these two means another axis of its loggers, not of the run
        axis = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row = {**axis, **self.logged, **axis}
        for logger in trainer.loggers:
            if isinstance(logger, KeepsRows):
                logger.log_row(row)

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002 - Lightning's signature
        checkpoint: dict[str, Any],
    ) -> None:
        """Keep what was logged, and the generators, which draw the order of batches and much else."""
        # the other callbacks of this kind may write it before this one has seen the epoch
        self._look(trainer)
        checkpoint.update(task_state(rng_state=torch.get_rng_state(), fitted=self.logged))
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
        """Go on where the checkpoint stopped."""
        self.logged = dict(checkpoint["fitted"])
        torch.set_rng_state(checkpoint["rng_state"].cpu())
        generators = checkpoint["generators"]
        random.setstate((3, tuple(generators["python"]), None))
        kind, keys, *rest = generators["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))

    def _look(self, trainer: pl.Trainer) -> None:
        self.logged.update(scalars(trainer.callback_metrics))


def logged_by(trainer: pl.Trainer) -> dict[str, float]:
    """What the trainer's `ModuleRows` have kept, if it has any."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning leaves it untyped
    return {k: v for callback in callbacks if isinstance(callback, ModuleRows) for k, v in callback.logged.items()}


def scalars(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Numbers among what a module has logged."""
    found = {}
    for name, value in metrics.items():
        tensor = torch.as_tensor(value)
        if tensor.numel() == 1:
            found[name] = float(tensor)
    return found
