"""From a configuration to the objects of a run: the one place that instantiates.

The data tell their sizes before any are made. A network that leaves its sizes open gets them from there, and one that
fixes them is compared with them. Model, task, loss and metric are checked against the data, optimiser and scheduler are
tried once, and each error names its configuration keys, so that a mistake costs no training.

The seed is set straight before the network draws its weights, so that it gives those that it gives in plain PyTorch.
Nothing else that is made here, nor the data or the order of batches, takes anything from the global generators.
"""

import functools
import logging
import random
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import lightning.pytorch as pl
import numpy as np
import torch
from hydra.utils import get_class
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint, ModelSummary, ProgressBar
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch import nn

from src.callbacks.checkpoint import BestAndLast
from src.callbacks.first import ComesFirst
from src.callbacks.module_rows import ModuleRows
from src.callbacks.pictures import FinalPictures
from src.checks.device import check_accelerator, check_precision
from src.checks.loop import check_flags, check_interval, choose_loop
from src.checks.parts import check_kinds, check_metric, check_monitors, check_sizes, check_trainer
from src.compat.hydra import instantiate
from src.compat.lightning import go_on_between_epochs, raised_by_lightning
from src.compat.quiet import quiet_lightning
from src.config.command import interrupts
from src.config.errors import ConfigError
from src.config.metrics import better, mode_of
from src.config.seeds import seed_of_weights, seeds_of_data
from src.config.signature import typed_parameters
from src.console.setup import origin
from src.data.base import Batches, InMemoryDataModule
from src.data.spec import DataSpec
from src.run.directory import RunDir
from src.tasks.base import OptimizerFactory, SchedulerFactory, Task
from src.tasks.rows import KeepsRows

log = logging.getLogger(__name__)

T = TypeVar("T")

# A run of many processes is evaluated by one, and leaves no records.
_ALONE = {"strategy": "auto", "devices": 1, "num_nodes": 1, "profiler": None, "plugins": None}


@dataclass(frozen=True)
class Built:
    """What a run is made of."""

    datamodule: Any
    task: Any
    trainer: pl.Trainer
    loggers: list[Logger] = field(default_factory=list)

    def fit(self, *, checkpoint: Path | None = None) -> None:
        """Train, from a checkpoint on where one is given."""
        # several processes would not end at the same epoch
        heeded = interrupts.heeded() if self.trainer.world_size == 1 else nullcontext()
        self.trainer.callbacks.insert(0, ComesFirst())  # type: ignore[attr-defined] # Lightning leaves it untyped
        if not isinstance(self.task, Task):
            self.trainer.callbacks.append(ModuleRows())  # type: ignore[attr-defined]
        # what last.ckpt keeps of the others is what they know at the end of the epoch, and no row comes after it
        self.trainer.callbacks.sort(key=lambda each: isinstance(each, BestAndLast))  # type: ignore[attr-defined]
        if checkpoint is not None:
            go_on_between_epochs(self.trainer)
        with heeded, quiet_lightning():
            try:
                self.trainer.fit(self.task, datamodule=self.datamodule, ckpt_path=checkpoint, weights_only=True)
            except (MisconfigurationException, ValueError, RuntimeError) as error:
                if not raised_by_lightning(error):
                    raise
                raise ConfigError(
                    f"Lightning refuses to train with this trainer and these callbacks: {error}"
                ) from error


