"""Whether a run trains in blocks of epochs, or in steps because something wants what Lightning documents.

Blocks call Lightning once for many epochs. What is content with that says so: a callback by ``content_with_blocks``,
a flag of the trainer or a hook of a task by standing in the lists below. All else gets steps.
"""

import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    BatchSizeFinder,
    Callback,
    LearningRateFinder,
    ModelSummary,
    RichModelSummary,
)
from lightning.pytorch.core.hooks import CheckpointHooks, DataHooks, ModelHooks
from omegaconf import DictConfig

from src.config.errors import ConfigError
from src.data.base import InMemoryDataModule
from src.tasks.base import Task

log = logging.getLogger(__name__)

# Flags of the trainer that blocks honour.
IN_BLOCKS = frozenset(
    {
        *("accelerator", "strategy", "devices", "num_nodes", "precision", "plugins", "sync_batchnorm"),
        *("use_distributed_sampler", "max_epochs", "min_epochs", "max_steps", "overfit_batches"),
        *("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches"),
        *("deterministic", "benchmark", "inference_mode", "detect_anomaly", "fast_dev_run", "barebones"),
        *("model_registry", "enable_autolog_hparams"),
    }
)

# Flags that ask for steps, unless they have the value that Lightning gives them.
IN_STEPS = frozenset(
    {
        *("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm", "min_steps", "max_time"),
        *("check_val_every_n_epoch", "val_check_interval", "num_sanity_val_steps", "log_every_n_steps"),
        *("reload_dataloaders_every_n_epochs", "profiler"),
    }
)

# Flags that belong to another key, and that key.
ELSEWHERE = {
    "callbacks": "callbacks=... or callbacks.NAME._target_=... adds one, callbacks.NAME=null leaves one out",
    "default_root_dir": "hydra.run.dir=... is where a run leaves everything",
    "enable_checkpointing": "callbacks.checkpoint=null writes no checkpoints",
    "enable_model_summary": "callbacks.summary=null shows no summary",
    "enable_progress_bar": "callbacks.progress=null shows no bar",
    "logger": "logger=... chooses what records a run, logger=none records nothing",
}

# Of Lightning's own callbacks those that choose a value which the configuration states, and what does that here.
REFUSED: dict[type[Callback], str] = {
    BatchSizeFinder: "data.batch_size is the size; null takes all samples, -m data.batch_size=16,64,256 compares some",
    LearningRateFinder: "optimizer.lr is the rate; -m optimizer.lr=0.01,0.1,1 compares some",
}

# Of Lightning's own callbacks those that look before training or after it only.
_CONTENT = (ModelSummary, RichModelSummary)

# What Lightning calls while it trains, and blocks do not, or less often.
_HOOKS = frozenset(
    {
        name
        for kind in (ModelHooks, DataHooks)
        for name, value in vars(kind).items()
        if not name.startswith("_") and inspect.isfunction(value)
    }
    | {"training_step", "validation_step", "optimizer_step", "optimizer_zero_grad", "backward", "manual_backward"}
    | {"lr_scheduler_step", "configure_gradient_clipping", "configure_optimizers", "configure_callbacks"}
    | {"toggle_optimizer", "untoggle_optimizer"}
) - {
    *vars(CheckpointHooks),
    *("setup", "teardown", "prepare_data", "on_fit_start", "on_fit_end", "configure_model", "configure_sharded_model"),
    *("test_step", "test_dataloader", "predict_step", "predict_dataloader"),
    *("on_test_start", "on_test_end", "on_test_epoch_start", "on_test_epoch_end", "on_test_batch_start"),
    *("on_test_batch_end", "on_test_model_eval", "on_test_model_train"),
    *("on_predict_start", "on_predict_end", "on_predict_epoch_start", "on_predict_epoch_end"),
    *("on_predict_batch_start", "on_predict_batch_end", "on_predict_model_eval", "on_predict_model_train"),
}

# What the project's own bases have of these.
_BASES = (Task, InMemoryDataModule)


