"""Whether what a stored configuration names is of the kind that its key asks for.

A package that is harmless as a whole holds functions that are not: `torch.load`, `torch.hub.load`. So a `_target_` is a
class of the right kind, or a function that says by its annotation that it makes one.
"""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any, get_type_hints

import lightning.pytorch as pl
from lightning.fabric.plugins import CheckpointIO, ClusterEnvironment
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import LayerSync, Precision
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import Strategy
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from src.config.errors import ConfigError
from src.config.stored import PACKAGES, Target, missing, resolved_tree, targets

_KINDS: Mapping[str, type] = {
    "data": pl.LightningDataModule,
    "model.net": nn.Module,
    "loss": nn.Module,
    "optimizer": Optimizer,
    "scheduler": LRScheduler,
    "task": pl.LightningModule,
    "module": pl.LightningModule,
    "trainer": pl.Trainer,
    "callbacks": Callback,
    "logger": Logger,
}

# What an object of a group may be given to work with, beside its own kind.
_PARTS: Mapping[str, tuple[type, ...]] = {
    "data": (nn.Module,),
    "task": (nn.Module,),
    "module": (nn.Module,),
    "trainer": (Accelerator, CheckpointIO, ClusterEnvironment, LayerSync, Precision, Profiler, Strategy),
    "callbacks": (nn.Module,),
}

# Functions of this project make parts of a run here; elsewhere they write files, or make what a configuration names.
_FACTORIES = ("src.data.", "src.models.", "src.tasks.")


def check_targets(cfg: DictConfig, *, trusted: Sequence[str]) -> None:
    """Refuse a stored configuration that names anything but classes of the right kind.

    Args:
        cfg: A stored configuration whose names `src.config.stored` has found to be known or trusted.
        trusted: Packages of the user's own.

    Raises:
        ConfigError: If it does; lists everything that is wrong.
    """
    tree: Any = OmegaConf.to_container(cfg, resolve=False)
    resolved = resolved_tree(tree, trusted=trusted)
    problems = list(missing(resolved)) or [
        f"{target.key}: {why}" for target in targets(resolved) if (why := _wrong(target, trusted))
    ]
    if problems:
        raise ConfigError("\n".join([f"{cfg.run_dir}/.hydra/config.yaml is not used:", *problems]))


def _wrong(target: Target, trusted: Sequence[str]) -> str | None:
    kind = _KINDS[target.group]
    kinds = (kind, *_PARTS.get(target.group, ())) if target.is_part else (kind,)
    allowed = f"allowed: a {' or '.join(each.__name__ for each in kinds)}"
    module, _, name = target.name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    # whatever a module raises while it is imported
    except Exception as error:
        return f"{target.name} cannot be imported: {type(error).__name__}: {error}"
    packages = (*PACKAGES, *trusted)
    if isinstance(found, type):
        if not issubclass(found, kinds):
            return f"{target.name} is a class of another kind; {allowed}"
        home = found.__module__
    elif isinstance(found, FunctionType):
        home = found.__module__
        if not f"{home}.".startswith((*_FACTORIES, *(f"{each}." for each in trusted))) or not _makes(found, kinds):
            return f"{target.name} is a function that does not say it makes the right kind; {allowed}"
    else:
        return f"{target.name} is no class; {allowed}"
    if not any(f"{home}.".startswith(f"{each}.") for each in packages):
        return f"{target.name} comes from {home}, which is not trusted"
    return None


def _makes(function: FunctionType, kinds: tuple[type, ...]) -> bool:
    """Whether a function's annotation says so."""
    try:
        made = get_type_hints(function).get("return")
    except (NameError, TypeError):
        return False
    return inspect.isclass(made) and issubclass(made, kinds)
