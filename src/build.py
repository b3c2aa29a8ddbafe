"""From a configuration to the objects of a run: the one place that instantiates.

Checks that model, data and loss fit together before any training, so that a mistake costs no time.
"""

import logging
import random
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from hydra.utils import get_class, instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelSummary, ProgressBar
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch import nn

from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.data.base import Batches, InMemoryDataModule
from src.data.spec import DataSpec
from src.tasks.base import OptimizerFactory, SchedulerFactory

# Lightning's package adds a handler of its own on import, so that every message would appear twice; what it tells at
# level INFO (devices that are not there, why training stopped) is said by our own lines, in fewer words.
logging.getLogger("lightning").handlers.clear()
for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.WARNING)
# A task that trains in blocks measures validation itself, and hands Lightning an empty list of loaders for it.
warnings.filterwarnings("ignore", message="Total length of `list` across ranks is zero")
# On a cluster's front end; what runs there is wanted there.
warnings.filterwarnings("ignore", message="The `srun` command is available on your system but is not used")
# Lightning 2.6 calls what PyTorch 2.13 has renamed.
warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")


@dataclass(frozen=True)
class Built:
    """What a run is made of."""

    datamodule: InMemoryDataModule
    task: Any
    trainer: pl.Trainer
    loggers: list[Logger] = field(default_factory=list)


def build(cfg: DictConfig, *, evaluate_only: bool = False) -> Built:
    """Make data module, task and trainer.

    Args:
        cfg: A composed configuration of conf/train.yaml.
        evaluate_only: Leave out what records a run: loggers and callbacks.

    Raises:
        ConfigError: If a value is out of its range, or parts of the configuration do not fit together.
    """
    datamodule = build_data(cfg)
    task = build_task(cfg, datamodule.spec)
    names = task.metric_names()
    if cfg.optimized_metric not in names:
        raise ConfigError(f"optimized_metric={cfg.optimized_metric} is not measured; allowed: {', '.join(names)}")
    split = cfg.optimized_metric.split("/")[0]
    if cfg.trainer.get(f"limit_{split}_batches") == 0:
        raise ConfigError(f"optimized_metric={cfg.optimized_metric} needs batches, trainer.limit_{split}_batches is 0")
    loggers, callbacks = (
        [] if evaluate_only else _instantiate_all(group, cfg[group]) for group in ("logger", "callbacks")
    )
    # a run of many processes is evaluated by one
    alone = {"strategy": "auto", "devices": 1, "num_nodes": 1} if evaluate_only else {}
    trainer = build_trainer(cfg, callbacks, loggers, **_limit(cfg, datamodule), **alone)
    return Built(datamodule, task, trainer, loggers)


def build_task(cfg: DictConfig, spec: DataSpec) -> Any:
    """Make the network, its loss, optimiser and scheduler, and wrap them.

    The network's weights are drawn first, straight after seeding, so that a seed gives the same weights everywhere.
    """
    _check_fit(cfg, spec)
    net = build_net(cfg, spec)
    _check_sizes(cfg, spec, net)
    if cfg.compile:
        # in place: checkpoints keep the plain names of the weights
        net.compile()
    optimizer, scheduler = build_optimizer(cfg)
    loss = _instantiate("loss", cfg.loss)
    return _instantiate("task", cfg.task, net=net, loss=loss, optimizer=optimizer, scheduler=scheduler, spec=spec)


def build_data(cfg: DictConfig) -> InMemoryDataModule:
    """Make the data module; its parts are made when first asked for."""
    datamodule: InMemoryDataModule = _instantiate("data", cfg.data)
    return datamodule


def build_net(cfg: DictConfig, spec: DataSpec) -> nn.Module:
    """Seed, then draw the weights of the network; sizes that it leaves open are those of the data."""
    sizes = {"in_features": spec.n_features, "out_features": spec.n_outputs}
    open_sizes = {key: size for key, size in sizes.items() if key in cfg.model.net and cfg.model.net[key] is None}
    seed_everything(cfg.seed)
    net: nn.Module = _instantiate("model.net", cfg.model.net, **open_sizes)
    return net


def build_optimizer(cfg: DictConfig) -> tuple[OptimizerFactory, SchedulerFactory | None]:
    """What makes the optimiser and the scheduler, both tried on a parameter that is never trained."""
    optimizer = _instantiate("optimizer", cfg.optimizer)
    probe = _try("optimizer", cfg.optimizer, lambda: optimizer([nn.Parameter(torch.zeros(1))]))
    scheduler = _instantiate("scheduler", cfg.scheduler) if cfg.scheduler else None
    if scheduler is not None:
        _try("scheduler", cfg.scheduler, lambda: scheduler(probe))
    return optimizer, scheduler