def choose_loop(
    cfg: DictConfig, task: Task, datamodule: pl.LightningDataModule, callbacks: Mapping[str, Callback]
) -> str | None:
    """Let a task train in steps where something wants them.

    Args:
        cfg: A composed configuration.
        task: The task.
        datamodule: Its data.
        callbacks: What watches, by key.

    Returns:
        What wants steps, for a line in the log; None for blocks, and where steps were asked for.

    Raises:
        ConfigError: If ``task.loop=blocks`` is asked for and something wants steps, or a callback can do neither.
    """
    for key, callback in callbacks.items():
        if why := REFUSED.get(type(callback)):
            raise ConfigError(f"{key} ({type(callback).__name__}) would change what the configuration says: {why}")
        if isinstance(callback, BackboneFinetuning) and not hasattr(task, "backbone"):
            raise ConfigError(
                f"{key} ({type(callback).__name__}) freezes the attribute `backbone` of a task, which "
                f"{_name(task)} has not; allowed: with a task of one's own that has it"
            )
    if task.loop == "steps":
        task.train_in_steps()
        return None
    reason = next(iter(wants_steps(cfg.trainer, (task, datamodule), callbacks)), None)
    if reason is None:
        return None
    if task.loop == "blocks":
        raise ConfigError(f"task.loop=blocks cannot do {reason}; task.loop=auto trains in steps where something asks")
    task.train_in_steps()
    return reason


def check_flags(trainer: Mapping[str, Any]) -> None:
    """Refuse flags of the trainer that another key sets.

    Raises:
        ConfigError: Naming that key.
    """
    for name in trainer:
        if name in ELSEWHERE:
            raise ConfigError(f"trainer.{name}={trainer[name]} belongs to another key: {ELSEWHERE[str(name)]}")


def check_interval(trainer: Mapping[str, Any], n_batches: int) -> None:
    """Refuse to validate after more batches than an epoch has, and tell where no validation ends an epoch.

    Args:
        trainer: Flags of the trainer.
        n_batches: Training batches of an epoch.

    Raises:
        ConfigError: Unless batches are counted across epochs, ``check_val_every_n_epoch=null``.
    """
    every = trainer.get("val_check_interval")
    if isinstance(every, int) and every > n_batches and trainer.get("check_val_every_n_epoch", 1) is not None:
        raise ConfigError(
            f"trainer.val_check_interval={every} is more than the {n_batches} training batches of an epoch; allowed: "
            f"at most {n_batches}, or with +trainer.check_val_every_n_epoch=null any number of batches across epochs"
        )
    # a duration ends when it ends
    if isinstance(every, int | float) and n_batches % (
        every if isinstance(every, int) else max(1, int(n_batches * every))
    ):
        log.warning(
            "trainer.val_check_interval=%s measures in the middle of epochs, and the best weights are kept at their "
            "ends: a number that divides the %d batches of an epoch measures those",
            every,
            n_batches,
        )


def wants_steps(trainer: Mapping[str, Any], parts: Sequence[Any], callbacks: Mapping[str, Callback]) -> Sequence[str]:
    """All that wants what Lightning documents, in the words of a configuration.

    Args:
        trainer: Flags of the trainer.
        parts: Task and data module.
        callbacks: What watches, by key.
    """
    defaults = {name: each.default for name, each in inspect.signature(pl.Trainer).parameters.items()}
    flags = [
        f"trainer.{name}={value}"
        for name, value in trainer.items()
        if name in IN_STEPS and value is not None and value != defaults[str(name)]
    ]
    if trainer.get("limit_train_batches") == 0:
        flags.append("trainer.limit_train_batches=0")
    watching = [f"{key} ({type(callback).__name__})" for key, callback in callbacks.items() if not is_content(callback)]
    return [*watching, *flags, *(f"{_name(part)}.{hook}" for part in parts for hook in own_hooks(type(part)))]


def is_content(callback: Callback) -> bool:
    """Whether a callback may be called once for a block of epochs."""
    return type(callback) in _CONTENT or bool(getattr(callback, "content_with_blocks", False))


def own_hooks(kind: type) -> list[str]:
    """Hooks that a class has put in the place of those of its base in this project."""
    base = next((base for base in _BASES if issubclass(kind, base)), None)
    if base is None:
        return []
    above = kind.__mro__[: kind.__mro__.index(base)]
    return sorted({name for each in above for name in vars(each) if name in _HOOKS})


def _name(part: Any) -> str:
    return f"{type(part).__module__}.{type(part).__qualname__}"
