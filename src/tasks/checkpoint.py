"""What a checkpoint of a run holds, and its file: written whole, read without running code that it may hold."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning
import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from src.config.errors import ConfigError
from src.run.files import write_atomically

# The weights that training has ended with, in the words of tables and titles.
LAST_EPOCH = "last epoch"

State = Mapping[str, Any]


def run_checkpoint(
    *,
    epoch: int,
    n_steps: int,
    weights: Mapping[str, Tensor],
    optimizers: Sequence[State],
    schedulers: Sequence[State] | None = None,
    callbacks: Mapping[str, State] | None = None,
    loops: State | None = None,
) -> dict[str, Any]:
    """Make a checkpoint in Lightning's layout: weights and optimisers, and where training is to go on the rest as well.

    Args:
        epoch: Number of the epoch, as ``trainer.current_epoch`` counts.
        n_steps: Optimiser steps taken.
        weights: State of the task by name.
        optimizers: State of each optimiser.
        schedulers: State of each scheduler.
        callbacks: State of each callback that has one, by its key.
        loops: State of the trainer's loops, as `loops_of` gives it.
    """
    more = {"lr_schedulers": schedulers, "callbacks": callbacks, "loops": loops}
    return {
        "epoch": epoch,
        "global_step": n_steps,
        "pytorch-lightning_version": lightning.__version__,
        "state_dict": dict(weights),
        "optimizer_states": list(optimizers),
        **{name: state for name, state in more.items() if state is not None},
    }


def checkpoint_of(trainer: pl.Trainer) -> dict[str, Any]:
    """All that a run needs to go on from here, with what its parts add by Lightning's hooks for checkpoints."""
    module = trainer.lightning_module
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning leaves it untyped
    states = {callback.state_key: state for callback in callbacks if (state := callback.state_dict())}
    checkpoint = run_checkpoint(
        epoch=trainer.current_epoch,
        n_steps=trainer.global_step,
        weights=module.state_dict(),
        optimizers=[optimizer.state_dict() for optimizer in trainer.optimizers],
        schedulers=[config.scheduler.state_dict() for config in trainer.lr_scheduler_configs],
        callbacks=states,
        loops=loops_of(trainer),
    )
    if precision := trainer.precision_plugin.state_dict():
        # such as the scale of half precision; where Lightning looks for it
        checkpoint[type(trainer.precision_plugin).__qualname__] = precision
    datamodule = getattr(trainer, "datamodule", None)
    if datamodule is not None and (state := datamodule.state_dict()):
        checkpoint[type(datamodule).__qualname__] = state
    for callback in callbacks:
        callback.on_save_checkpoint(trainer, module, checkpoint)
    module.on_save_checkpoint(checkpoint)
    return checkpoint


def loops_of(trainer: pl.Trainer) -> dict[str, Any]:
    """How far the loops of a trainer have come."""
    loops = ("fit_loop", "validate_loop", "test_loop", "predict_loop")
    return {name: getattr(trainer, name).state_dict() for name in loops}


def best_epoch(epoch: int) -> str:
    """The best weights of a run, in the words of tables and titles; epochs count from 0, as in ``metrics.csv``."""
    return f"best, epoch {epoch}"


def weights_in(path: Path, checkpoint: State) -> str:
    """Which weights a checkpoint holds, in the words of tables and titles."""
    if path.stem == "last":
        return LAST_EPOCH
    epoch = int(checkpoint["epoch"])
    return best_epoch(epoch) if path.stem == "best" else f"{path.name}, epoch {epoch}"


def save_checkpoint(path: Path, checkpoint: State) -> None:
    """Write a checkpoint in one step."""
    data = io.BytesIO()
    torch.save(checkpoint, data)
    write_atomically(path, data.getvalue())


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
    except UnpicklingError as error:
        # torch's own words advise to load it all the same, which runs what it holds
        asked = re.search(r"GLOBAL (\w[\w.]*)", str(error))
        why = f"it asks for {asked[1]}, which could run anything" if asked else "its content is damaged, or none"
        raise ConfigError(
            f"{path} cannot be read as a checkpoint ({path.stat().st_size} bytes): {why}. "
            "Take the run's other checkpoint (checkpoint=best or checkpoint=last), or train again"
        ) from None
    # torch.load raises whatever its parsers meet: EOFError, RuntimeError, UnpicklingError, KeyError, ...
    except Exception as error:
        raise ConfigError(
            f"{path} cannot be read as a checkpoint ({path.stat().st_size} bytes; it may be cut off): {error}. "
            "Take the run's other checkpoint (checkpoint=best or checkpoint=last), or train again"
        ) from error
    return checkpoint
