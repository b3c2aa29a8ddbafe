"""What a run computes: build, fit, measure. Loads torch; `src.train` claims the directory before, and records after."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig
from torch.nn.parameter import is_lazy

from src.build import Built, build
from src.callbacks.checkpoint import BestAndLast, go_on_from
from src.callbacks.extension import begin_extension
from src.callbacks.final import tell_loggers
from src.callbacks.hints import Hints, found_by
from src.callbacks.module_rows import logged_by
from src.checks.device import describe_device
from src.checks.forward import check_forward
from src.checks.parts import check_batches
from src.compat.lightning import complete_epoch, interruptible
from src.config.errors import ConfigError
from src.console.results import print_config, print_lines
from src.console.setup import setup_lines
from src.data.base import InMemoryDataModule
from src.measure import measure
from src.record import Fitted
from src.run.directory import RunDir
from src.run.log import say_first
from src.tasks.base import Task
from src.tasks.start import begin_with
from src.tasks.training.threads import computing_threads, multiplications

log = logging.getLogger(__name__)


def fit(cfg: DictConfig, run: RunDir, *, resume: bool, show: bool, shorter: RunDir | None = None) -> Fitted:
    """Train a network and measure it.

    Args:
        cfg: A composed configuration of conf/train.yaml.
        run: Where the run leaves its files.
        resume: Whether it goes on from its last checkpoint.
        show: Whether the configuration is printed once it is known to fit together.
        shorter: The run that has ended which this one goes on with, where it has no checkpoint of its own yet.

    Raises:
        ConfigError: If parts of the configuration do not fit together, or not to what it is to go on from.
    """
    built = build(cfg)
    if show and cfg.get("print_config"):
        print_config(cfg)
    elif show:
        _say_setup(cfg, built)
    with computing_threads(cfg.get("threads"), _multiplications(built)) as n_threads:
        fitted = _fit(cfg, run, built, resume=resume, shorter=shorter)
    return replace(fitted, threads=n_threads)


def _say_setup(cfg: DictConfig, built: Built) -> None:
    task = built.task
    net = task.net if isinstance(task, Task) else task
    n_parameters = sum(p.numel() for p in net.parameters() if not is_lazy(p))
    data: Any = built.datamodule if isinstance(built.datamodule, InMemoryDataModule) else None
    spec, sizes = (None, ()) if data is None else (data.spec, [len(part.x) for part in data.parts])
    loss = type(task.loss).__name__ if isinstance(task, Task) else None
    print_lines(__name__, setup_lines(cfg, n_parameters=n_parameters, spec=spec, n_samples=sizes, loss=loss))


def _multiplications(built: Built) -> float | None:
    """Of a training batch; None for a module of one's own, which says nothing of its batches."""
    if not isinstance(built.task, Task):
        return None
    data = built.datamodule
    return multiplications(built.task.net, data.parts.train.x, batch_size=data.batch_size)


def _fit(cfg: DictConfig, run: RunDir, built: Built, *, resume: bool, shorter: RunDir | None) -> Fitted:
    trainer, task = built.trainer, built.task
    if isinstance(task, Task):
        # with the data, which are made and checked here: nothing of the run is on disk yet
        check_forward(task, built.datamodule.parts.train, trainer)
        check_batches(cfg, len(built.datamodule.parts.train.x))
    if trainer.is_global_zero:
        say_first(__name__, describe_device(cfg.trainer.accelerator, trainer))
    if shorter is not None and not resume:
        n_rows = len(built.datamodule.parts.train.x) if isinstance(task, Task) else None
        begin_extension(run, shorter, cfg, task, n_rows=n_rows)
        resume = True
    last = go_on_from(run, is_first=trainer.is_global_zero, module=task) if resume else None
    if shorter is not None and last is None:
        # the next command begins it again
        run.clear()
        raise ConfigError(f"{run.path}: no checkpoint is whole; the same command begins the extension again")
    if resume and last is None and trainer.is_global_zero:
        run.clear()
    if last is None and (source := cfg.get("init_from")) is not None:
        begin_with(task, Path(source).expanduser(), say=trainer.is_global_zero)
    if isinstance(task, Task):
        _keep_record(built.datamodule, run, is_first=trainer.is_global_zero)
    with interruptible():
        built.fit(checkpoint=last)
        _end(trainer, task)
        if trainer.limit_train_batches == 0 and trainer.is_global_zero:
            log.warning("trainer.limit_train_batches=0: nothing was trained, so metrics.csv gets no row")
        # the last weights are those that it has
        measured = measure(built, checkpoint=run.checkpoint("best") if run.tested(cfg) == "best" else None)
    metrics = {**getattr(task, "fitted", {}), **measured.metrics}
    if not isinstance(task, Task):
        metrics = {**logged_by(trainer), **metrics}
        _check_logged(cfg, metrics)
    if trainer.is_global_zero:
        tell_loggers(cfg, built.loggers, metrics, step=trainer.current_epoch)
    # of several processes all come this far, or none: this raises where one of them has ended
    trainer.strategy.barrier()
    return Fitted(
        metrics=metrics,
        per_class=measured.per_class,
        hints=found_by(trainer),
        device=str(trainer.strategy.root_device),
        n_parameters=sum(p.numel() for p in (task.net if isinstance(task, Task) else task).parameters()),
        weights=measured.weights,
    )


def _keep_record(datamodule: InMemoryDataModule, run: RunDir, *, is_first: bool) -> None:
    """Store what was learnt of the data, or refuse to go on with others than those that the run began with.

    Raises:
        ConfigError: If that is not what it has stored.
    """
    record = datamodule.record
    if record is None:
        return
    stored = run.data_record()
    # a record of an earlier version holds less
    if stored is not None and stored != {key: value for key, value in record.items() if key in stored}:
        raise ConfigError(
            f"run_dir={run.path} was begun with other data than these: {run.data_file} tells what they were. Put the "
            "data back, or choose another directory"
        )
    if stored is None and is_first:
        run.write_data_record(record)


def _check_logged(cfg: DictConfig, metrics: Mapping[str, float]) -> None:
    """Refuse an optimised metric that a module of one's own has not logged.

    Raises:
        ConfigError: Naming those that it has.
    """
    if cfg.optimized_metric not in metrics:
        names = ", ".join(sorted(metrics)) or "nothing"
        raise ConfigError(f"optimized_metric={cfg.optimized_metric} was not logged by module; logged: {names}")


def _end(trainer: pl.Trainer, task: Any) -> None:
    """Do what is done at the end of training, where a kill came before: a trainer with nothing left to do does not."""
    complete_epoch(trainer)
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning leaves it untyped
    # in Lightning's order
    for callback in sorted(callbacks, key=lambda each: isinstance(each, BestAndLast)):
        if isinstance(callback, (Hints, BestAndLast)):
            callback.end(trainer, task)
