"""Whether the parts of a configuration fit together: model, task, loss and metric with the data."""

from collections.abc import Sequence
from typing import Any

import yaml
from hydra.utils import get_class, get_object
from omegaconf import DictConfig, OmegaConf
from torch import nn

from src.config import folders
from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.data.check import spec_problems
from src.data.spec import DataSpec
from src.tasks.of_data import TASKS, task_of_data
from src.tasks.training.loop import names_of


def check_kinds(cfg: DictConfig, spec: DataSpec) -> None:
    """Refuse a spec that cannot be, and a model, task or loss that is made for another kind of data.

    Raises:
        ConfigError: If one does not fit; the message names what would.
    """
    if problems := spec_problems(spec):
        raise ConfigError("\n".join(f"data={_option('data', cfg.data)}: {problem}" for problem in problems))
    task_class = get_object(cfg.task._target_)
    if task_class is task_of_data:
        task_class = TASKS[spec.task]
    task_name = getattr(task_class, "task_name", spec.task)
    if task_name != spec.task:
        raise ConfigError(
            f"task={task_name} does not fit data={_option('data', cfg.data)}, which is a {spec.task} task; "
            f"use task={spec.task}"
        )
    if cfg.model.task not in (None, spec.task):
        _refuse_model(cfg, spec, f"the model is for a {cfg.model.task} task, the data hold a {spec.task} one")
    allowed = getattr(task_class, "losses", None)
    loss_class = get_object(cfg.loss._target_)
    if allowed and loss_class.__module__ == "torch.nn.modules.loss" and loss_class not in allowed:
        options = [f"loss={name}" for name, node in _options("loss") if _is_one_of(node, allowed)]
        raise ConfigError(
            f"loss={_option('loss', cfg.loss)} does not fit data={_option('data', cfg.data)}, which is a {spec.task} "
            f"task; use {' or '.join(options)}"
        )


def check_sizes(cfg: DictConfig, spec: DataSpec, net: nn.Module) -> None:
    """Compare the sizes that a network fixes with those of the data.

    Raises:
        ConfigError: If one differs; the message names the models that would fit.
    """
    for key, size in (("in_features", spec.n_features), ("out_features", spec.n_outputs)):
        fixed = getattr(net, key, size)
        if fixed != size:
            _refuse_model(cfg, spec, f"model.net.{key} is {fixed}, the data need {size}")


def check_batches(cfg: DictConfig, n_train: int) -> None:
    """Refuse a batch of one sample where `model.net.norm` takes the spread over a batch.

    Args:
        cfg: A composed configuration.
        n_train: Samples to train on.

    Raises:
        ConfigError: If there is one; the message names what leaves none.
    """
    size = cfg.data.get("batch_size") or n_train
    rest = n_train % size
    if cfg.model.net.get("norm") != "batch" or not cfg.model.net.get("hidden"):
        return
    if size == 1 or (rest == 1 and not cfg.data.get("drop_last")):
        said = f"data.batch_size={cfg.data.get('batch_size')} of {n_train} samples to train on"
        what = "makes batches of one sample" if size == 1 else "leaves a last batch of one sample"
        instead = "data.batch_size=2 or more" if size == 1 else "data.drop_last=true, or another data.batch_size"
        raise ConfigError(f"{said} {what}, and model.net.norm=batch needs two: {instead}")


def check_metric(cfg: DictConfig, names: Sequence[str]) -> None:
    """Refuse an optimised metric that the task will not measure.

    Args:
        cfg: A composed configuration.
        names: What the task measures, ``split/name``.

    Raises:
        ConfigError: If it is unknown, or its split gets no batches.
    """
    if cfg.optimized_metric not in names:
        raise ConfigError(f"optimized_metric={cfg.optimized_metric} is not measured; allowed: {', '.join(names)}")
    split = cfg.optimized_metric.split("/")[0]
    if cfg.trainer.get(f"limit_{split}_batches") == 0:
        raise ConfigError(f"optimized_metric={cfg.optimized_metric} needs batches, trainer.limit_{split}_batches is 0")


def check_monitors(cfg: DictConfig, task: Any) -> None:
    """Refuse callbacks that would look for a metric which training does not measure.

    Raises:
        ConfigError: If one monitors an unknown metric, or one of validation where that gets no batches.
    """
    # a task of one's own may log more
    if not type(task).__module__.startswith("src.tasks."):
        return
    names = sorted(names_of(task.score_name))
    for name, node in cfg.callbacks.items():
        monitor = node.get("monitor") if node is not None else None
        if monitor is None or not str(node._target_).startswith(("src.", "lightning.")):
            continue
        key = f"callbacks.{name}.monitor={monitor}"
        if monitor not in names:
            raise ConfigError(f"{key} is not measured during training; allowed: {', '.join(names)}")
        # without validation no weights are the best, and the checkpoint callback keeps the last ones only
        keeps_last = str(node._target_).endswith(".BestAndLast")
        if monitor.startswith("val/") and cfg.trainer.get("limit_val_batches") == 0 and not keeps_last:
            raise ConfigError(f"{key} needs batches, trainer.limit_val_batches is 0")
        every, n_epochs = cfg.trainer.get("check_val_every_n_epoch"), cfg.trainer.get("max_epochs")
        if monitor.startswith("val/") and every is not None and 0 < (n_epochs or 0) < every:
            raise ConfigError(
                f"trainer.check_val_every_n_epoch={every} never validates in trainer.max_epochs={n_epochs}, and {key} "
                f"needs it; allowed: at most {n_epochs}"
            )


def check_trainer(cfg: DictConfig) -> None:
    """Refuse two answers to one question.

    Raises:
        ConfigError: If task and trainer are both to clip gradients.
    """
    both = cfg.task.get("gradient_clip_val"), cfg.trainer.get("gradient_clip_val")
    if None not in both:
        raise ConfigError(
            f"task.gradient_clip_val={both[0]} and trainer.gradient_clip_val={both[1]} both clip: leave one out"
        )


def _refuse_model(cfg: DictConfig, spec: DataSpec, why: str) -> None:
    fits = [f"model={name}" for name, node in _options("model") if _fits(node, spec)]
    raise ConfigError(
        f"model={cfg.model.name} does not fit data={_option('data', cfg.data)}: {why} "
        f"({spec.n_features} features, {spec.n_outputs} outputs). What fits: {', '.join(fits)}"
    )


def _fits(model: DictConfig, spec: DataSpec) -> bool:
    net = model.get("net") or {}
    return (
        bool(net)
        and model.get("task") in (None, spec.task)
        and net.get("in_features") in (None, spec.n_features)
        and net.get("out_features") in (None, spec.n_outputs)
    )


def _options(group: str) -> list[tuple[str, DictConfig]]:
    """All options of a group by name, as their files stand."""
    found = []
    for name, path in folders.options(CONF_DIR, group).items():
        try:
            node = OmegaConf.load(path)
        except (yaml.YAMLError, OSError):
            # of a file that nobody has chosen
            continue
        node = node.get(group, node) if isinstance(node, DictConfig) else node
        if isinstance(node, DictConfig):
            found.append((name, node))
    return found


def _is_one_of(loss: DictConfig, allowed: Sequence[type[nn.Module]]) -> bool:
    """Whether an option is one of PyTorch's losses; nothing else is imported for it."""
    target = str(loss.get("_target_"))
    return target.startswith("torch.nn.modules.loss.") and get_class(target) in allowed


def _option(group: str, node: DictConfig) -> str:
    """Name of the option that a node was made from, or its target where none is found."""
    target: str = node._target_
    return next((name for name, option in _options(group) if option.get("_target_") == target), target)
