"""The best and the last weights of a run, on disk."""

import copy
import io
import math
import time
from pathlib import Path
from typing import Any

import lightning
import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint

from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.files import write_atomically


class BestAndLast(Checkpoint):
    """Keep ``best.ckpt`` and ``last.ckpt`` in the run directory.

    Lightning's ModelCheckpoint writes a file whenever the monitored metric improves, which takes longer than ten epochs
    of a small network, and improves at almost every look. This one keeps the best weights in memory and writes both
    files every few seconds and at the end. ``last.ckpt`` holds the best weights as well, so that a run that is killed
    in between goes on to the same result.

    Args:
        monitor: Metric that decides what is best.
        mode: ``min`` or ``max``.
        every_s: Seconds between two writes.

    Raises:
        ValueError: If ``mode`` is neither ``min`` nor ``max``.
    """

    def __init__(self, *, monitor: str, mode: str, every_s: float) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"callbacks.checkpoint.mode must be min or max, got {mode!r}")
        self.monitor, self.every_s = monitor, every_s
        self._sign = 1.0 if mode == "min" else -1.0
        self._score = math.inf
        self._best: dict[str, Any] | None = None
        self._written_at = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights if they are the best so far, and write if it is time."""
        # without validation nothing tells which weights are the best, so there is no best.ckpt
        if not self.monitor.startswith("val/") or trainer.limit_val_batches != 0:
            self._keep_if_best(trainer, pl_module)
        due = time.monotonic() - self._written_at >= self.every_s
        # saving waits for all processes, whose clocks differ: the first one decides
        if trainer.strategy.broadcast(due):
            self._write(trainer)

    def _keep_if_best(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.monitor not in trainer.callback_metrics:
            raise ConfigError(
                f"callbacks.checkpoint.monitor={self.monitor} is not measured during training; "
                f"allowed: {', '.join(sorted(trainer.callback_metrics))}"
            )
        score = self._sign * trainer.callback_metrics[self.monitor].item()
        if score < self._score:
            self._score = score
            self._best = _snapshot(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write both files."""
        self._write(trainer)

    def _write(self, trainer: pl.Trainer) -> None:
        run = RunDir(Path(trainer.default_root_dir))
        if self._best is not None and trainer.is_global_zero:
            data = io.BytesIO()
            torch.save(self._best, data)
            write_atomically(run.checkpoints / "best.ckpt", data.getvalue())
        # after best.ckpt: what last.ckpt continues from is never ahead of it
        trainer.save_checkpoint(run.checkpoints / "last.ckpt")
        self._written_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The best weights and their score, for ``last.ckpt``."""
        return {"score": self._score, "best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from ``last.ckpt``."""
        self._score, self._best = state_dict["score"], state_dict["best"]


def _snapshot(trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
    """Weights and optimiser state as they are now, in the layout of Lightning's checkpoints."""
    return {
        "epoch": trainer.current_epoch,
        "global_step": trainer.global_step,
        "pytorch-lightning_version": lightning.__version__,
        "state_dict": {name: tensor.clone() for name, tensor in pl_module.state_dict().items()},
        "optimizer_states": [copy.deepcopy(optimizer.state_dict()) for optimizer in trainer.optimizers],
    }


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU, without running code that it may hold.

    Raises:
        ConfigError: If there is no such file, or it is not a whole checkpoint.
    """
    if not path.is_file():
        raise ConfigError(f"there is no checkpoint {path}: training has not come far enough to write it")
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        checkpoint["state_dict"]
    # torch.load raises whatever its parsers meet: EOFError, RuntimeError, UnpicklingError, KeyError, ...
    except Exception as error:
        raise ConfigError(
            f"{path} cannot be read as a checkpoint ({path.stat().st_size} bytes; it may be cut off): {error}. "
            "Take the run's other checkpoint (checkpoint=best or checkpoint=last), or train again"
        ) from error
    return checkpoint