def build(cfg: DictConfig, *, evaluate_only: bool = False) -> Built:
    """Make data module, task and trainer.

    Args:
        cfg: A composed configuration of conf/train.yaml.
        evaluate_only: Leave out what records a run: loggers and callbacks.

    Raises:
        ConfigError: If a value is out of its range, or parts of the configuration do not fit together.
    """
    check_flags(cfg.trainer)
    if cfg.get("module") is not None:
        return _build_module(cfg, evaluate_only=evaluate_only)
    datamodule = build_data(cfg, run=RunDir(Path(cfg.run_dir)) if evaluate_only else None)
    task = build_task(cfg, datamodule.spec)
    check_trainer(cfg)
    check_metric(cfg, task.metric_names())
    if not evaluate_only:
        check_monitors(cfg, task)
    loggers = [] if evaluate_only else _loggers(cfg)
    callbacks = {} if evaluate_only else _instantiate_all("callbacks", cfg.callbacks)
    for each in callbacks.values():
        if isinstance(each, FinalPictures):
            each.below = origin(cfg)
    if isinstance(task, Task) and not evaluate_only and (reason := choose_loop(cfg, task, datamodule, callbacks)):
        log.info("training in steps, as Lightning documents them, for %s", reason)
    flags = {**_limit(cfg, datamodule), **(_ALONE if evaluate_only else {})}
    if getattr(task, "trains_in_blocks", False):
        # a block of epochs is one step for Lightning
        flags["log_every_n_steps"] = 1
    elif isinstance(task, Task) and not evaluate_only:
        check_interval(cfg.trainer, _n_batches(cfg, datamodule, flags))
    trainer = build_trainer(cfg, list(callbacks.values()), loggers, **flags)
    return Built(datamodule, task, trainer, loggers)


def _build_module(cfg: DictConfig, *, evaluate_only: bool) -> Built:
    """A LightningModule of one's own, with any LightningDataModule.

    The module is made straight after seeding. What needs a task of this project is left out, with a line each.
    """
    datamodule = _of_kind("data", cfg.data, pl.LightningDataModule, **seeds_of_data(cfg))
    seed_everything(seed_of_weights(cfg))
    module = _of_kind("module", cfg.module, pl.LightningModule)
    if cfg.compile:
        module.compile()
    loggers = [] if evaluate_only else _loggers(cfg)
    nodes = {} if evaluate_only else {name: node for name, node in cfg.callbacks.items() if node is not None}
    left_out = [name for name, node in nodes.items() if getattr(get_class(node._target_), "needs_task", False)]
    for name in left_out:
        log.info("callbacks.%s looks at a task of this project, and is left out: module=... trains by itself", name)
    callbacks = _instantiate_all("callbacks", {name: nodes[name] for name in nodes if name not in left_out})
    flags = _ALONE if evaluate_only else {}
    return Built(
        datamodule,
        module,
        build_trainer(cfg, list(callbacks.values()), loggers, **flags),
        loggers,
    )


def _of_kind(key: str, node: Any, kind: type[T], **more: Any) -> T:
    made = _instantiate(key, node, **more)
    if not isinstance(made, kind):
        raise ConfigError(f"{key}._target_={node._target_} makes a {type(made).__name__}; allowed: a {kind.__name__}")
    return made


def build_task(cfg: DictConfig, spec: DataSpec) -> Any:
    """Make the network, its loss, optimiser and scheduler, and wrap them.

    The network's weights are drawn first, straight after seeding, so that a seed gives the same weights everywhere.
    """
    check_kinds(cfg, spec)
    net = build_net(cfg, spec)
    check_sizes(cfg, spec, net)
    if cfg.compile:
        # in place: checkpoints keep the plain names of the weights
        net.compile()
    optimizer, scheduler = build_optimizer(cfg)
    loss = build_loss(cfg, spec)
    return _instantiate("task", cfg.task, net=net, loss=loss, optimizer=optimizer, scheduler=scheduler, spec=spec)


def build_data(cfg: DictConfig, *, run: RunDir | None = None) -> InMemoryDataModule:
    """Make the data module; its parts are made when first asked for, or where the loss weighs classes by their sizes.

    Args:
        cfg: A composed configuration.
        run: A run that has learnt of its data; these are then taken as it has learnt to.

    Raises:
        ConfigError: If what it has stored cannot be read.
    """
    datamodule = _of_kind("data", cfg.data, InMemoryDataModule, **seeds_of_data(cfg))  # type: ignore[type-abstract]
    if run is not None and (record := run.data_record()) is not None:
        try:
            datamodule.use(record)
        except ValueError as error:
            raise ConfigError(f"{run.data_file} does not fit data._target_={cfg.data._target_}: {error}") from error
    if OmegaConf.select(cfg, "loss.class_weights") == "balanced":
        # a draw tells its classes' sizes once it is made
        _ = datamodule.parts
    return datamodule


