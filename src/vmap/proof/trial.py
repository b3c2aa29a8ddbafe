"""Both ways to train a job for a few steps: as its single run, and in a stack; on copies of some of its data."""

import copy
import pickle
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.loggers.logger import Logger

from src.build import Built, build_data, build_task, build_trainer
from src.checks.forward import IN_PLACE, check_forward
from src.compat.quiet import quiet_lightning
from src.compat.torch import has_backward_hook, has_forward_pre_hook, has_gradient_hook
from src.config.errors import ConfigError
from src.console.sweep import NoProgress
from src.data.base import Part, Parts
from src.measure import measure
from src.sweep.jobs import Job, hydra_config
from src.tasks.base import Task
from src.tasks.checkpoint import checkpoint_of, run_checkpoint
from src.tasks.finite import NonFiniteLossError
from src.tasks.start import begin_with
from src.vmap.errors import NotStackedError
from src.vmap.measure import measure_model
from src.vmap.models import ModelFactory
from src.vmap.module import StackedModule
from src.vmap.proof.attributes import attributes
from src.vmap.proof.words import first_line
from src.vmap.stacked.draws import GradientHooks
from src.vmap.stacked.layout import freeze_like
from src.vmap.trained import trained_models

# Models that a step of the trial computes: with more of them, tiles take turns.
_TILE = 2
# Epochs of a trial, and the batches of each.
_EPOCHS, _BATCHES = 3, 3
# A loss that has grown to this is on its way to be lost, and rounding grows with it.
_LOST = 1e6

# Samples of a whole part.
_SAMPLES = 2048


@dataclass(frozen=True)
class Outcome:
    """What a training of a job has led to."""

    rows: list[dict[str, float]]
    metrics: Mapping[str, float]
    checkpoint: Mapping[str, Any]


@dataclass(frozen=True)
class Single:
    """A single run of a job.

    Attributes:
        job: The job.
        outcome: None if its loss was lost.
    """

    job: Job
    outcome: Outcome | None


class _Rows(Logger):
    """Keeps every row in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    @property
    def name(self) -> str:
        """Nobody asks."""
        return "rows"

    @property
    def version(self) -> str:
        """Nobody asks."""
        return ""

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing to keep."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Nothing to keep but rows."""

    def log_row(self, row: Mapping[str, float]) -> None:
        """Keep a row."""
        self.rows.append(dict(row))


@dataclass(frozen=True)
class Trial:
    """How both ways are tried: precision, number of epochs, and whether validation and test follow."""

    precision: str | int
    n_epochs: int = _EPOCHS
    is_measured: bool = True

    def trainer(self, job: Job, loggers: list[Logger]) -> pl.Trainer:
        """A trainer as a job asks for it, on the CPU."""
        n_epochs = min(self.n_epochs, job.resolved["trainer"]["max_epochs"])
        return build_trainer(job.cfg, [], loggers, accelerator="cpu", precision=self.precision, max_epochs=n_epochs)


def train_alone(job: Job, factory: ModelFactory, trial: Trial) -> Single:
    """Train and measure a job's single run on some of its data."""
    with hydra_config(job.hydra_cfg):
        datamodule = build_data(job.cfg)
        if not _equal(factory.datamodule(job).parts, datamodule.parts):
            raise NotStackedError("its data differ each time that they are made")
        few = _few(datamodule.parts, datamodule.batch_size)
        datamodule.share_parts(_copy(few))
        task: Task = build_task(job.cfg, datamodule.spec)
        rows = _Rows()
        built = Built(datamodule, task, trial.trainer(job, [rows]), [rows])
    check_forward(task, few.train, built.trainer)
    if (source := job.cfg.get("init_from")) is not None:
        begin_with(task, Path(source).expanduser(), say=False)
    _check_hooks(task)
    initial, drawn = in_python(task), _drawn()
    if not torch.equal(torch.get_rng_state(), factory.model(job).rng_state):
        raise NotStackedError(
            "its task draws from the seed when it is made: draw in the network or the loss, and keep it in a buffer"
        )
    watch = GradientHooks()
    try:
        with watch:
            built.fit()
    except NonFiniteLossError:
        return Single(job, None)
    if watch.n_registered:
        raise NotStackedError(
            "a hook is registered on the gradient of a tensor while it trains (register_hook), which a stack does not "
            "call: write a torch.autograd.Function instead"
        )
    _check_draws(drawn, _drawn())
    after_training = torch.get_rng_state()
    if not torch.equal(factory.model(job).rng_state, after_training) and _device_of(job) != "cpu":
        raise NotStackedError("it draws random numbers while it trains, which a stack repeats on a CPU only")
    checkpoint = copy.deepcopy(checkpoint_of(built.trainer))
    metrics = measure(built).metrics if trial.is_measured else {}
    if not torch.equal(after_training, torch.get_rng_state()):
        raise NotStackedError("it draws random numbers while it is evaluated, such as dropout with training=True")
    for name, digest in in_python(task).items():
        if initial.get(name) != digest:
            raise NotStackedError(
                f"{name} changes while it trains, and stacked models would share it: {advice(task, name)}"
            )
    if not _equal(few, datamodule.parts):
        raise NotStackedError(IN_PLACE)
    is_lost = any(abs(value) > _LOST for row in rows.rows for name, value in row.items() if name.endswith("/loss"))
    return Single(job, None if is_lost else Outcome(rows.rows, metrics, checkpoint))