def seed_everything(seed: int) -> None:
    """Seed all global generators; 0 is a seed like any other."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def build_trainer(cfg: DictConfig, callbacks: list[Callback], loggers: list[Logger], **changes: Any) -> pl.Trainer:
    """Make the trainer; it records what the configuration lists and nothing else.

    Args:
        cfg: A composed configuration.
        callbacks: What watches the run.
        loggers: What records it.
        **changes: Arguments of the trainer that differ from ``cfg.trainer``.
    """
    _check_accelerator(cfg.trainer.accelerator)
    trainer: pl.Trainer = _instantiate(
        "trainer",
        cfg.trainer,
        callbacks=callbacks,
        logger=loggers or False,
        default_root_dir=str(Path(cfg.run_dir)),
        enable_checkpointing=_has(callbacks, Checkpoint),
        enable_progress_bar=_has(callbacks, ProgressBar),
        enable_model_summary=_has(callbacks, ModelSummary),
        # a block of epochs is one step for Lightning
        log_every_n_steps=1,
        **changes,
    )
    check_precision(trainer.strategy.root_device, cfg.trainer.precision)
    return trainer


def check_precision(device: torch.device, precision: Any) -> None:
    """Refuse what a device cannot compute.

    Raises:
        ConfigError: If double precision is asked of an Apple GPU, which has none.
    """
    if device.type == "mps" and "64" in str(precision):
        raise ConfigError(f"trainer.precision={precision} is not to be had on mps; allowed: 32-true, 16-mixed")


def _limit(cfg: DictConfig, datamodule: InMemoryDataModule) -> dict[str, int]:
    """Shares of batches as their number: Lightning cannot take a tenth of the one block or part that it sees."""
    parts = {"limit_train": "train", "overfit": "train", "limit_val": "val", "limit_test": "test"}
    limits: dict[str, int] = {}
    for name, split in parts.items():
        share = cfg.trainer.get(f"{name}_batches")
        if isinstance(share, float) and 0 < share < 1:
            size = datamodule.batch_size if split == "train" else datamodule.EVAL_BATCH_SIZE
            n_batches = len(Batches(getattr(datamodule.parts, split), batch_size=size))
            limits[f"{name}_batches"] = max(1, int(n_batches * share))
    return limits


def _has(callbacks: Iterable[Callback], kind: type) -> bool:
    return any(isinstance(callback, kind) for callback in callbacks)


def _check_accelerator(name: str) -> None:
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    here["gpu"] = here["cuda"] or here["mps"]
    if not here.get(name, True):
        found = ", ".join(["auto", *(key for key, is_here in here.items() if is_here)])
        raise ConfigError(f"trainer.accelerator={name} is not on this machine; allowed here: {found}")


def _check_fit(cfg: DictConfig, spec: DataSpec) -> None:
    """Refuse a model, task or loss that is made for another kind of data."""
    task_class = get_class(cfg.task._target_)
    task_name = getattr(task_class, "task_name", spec.task)
    if task_name != spec.task:
        raise ConfigError(
            f"task={task_name} does not fit data={_option('data', cfg.data)}, which is a {spec.task} task; "
            f"use task={spec.task}"
        )
    if cfg.model.task not in (None, spec.task):
        _refuse_model(cfg, spec, f"the model is for a {cfg.model.task} task, the data hold a {spec.task} one")
    allowed = getattr(task_class, "losses", None)
    loss_class = get_class(cfg.loss._target_)
    if allowed and loss_class.__module__ == "torch.nn.modules.loss" and loss_class not in allowed:
        options = [f"loss={name}" for name, node in _options("loss") if get_class(node._target_) in allowed]
        raise ConfigError(
            f"loss={_option('loss', cfg.loss)} does not fit data={_option('data', cfg.data)}, which is a {spec.task} "
            f"task; use {' or '.join(options)}"
        )


def _check_sizes(cfg: DictConfig, spec: DataSpec, net: nn.Module) -> None:
    for key, size in (("in_features", spec.n_features), ("out_features", spec.n_outputs)):
        fixed = getattr(net, key, size)
        if fixed != size:
            _refuse_model(cfg, spec, f"model.net.{key} is {fixed}, the data need {size}")


def _refuse_model(cfg: DictConfig, spec: DataSpec, why: str) -> None:
    fits = [f"model={name}" for name, node in _options("model") if _fits(node, spec)]
    raise ConfigError(
        f"model={cfg.model.name} does not fit data={_option('data', cfg.data)}: {why} "
        f"({spec.n_features} features, {spec.n_outputs} outputs). What fits: {', '.join(fits)}"
    )


def _fits(model: DictConfig, spec: DataSpec) -> bool:
    net = model.net
    return (
        model.task in (None, spec.task)
        and net.get("in_features") in (None, spec.n_features)
        and net.get("out_features") in (None, spec.n_outputs)
    )


def _options(group: str) -> list[tuple[str, DictConfig]]:
    """All options of a group by name, as their files stand."""
    nodes = [(path.stem, OmegaConf.load(path)) for path in sorted((CONF_DIR / group).glob("*.yaml"))]
    return [(name, node.get(group, node)) for name, node in nodes if isinstance(node, DictConfig)]


def _option(group: str, node: DictConfig) -> str:
    """Name of the option that a node was made from, or its target where none is found."""
    target: str = node._target_
    return next((name for name, option in _options(group) if option.get("_target_") == target), target)


def _instantiate(key: str, node: DictConfig, **kwargs: Any) -> Any:
    return _try(key, node, lambda: instantiate(node, **kwargs))


def _instantiate_all(group: str, nodes: DictConfig) -> list[Any]:
    """A group of any number of objects; one that is set to null is left out."""
    return [_instantiate(f"{group}.{key!s}", node) for key, node in nodes.items() if node is not None]


def _try(key: str, node: DictConfig, make: Callable[[], Any]) -> Any:
    """Call ``make``; an error about its values names the configuration keys that set them."""
    try:
        return make()
    except ConfigError:
        raise
    except Exception as error:
        cause = error.__cause__ if type(error).__name__ == "InstantiationException" and error.__cause__ else error
        about_values = isinstance(cause, (ValueError, TypeError, MisconfigurationException, ImportError, MemoryError))
        if not (about_values or "can't allocate memory" in str(cause)):  # torch's word for MemoryError
            raise
        message = str(cause)
        if not message.startswith(key.split(".")[0] + "."):
            given = {str(k): v for k, v in node.items() if not str(k).startswith("_") and not OmegaConf.is_config(v)}
            message = f"{key}: {message} (given: {', '.join(f'{key}.{k}={v}' for k, v in given.items())})"
        raise ConfigError(message) from error
