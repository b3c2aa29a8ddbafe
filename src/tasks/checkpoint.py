"""What a checkpoint of a run holds, and its file: written whole, read without running code that it may hold."""

import copy
import io
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from src.compat.torch_pickle import PLAIN_PICKLE
from src.config.errors import ConfigError
from src.run.files import write_atomically
from src.run.reading import refuse_damaged_zip

# The weights that training has ended with, in the words of tables and titles.
LAST_EPOCH = "last epoch"

# What a checkpoint must hold for training to go on from it.
TO_GO_ON = (
    *("epoch", "global_step", "pytorch-lightning_version", "optimizer_states", "lr_schedulers", "callbacks", "loops"),
    *("rng_state", "fitted"),
)

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
    datamodule = getattr(trainer, "datamodule", None)
    if datamodule is not None and (state := datamodule.state_dict()):
        # where Lightning looks for it
        checkpoint[type(datamodule).__qualname__] = state
    if precision := trainer.precision_plugin.state_dict():
        # such as the scale of half precision; where Lightning looks for it
        checkpoint[type(trainer.precision_plugin).__qualname__] = precision
    for part in (module, datamodule):
        checkpoint.update(hyper_parameters(part))
    for callback in callbacks:
        callback.on_save_checkpoint(trainer, module, checkpoint)
    module.on_save_checkpoint(checkpoint)
    return checkpoint


def hyper_parameters(part: Any) -> dict[str, Any]:
    """What a module or data module has saved by ``save_hyperparameters``, as ``load_from_checkpoint`` looks for it.

    Only what is loaded without running code: networks and other objects are left out.
    """
    found = getattr(part, "hparams", None)
    if not found:
        return {}
    kept = {str(name): value for name, value in found.items() if _is_plain(value)}
    name = getattr(part, "_hparams_name", None)
    named = {part.CHECKPOINT_HYPER_PARAMS_NAME: name} if name else {}
    return {**named, part.CHECKPOINT_HYPER_PARAMS_KEY: kept}


def _is_plain(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(_is_plain(each) for each in value)
    if type(value) is dict:
        return all(_is_plain(each) for pair in value.items() for each in pair)
    return value is None or type(value) in (bool, int, float, str, Tensor)


def copied(checkpoint: State) -> dict[str, Any]:
    """A checkpoint that training no longer changes."""
    weights = {
        # many times faster than a deep copy, which knows more than tensors
        name: tensor.clone() if type(tensor) is Tensor else copy.deepcopy(tensor)
        for name, tensor in checkpoint["state_dict"].items()
    }
    rest = {name: value for name, value in checkpoint.items() if name != "state_dict"}
    return {**copy.deepcopy(rest), "state_dict": weights}


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


CONFIGURATION = "configuration"
"""Holds the digest of the configuration of the run that goes on from a checkpoint."""


def save_checkpoint(path: Path, checkpoint: State, *, keep: Path | None = None) -> None:
    """Write a checkpoint in one step.

    Args:
        path: The file.
        checkpoint: What it holds.
        keep: Where the one goes that stands there; None for nowhere.
    """
    data = io.BytesIO()
    torch.save(checkpoint, data, pickle_module=PLAIN_PICKLE)
    write_atomically(path, data.getvalue(), keep=keep)


class DamagedCheckpointError(ConfigError):
    """A file is not the whole checkpoint that it should be.

    Args:
        path: The file.
        why: What is wrong with it.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} cannot be read as a checkpoint ({path.stat().st_size} bytes; it may be cut off, or damaged): "
            f"{why.rstrip('.')}. {_instead(path, without='train again')}"
        )
        self.path, self.why = path, why


def _instead(path: Path, *, without: str) -> str:
    """What to do without a checkpoint, by what lies beside it."""
    others = [name for name in ("best", "last") if name != path.stem and path.with_name(f"{name}.ckpt").is_file()]
    if others:
        return f"The run has {others[0]}.ckpt: checkpoint={others[0]} takes it"
    return f"The run has no other: {without}"


def load_checkpoint(path: Path, *, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Read a checkpoint onto the CPU, once its checksums are verified, without running code that it may hold.

    Args:
        path: The file.
        needs: What it must hold beside weights; `TO_GO_ON` for training.

    Raises:
        ConfigError: If there is no such file, or one that cannot be opened; a `DamagedCheckpointError`, if it is not a
            whole checkpoint.
    """
    if not path.is_file():
        if path.parent.name != "checkpoints" or path.stem not in ("best", "last"):
            raise ConfigError(f"there is no checkpoint {path}; allowed: best, last, or the path of one")
        why = "training has not come far enough to write one, or the run was shared without it"
        raise ConfigError(f"there is no checkpoint {path}. {_instead(path, without=why)}")
    try:
        refuse_damaged_zip(path)
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = [name for name in ("state_dict", *needs) if name not in checkpoint]
    except (FileNotFoundError, PermissionError) as error:
        # the first where another process has just removed it
        raise ConfigError(f"{path} cannot be opened: {error.strerror}") from error
    # zipfile and torch.load raise whatever their parsers meet: EOFError, RuntimeError, UnpicklingError, KeyError, ...
    except Exception as error:
        raise DamagedCheckpointError(path, _why(error)) from error
    if missing or not isinstance(checkpoint, dict):
        raise DamagedCheckpointError(path, f"it holds no {', '.join(missing) or 'mapping'}")
    return checkpoint


def _why(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):
        # torch's own words advise to load it all the same, which runs what it holds
        if asked := re.search(r"GLOBAL (\w[\w.]*)", str(error)):
            return f"it asks for {asked[1]}, which is not loaded, since it could run anything"
        return "it holds something else than tensors, numbers, texts and plain containers, which is not loaded"
    return next(iter(str(error).splitlines()), "") or type(error).__name__