def build_net(cfg: DictConfig, spec: DataSpec, *, seed: int | None = None) -> nn.Module:
    """Seed, then draw the weights of the network; sizes that it leaves open are those of the data.

    Args:
        cfg: A composed configuration.
        spec: Of the data.
        seed: Draws the weights; None for that of ``cfg``.
    """
    sizes = {"in_features": spec.n_features, "out_features": spec.n_outputs}
    # each look into a configuration takes a while
    node = cfg.model.net
    open_sizes = {key: size for key, size in sizes.items() if node.get(key, "") is None}
    seed_everything(seed_of_weights(cfg) if seed is None else seed)
    return _of_kind("model.net", node, nn.Module, **open_sizes)


def build_loss(cfg: DictConfig, spec: DataSpec) -> nn.Module:
    """Make the loss; one that takes a ``spec`` is given that of the data."""
    asks = "spec" in typed_parameters(str(cfg.loss._target_)) and "spec" not in cfg.loss
    return _of_kind("loss", cfg.loss, nn.Module, **({"spec": spec} if asks else {}))


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
    if _has_accelerator():
        torch.manual_seed(seed)
    else:
        # the same without asking for devices that are not there, which takes longer than to draw a small network
        torch.default_generator.manual_seed(seed)


@functools.cache
def _has_accelerator() -> bool:
    """Whether this machine has a device with a generator of its own."""
    return torch.accelerator.is_available()


def build_trainer(cfg: DictConfig, callbacks: list[Callback], loggers: list[Logger], **changes: Any) -> pl.Trainer:
    """Make the trainer; it records what the configuration lists and nothing else.

    Args:
        cfg: A composed configuration.
        callbacks: What watches the run.
        loggers: What records it.
        **changes: Arguments of the trainer that differ from ``cfg.trainer``.
    """
    check_accelerator(cfg.trainer.accelerator)
    _set_apart(callbacks, Path(cfg.run_dir))
    with quiet_lightning():
        trainer: pl.Trainer = _instantiate(
            "trainer",
            cfg.trainer,
            callbacks=callbacks,
            logger=loggers or False,
            default_root_dir=str(Path(cfg.run_dir)),
            enable_checkpointing=_has(callbacks, Checkpoint),
            enable_progress_bar=_has(callbacks, ProgressBar),
            enable_model_summary=_has(callbacks, ModelSummary),
            **changes,
        )
    check_precision(trainer.strategy.root_device, cfg.trainer.precision)
    return trainer


def _set_apart(callbacks: Iterable[Callback], run_dir: Path) -> None:
    """Give a `ModelCheckpoint` a folder of its own where its files would have the names of the run's."""
    own = (run_dir / "checkpoints").resolve()
    for callback in callbacks:
        if not isinstance(callback, ModelCheckpoint):
            continue
        names = {callback.filename, callback.CHECKPOINT_NAME_LAST if callback.save_last else None}
        is_beside = callback.dirpath is None or Path(callback.dirpath).resolve() == own
        if is_beside and names & {"best", "last", "last.previous"}:
            callback.dirpath = str(own / "ModelCheckpoint")
            log.info(
                "ModelCheckpoint writes to %s, since best.ckpt and last.ckpt above it are the run's", callback.dirpath
            )


def _limit(cfg: DictConfig, datamodule: InMemoryDataModule) -> dict[str, int]:
    """Shares of batches as their number: Lightning cannot take a tenth of the one block or part that it sees."""
    parts = {"limit_train": "train", "overfit": "train", "limit_val": "val", "limit_test": "test"}
    limits: dict[str, int] = {}
    for name, split in parts.items():
        share = cfg.trainer.get(f"{name}_batches")
        if isinstance(share, float) and 0 < share < 1:
            part = getattr(datamodule.parts, split)
            if split == "train":
                n_batches = len(datamodule.train_batches(part, seed=None))
            else:
                n_batches = len(Batches(part, batch_size=datamodule.EVAL_BATCH_SIZE))
            limits[f"{name}_batches"] = max(1, int(n_batches * share))
    return limits


