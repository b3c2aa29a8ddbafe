"""Validation and test of a network, for `src.train` and `src.eval` alike."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.callbacks import Callback, WeightAveraging
from lightning.pytorch.core.hooks import DataHooks
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor

from src.build import Built, build
from src.callbacks.module_rows import scalars
from src.compat.quiet import quiet_lightning
from src.config.errors import ConfigError
from src.console.setup import origin
from src.pictures.subject import Subject, title_of
from src.run.directory import RunDir
from src.tasks.base import Task
from src.tasks.checkpoint import LAST_EPOCH, load_checkpoint, weights_in

log = logging.getLogger(__name__)

_Numbers: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """What is known of a network.

    Attributes:
        metrics: Numbers by ``split/name``.
        per_class: For a classification precision, recall, F1 and support of each class of the test part.
        weights: Which weights were measured: ``best, epoch 834``, or ``last epoch``.
    """

    metrics: dict[str, float]
    per_class: list[dict[str, Any]]
    weights: str


def measure(built: Built, *, checkpoint: Path | None = None) -> Evaluation:
    """Run validation and test once.

    Args:
        built: The run.
        checkpoint: Weights to load first; None for those that the network has.

    Raises:
        ConfigError: If the checkpoint cannot be read or belongs to another network.
    """
    weights, path = LAST_EPOCH, None
    if checkpoint is not None and isinstance(built.task, Task):
        weights = load_weights(built.task, checkpoint)
    elif checkpoint is not None:
        # Lightning loads them: a module of one's own may make its layers in `setup`, and keep more than weights
        weights, path = weights_in(checkpoint, load_checkpoint(checkpoint)), checkpoint
    # for the titles of pictures
    built.task.which_weights = weights
    metrics: dict[str, float] = {}
    # an average of weights puts itself, as training has ended with it, in the place of those that are measured
    callbacks: list[Callback] = built.trainer.callbacks  # type: ignore[attr-defined]  # Lightning leaves it untyped
    callbacks[:] = [callback for callback in callbacks if not isinstance(callback, WeightAveraging)]
    with quiet_lightning():
        for run, stage in ((built.trainer.validate, "validation"), (built.trainer.test, "test")):
            if missing := _missing(built, "val" if stage == "validation" else stage, f"{stage}_step"):
                log.info("no %s: %s", stage, missing)
                continue
            with _fitting(path):
                run(built.task, datamodule=built.datamodule, ckpt_path=path, verbose=False, weights_only=True)
            metrics.update(scalars(built.trainer.callback_metrics))
    confusion = getattr(built.task, "confusion", {}).get("test")
    per_class = [] if confusion is None else class_report(confusion, built.task.spec.class_names)
    return Evaluation(metrics, per_class, weights)


@contextmanager
def _fitting(path: Path | None) -> Iterator[None]:
    """Say which checkpoint it is that belongs to another module.

    Raises:
        ConfigError: If it does.
    """
    try:
        yield
    except RuntimeError as error:
        if path is None or not str(error).startswith("Error(s) in loading state_dict"):
            raise
        raise ConfigError(f"{path} belongs to another network than module describes: {error}") from error


def _missing(built: Built, part: str, step: str) -> str | None:
    """What a module or data of one's own have not, so that a part cannot be measured."""
    for owner, hook, base in (
        (built.task, step, pl.LightningModule),
        (built.datamodule, f"{part}_dataloader", DataHooks),
    ):
        if getattr(type(owner), hook) is getattr(base, hook):
            return f"{type(owner).__name__} has no {hook}"
    return None


def rebuild(run: RunDir, cfg: DictConfig, *, checkpoint: str | None = None) -> Subject:
    """Build a finished run again from its directory alone, and measure it.

    Args:
        run: Its directory.
        cfg: The configuration that it has stored.
        checkpoint: ``best``, ``last`` or a path; None for the one that it has tested.

    Raises:
        ConfigError: If the checkpoint cannot be read or belongs to another network.
    """
    if cfg.get("module") is not None:
        raise ConfigError(f"{run.path}: pictures show tasks of this project; module={cfg.module._target_} is none")
    built = build(cfg, evaluate_only=True)
    if changed := built.datamodule.changed:
        log.warning(changed)
    measured = measure(built, checkpoint=run.checkpoint(checkpoint or run.tested(cfg)))
    below = origin(cfg)
    title = title_of(cfg.model.name, measured.metrics, measured.weights, below=below)
    return Subject(built.task, built.datamodule, title, run, measured.weights)


def load_weights(task: pl.LightningModule, path: Path) -> str:
    """Put a checkpoint's weights into a task, and tell which they are.

    Raises:
        ConfigError: If the checkpoint cannot be read or belongs to another network.
    """
    try:
        checkpoint = load_checkpoint(path)
        task.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"{path} belongs to another network than model.net describes: {error}") from error
    return weights_in(path, checkpoint)


def class_report(confusion: Tensor, class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of each class.

    Args:
        confusion: Counts (k, k), rows true and columns predicted classes.
        class_names: One per class.

    Returns:
        A row per class; a share of nothing counts as 0, as in scikit-learn.
    """
    counts = confusion.double().cpu().numpy()
    hits, predicted, support = counts.diagonal(), counts.sum(0), counts.sum(1)
    precision, recall = _share(hits, predicted), _share(hits, support)
    f1 = _share(2 * hits, predicted + support)
    columns = (class_names, precision.tolist(), recall.tolist(), f1.tolist(), support.astype(int).tolist())
    names = ("class", "precision", "recall", "f1", "support")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _share(part: _Numbers, whole: _Numbers) -> _Numbers:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