def train_surely(job: Job, factory: ModelFactory, trial: Trial) -> Single:
    """`train_alone` of a job that is no stack's fault if it fails."""
    try:
        return train_alone(job, factory, trial)
    except (NotStackedError, ConfigError):
        raise
    except Exception as error:
        raise NotStackedError(f"its single run fails: {first_line(error)}") from error


def advice(task: Task, name: str) -> str:
    """What to do about an attribute that changes."""
    owner = dict(task.named_modules()).get(name.rpartition(".")[0])
    if owner is not None and has_forward_pre_hook(owner):
        return "a hook of torch puts it there; torch.nn.utils.parametrizations has one that can be stacked"
    return "keep it in a buffer" + (" of the network or the loss" if name.startswith("task.") else "")


def train_stacked(jobs: Sequence[Job], factory: ModelFactory, trial: Trial, *, fused: bool = False) -> list[Outcome]:
    """Train and measure jobs as a stack, on the same data as their single runs; by Numba if it is ``fused``."""
    first, size = jobs[0], factory.batch_size(jobs[0])
    models = [factory.model(job) for job in jobs]
    copies = {id(model.parts): _copy(_few(model.parts, size)) for model in models}
    # without callbacks, as the single runs
    tasks: dict[Task, Task] = {}
    for model in models:
        if model.task not in tasks:
            with hydra_config(model.job.hydra_cfg):
                task = tasks[model.task] = build_task(model.job.cfg, model.task.spec)
            freeze_like(task.net, model.task.net)
            freeze_like(task.loss, model.task.loss)
    models = [replace(model, task=tasks[model.task], parts=copies[id(model.parts)], stopping=()) for model in models]
    with hydra_config(first.hydra_cfg):
        trainer = trial.trainer(first, [])
    module = StackedModule(
        models,
        batch_size=size,
        drop_last=factory.drop_last(first),
        monitor=None,
        tile=_TILE,
        progress=NoProgress(),
        fused=fused,
    )
    with quiet_lightning():
        trainer.fit(module, train_dataloaders=[0])
    found: dict[int, Outcome] = {}
    for tile in module.tiles:
        for trained in trained_models(tile, n_epochs=trainer.current_epoch):
            metrics: dict[str, float] = {}
            if trial.is_measured and trained.error is None:
                model = trained.model
                metrics = measure_model(model.task, trained.last_tensors, model.parts, trainer.precision_plugin)
            checkpoint = {**run_checkpoint(**trained.state), "rng_state": trained.rng_state}
            found[id(trained.model)] = Outcome(trained.rows, metrics, checkpoint)
    return [found[id(model)] for model in models]


def _device_of(job: Job) -> str:
    """Kind of the device that a job asks for, as far as this machine has it."""
    return build_trainer(job.cfg, [], []).strategy.root_device.type


def _few(parts: Parts, batch_size: int | None) -> Parts:
    """Some samples of each part; a last batch that is smaller stays one."""
    n = len(parts.train.x)
    size = min(batch_size or n, n)
    n_train = min(n, _SAMPLES) if size == n else min(n, _BATCHES * size + n % size)
    sizes = (n_train, _SAMPLES, _SAMPLES)
    return Parts(*(Part(part.x[:size], part.y[:size]) for part, size in zip(parts, sizes, strict=True)))


def _copy(parts: Parts) -> Parts:
    return Parts(*(Part(part.x.clone(), part.y.clone()) for part in parts))


def _equal(one: Parts, other: Parts) -> bool:
    pairs = zip(one, other, strict=True)
    return all(a.dtype == b.dtype and torch.equal(a, b.cpu()) for two in pairs for a, b in zip(*two, strict=True))


def in_python(task: Task) -> dict[str, str]:
    """Digests of what network, loss and task keep in Python, by name."""
    return {
        **attributes(task.net, "net"),
        **attributes(task.loss, "loss"),
        **{
            name: digest
            for name, digest in attributes(task, "task", without=Task.OWN).items()
            if "task.net" not in name
        },
    }


def _check_hooks(task: Task) -> None:
    for name, parameter in task.named_parameters():
        if has_gradient_hook(parameter):
            raise NotStackedError(f"a hook is registered on the gradient of {name}, which a stack does not call")
    for name, module in task.named_modules():
        if has_backward_hook(module):
            raise NotStackedError(f"a hook is registered on the backward pass of {name}, which a stack does not call")


def _drawn() -> dict[str, Any]:
    """How far the global generators have come."""
    return {"Python": random.getstate(), "NumPy": pickle.dumps(np.random.get_state())}


def _check_draws(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for name, state in before.items():
        if state != after[name]:
            raise NotStackedError(f"it draws from {name}'s random generator while it trains: draw from torch's")