def _n_batches(cfg: DictConfig, datamodule: InMemoryDataModule, limits: Mapping[str, Any]) -> int:
    """Training batches of an epoch."""
    limits = {**cfg.trainer, **limits}
    n = len(datamodule.train_batches(datamodule.parts.train, seed=None))
    given = (limits.get(f"{name}_batches") for name in ("limit_train", "overfit"))
    return max(1, min(n, *(limit if isinstance(limit, int) and limit else n for limit in given)))


def _has(callbacks: Iterable[Callback], kind: type) -> bool:
    return any(isinstance(callback, kind) for callback in callbacks)


def _instantiate(key: str, node: DictConfig, **kwargs: Any) -> Any:
    return _try(key, node, lambda: instantiate(node, **kwargs))


def _instantiate_all(group: str, nodes: Mapping[str, Any]) -> dict[str, Any]:
    """A group of any number of objects by their keys; one that is set to null is left out."""
    found = [(f"{group}.{key!s}", node) for key, node in nodes.items() if node is not None]
    kind: type[Any] = Callback if group == "callbacks" else Logger
    return {key: _of_kind(key, node, kind, **watched_end(key, node, warns=True)) for key, node in found}


def _loggers(cfg: DictConfig) -> list[Logger]:
    """What records: `self.logger` of a module is the first one, whose `experiment` code from tutorials draws into."""
    return sorted(_instantiate_all("logger", cfg.logger).values(), key=lambda each: isinstance(each, KeepsRows))


def watched_end(key: str, node: Mapping[str, Any], *, warns: bool = False) -> dict[str, str]:
    """The argument ``mode`` of a callback that monitors a metric; nothing for any other.

    Args:
        key: Its key.
        node: Its configuration.
        warns: As in `mode_of`.

    Raises:
        ConfigError: If its ``mode`` is null, and the metric's name does not tell.
    """
    monitor = node.get("monitor")
    if not isinstance(monitor, str) or "mode" not in typed_parameters(str(node["_target_"])):
        return {}
    if "mode" not in node and better(monitor) is None:
        # as the class has it
        return {}
    return {"mode": mode_of(monitor, node.get("mode"), key=key, warns=warns)}


def _try(key: str, node: DictConfig, make: Callable[[], Any]) -> Any:
    """Call ``make``; an error about its values names the configuration keys that set them."""
    try:
        return make()
    except ConfigError:
        raise
    except Exception as error:
        cause = error.__cause__ if type(error).__name__ == "InstantiationException" and error.__cause__ else error
        if isinstance(cause, ConfigError):
            raise cause from error
        if broken := _broken_import(cause):
            target = OmegaConf.select(node, "_target_")
            raise ConfigError(f"{key}._target_={target} fails where it is imported: {broken}") from error
        about_values = isinstance(cause, (ValueError, TypeError, MisconfigurationException, ImportError, MemoryError))
        if not (about_values or "can't allocate memory" in str(cause)):  # torch's word for MemoryError
            raise
        message = str(cause)
        if not message.startswith(key.split(".")[0] + "."):
            given = {str(k): v for k, v in node.items() if not str(k).startswith("_") and not OmegaConf.is_config(v)}
            message = f"{key}: {message} (given: {', '.join(f'{key}.{k}={v}' for k, v in given.items())})"
        raise ConfigError(message) from error


def _broken_import(error: BaseException) -> str | None:
    """What went wrong, and where, while Hydra imported a module of one's own; None if that is not what happened."""
    if not (isinstance(error, ImportError) and error.__cause__ is not None and str(error).startswith("Error loading")):
        return None
    cause = error.__cause__
    # the last line that is the importing file's own, not the import system's
    frames = [each for each in traceback.extract_tb(cause.__traceback__) if not each.filename.startswith("<frozen")]
    where = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(cause).__name__}: {cause}{where}"
