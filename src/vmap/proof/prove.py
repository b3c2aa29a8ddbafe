"""The proof that a stack computes what single runs compute: a few of its jobs are trained both ways, for a few steps.

Single runs are built from each job's own configuration, by the functions that build any run, and trained by Lightning's
Trainer. What differs is named, and the jobs run one by one. Nothing that is tried here touches what is trained on.
"""

import contextlib
import copy
import io
import itertools
import pickle
import random
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.loggers.logger import Logger
from torch import Tensor

from src.build import Built, build_data, build_task, build_trainer
from src.checks.forward import IN_PLACE, check_forward
from src.compat.quiet import quiet_lightning
from src.compat.torch import has_backward_hook, has_forward_pre_hook, has_gradient_hook
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.console.sweep import NoProgress
from src.data.base import Batches, Part, Parts
from src.measure import measure
from src.sweep.jobs import Job, hydra_config
from src.tasks.base import Task
from src.tasks.checkpoint import checkpoint_of, run_checkpoint
from src.tasks.finite import NonFiniteLossError
from src.tasks.loop import names_of
from src.vmap.errors import NotStackedError
from src.vmap.measure import measure_model
from src.vmap.models import ModelFactory
from src.vmap.module import StackedModule
from src.vmap.proof.attributes import LIBRARIES, attributes, packages_as_they_are
from src.vmap.proof.elementwise import check_elementwise
from src.vmap.stacked.draws import GradientHooks
from src.vmap.stacked.optimizers import STACKED
from src.vmap.trained import trained_models

# Jobs that are trained both ways.
_MEMBERS = 3

# Models that a step of the trial computes: with more of them, tiles take turns.
_TILE = 2

# Jobs of which some may be lost.
_MOST_MEMBERS = 8

# Jobs among which they are chosen.
_CANDIDATES = 1000

# Epochs of a trial, and the batches of each.
_EPOCHS, _BATCHES = 3, 3

# Steps of an optimiser whose class has taken all of them with other numbers.
_FEW_STEPS = 200

# A loss that has grown to this is on its way to be lost, and rounding grows with it.
_LOST = 1e6

# Samples of a whole part.
_SAMPLES = 2048

# Largest share by which results of double precision may differ, and where a network knows single precision only.
_TOLERANCE, _LOOSE = 1e-6, 1e-3

# Numbers of this size may be what rounding leaves of larger ones.
_ROUNDING = 1e-4


def obstacle_of(jobs: Sequence[Job], factory: ModelFactory) -> str | None:
    """Why these jobs cannot be stacked, or None.

    Args:
        jobs: At least two, alike in all that `src.vmap.planning.plan` compares, or but for widths and activations.
        factory: Makes their models.
    """
    members = _with_another_network(_most_different(jobs, factory), jobs, factory)
    members = _with_a_partner(members, jobs, factory)
    with (
        hydra_config(members[0].hydra_cfg),
        _generators_as_they_are(),
        packages_as_they_are(_targets(factory.config(members[0]))),
        # what a run warns of and prints, it says itself
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            # its layout
            factory.model(members[0])
            _check_metrics(jobs, factory)
            _check_all(jobs, factory)
            _check_optimizers(jobs, factory)
            _prove(members, jobs, factory)
        except (NotStackedError, ConfigError) as error:
            return str(error)
        except Exception as error:
            return _in_words(error)
    return None


def _targets(cfg: Mapping[str, Any]) -> list[str]:
    """Classes and functions that a configuration names."""
    return [str(value) for key, value in flatten(cfg).items() if key.endswith("._target_")]


def _most_different(jobs: Sequence[Job], factory: ModelFactory) -> list[Job]:
    """A few jobs, each of which differs from those before it in as many keys as there are."""
    candidates = jobs[:: -(-len(jobs) // _CANDIDATES)]
    leaves = [flatten(factory.config(job)) for job in candidates]
    chosen = [0]
    while len(chosen) < min(_MEMBERS, len(candidates)):
        rest = [i for i in range(len(candidates)) if i not in chosen]
        chosen.append(max(rest, key=lambda i: min(_distance(leaves[i], leaves[k]) for k in chosen)))
    return [candidates[i] for i in chosen]


def _with_another_network(members: list[Job], jobs: Sequence[Job], factory: ModelFactory) -> list[Job]:
    """And a job of another width or activation, where there is one."""
    nets = [factory.config(job)["model"]["net"] for job in members]
    if any(net != nets[0] for net in nets):
        return members
    others = (job for job in jobs if factory.config(job)["model"]["net"] != nets[0])
    return [*members, *itertools.islice(others, 1)]


def _with_a_partner(members: list[Job], jobs: Sequence[Job], factory: ModelFactory) -> list[Job]:
    """And a job with all numbers of a member's optimiser, where that makes rows of one parameter of both."""
    recipes = {id(factory.recipe(job)) for job in members}
    kind = factory.recipe(jobs[0]).kind
    if kind in STACKED or len(recipes) < len(members):
        return members
    chosen = {job.number for job in members}
    others = (job for job in jobs if job.number not in chosen and id(factory.recipe(job)) in recipes)
    return [*members, *itertools.islice(others, 1)]


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())


def _check_metrics(jobs: Sequence[Job], factory: ModelFactory) -> None:
    """Refuse metrics that a stack does not measure."""
    cfg = jobs[0].cfg
    task: Task = build_task(cfg, factory.datamodule(jobs[0]).spec)
    if unknown := sorted({each.cfg.optimized_metric for each in jobs} - set(task.metric_names())):
        raise NotStackedError(f"optimized_metric={unknown[0]} is not measured")
    for name, node in cfg.callbacks.items():
        if node and "monitor" in node and node.monitor not in names_of(task.score_name):
            raise NotStackedError(f"callbacks.{name}.monitor={node.monitor} is not measured during training")


def _check_all(jobs: Sequence[Job], factory: ModelFactory) -> None:
    """Compare what is kept in Python among all jobs, where network, loss or task are of one's own."""
    cfg = factory.config(jobs[0])
    targets = {"net": cfg["model"]["net"], "loss": cfg["loss"], "task": cfg["task"]}
    shipped = tuple(f"{part}." for part, node in targets.items() if node["_target_"].split(".")[0] in LIBRARIES)
    if len(shipped) == len(targets):
        return
    first: Mapping[str, str] | None = None
    for job in jobs:
        with hydra_config(job.hydra_cfg):
            task = build_task(job.cfg, factory.datamodule(job).spec)
        found = _in_python(task)
        first = first or found
        for name, digest in first.items():
            if not name.startswith(shipped) and found.get(name) != digest:
                raise NotStackedError(
                    f"{name} differs from job to job, such as drawn from the seed, and stacked models would share it: "
                    f"{_advice(task, name)}"
                )


def _check_optimizers(jobs: Sequence[Job], factory: ModelFactory) -> None:
    """Try the optimisers by themselves, unless their arithmetic is written out here."""
    recipes = list({id(recipe): recipe for recipe in map(factory.recipe, jobs)}.values())
    kind = recipes[0].kind
    if kind in STACKED:
        return
    batches = Batches(factory.datamodule(jobs[0]).parts.train, batch_size=factory.batch_size(jobs[0]))
    n_steps = jobs[0].cfg.trainer.max_epochs * len(batches)
    # what is torch's own depends on no number in this
    for i, recipe in enumerate(recipes[:1] if kind.__module__.startswith("torch.") else recipes):
        check_elementwise(recipe.optimizer, n_steps=n_steps if i == 0 else min(n_steps, _FEW_STEPS))


# Both ways


@dataclass(frozen=True)
class _Outcome:
    """What a training of a job has led to."""

    rows: list[dict[str, float]]
    metrics: Mapping[str, float]
    checkpoint: Mapping[str, Any]


@dataclass(frozen=True)
class _Single:
    """A single run of a job.

    Attributes:
        job: The job.
        outcome: None if its loss was lost.
    """

    job: Job
    outcome: _Outcome | None


class _Rows(Logger):
    """Keeps every row in memory."""

    keeps_every_row = True

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
        """Keep a row."""
        self.rows.append({"epoch": float(step or 0), **metrics})


def _prove(members: list[Job], jobs: Sequence[Job], factory: ModelFactory) -> None:
    """Train members both ways.

    In double precision, where rounding cannot hide a difference, nor grow into one; types are compared in their own.

    Raises:
        NotStackedError: With the first difference.
    """
    own = _Trial(members[0].cfg.trainer.precision)
    trial, tolerance = _Trial("64-true"), _TOLERANCE
    try:
        singles = [_train_alone(job, factory, trial) for job in members]
    except (NotStackedError, ConfigError):
        raise
    # code of one's own may raise anything in double precision; in its own the jobs are tried again, and errors are told
    except Exception:
        trial, tolerance = own, _LOOSE
        singles = [_train_surely(job, factory, trial) for job in members]
    # a job that loses its loss shows nothing: others stand in
    chosen = {job.number for job in members}
    rest = [job for job in jobs if job.number not in chosen]
    while sum(single.outcome is not None for single in singles) < 2 and rest and len(singles) < _MOST_MEMBERS:
        members.append(rest.pop(len(rest) // 2))
        singles.append(_train_surely(members[-1], factory, trial))
    if not any(single.outcome for single in singles):
        raise NotStackedError(
            "the jobs that were tried lose their loss at once, so that nothing shows what a stack does"
        )
    _compare(singles, _train_stacked(members, factory, trial), tolerance)
    # models with the same data are computed in another way
    parts = [factory.datamodule(job).parts for job in members]
    sharing = [i for i, each in enumerate(parts) if each is parts[0]]
    if 1 < len(sharing) < len(members):
        stacked = _train_stacked([members[i] for i in sharing], factory, trial)
        _compare([singles[i] for i in sharing], stacked, tolerance)
    if trial is not own and own.precision not in ("64-true", "64", 64):
        two, short = members[:2], _Trial(own.precision, n_epochs=1, is_measured=False)
        _compare([_train_alone(job, factory, short) for job in two], _train_stacked(two, factory, short), None)


@dataclass(frozen=True)
class _Trial:
    """How both ways are tried: precision, number of epochs, and whether validation and test follow."""

    precision: str | int
    n_epochs: int = _EPOCHS
    is_measured: bool = True

    def trainer(self, job: Job, loggers: list[Logger]) -> pl.Trainer:
        """A trainer as a job asks for it, on the CPU."""
        n_epochs = min(self.n_epochs, job.cfg.trainer.max_epochs)
        return build_trainer(job.cfg, [], loggers, accelerator="cpu", precision=self.precision, max_epochs=n_epochs)


def _train_alone(job: Job, factory: ModelFactory, trial: _Trial) -> _Single:
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
    _check_hooks(task)
    initial, drawn = _in_python(task), _drawn()
    if not torch.equal(torch.get_rng_state(), factory.model(job).rng_state):
        raise NotStackedError(
            "its task draws from the seed when it is made: draw in the network or the loss, and keep it in a buffer"
        )
    watch = GradientHooks()
    try:
        with watch:
            built.fit()
    except NonFiniteLossError:
        return _Single(job, None)
    if watch.n_registered:
        raise NotStackedError(
            "a hook is registered on the gradient of a tensor while it trains (register_hook), which a stack does not "
            "call: write a torch.autograd.Function instead"
        )
    _check_draws(drawn, _drawn())
    after_training = torch.get_rng_state()
    checkpoint = copy.deepcopy(checkpoint_of(built.trainer))
    metrics = measure(built).metrics if trial.is_measured else {}
    if not torch.equal(after_training, torch.get_rng_state()):
        raise NotStackedError("it draws random numbers while it is evaluated, such as dropout with training=True")
    for name, digest in _in_python(task).items():
        if initial.get(name) != digest:
            raise NotStackedError(
                f"{name} changes while it trains, and stacked models would share it: {_advice(task, name)}"
            )
    if not _equal(few, datamodule.parts):
        raise NotStackedError(IN_PLACE)
    is_lost = any(abs(value) > _LOST for row in rows.rows for name, value in row.items() if name.endswith("/loss"))
    return _Single(job, None if is_lost else _Outcome(rows.rows, metrics, checkpoint))


def _train_surely(job: Job, factory: ModelFactory, trial: _Trial) -> _Single:
    """`_train_alone` of a job that is no stack's fault if it fails."""
    try:
        return _train_alone(job, factory, trial)
    except (NotStackedError, ConfigError):
        raise
    except Exception as error:
        raise NotStackedError(f"its single run fails: {first_line(error)}") from error


def _advice(task: Task, name: str) -> str:
    """What to do about an attribute that changes."""
    owner = dict(task.named_modules()).get(name.rpartition(".")[0])
    if owner is not None and has_forward_pre_hook(owner):
        return "a hook of torch puts it there; torch.nn.utils.parametrizations has one that can be stacked"
    return "keep it in a buffer" + (" of the network or the loss" if name.startswith("task.") else "")


def _train_stacked(jobs: Sequence[Job], factory: ModelFactory, trial: _Trial) -> list[_Outcome]:
    """Train and measure jobs as a stack, on the same data as their single runs."""
    first, size = jobs[0], factory.batch_size(jobs[0])
    models = [factory.model(job) for job in jobs]
    copies = {id(model.parts): _copy(_few(model.parts, size)) for model in models}
    # without callbacks, as the single runs
    tasks: dict[Task, Task] = {}
    for model in models:
        if model.task not in tasks:
            with hydra_config(model.job.hydra_cfg):
                tasks[model.task] = build_task(model.job.cfg, model.task.spec)
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
    )
    with quiet_lightning():
        trainer.fit(module, train_dataloaders=[0])
    found: dict[int, _Outcome] = {}
    for tile in module.tiles:
        for trained in trained_models(tile, n_epochs=trainer.current_epoch):
            metrics: dict[str, float] = {}
            if trial.is_measured and trained.error is None:
                model = trained.model
                metrics = measure_model(model.task, trained.last_tensors, model.parts, trainer.precision_plugin)
            checkpoint = {**run_checkpoint(**trained.state), "rng_state": trained.rng_state}
            found[id(trained.model)] = _Outcome(trained.rows, metrics, checkpoint)
    return [found[id(model)] for model in models]


# Data


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


# What is kept in Python


def _in_python(task: Task) -> dict[str, str]:
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


# Random generators


def _drawn() -> dict[str, Any]:
    """How far the global generators have come."""
    return {"Python": random.getstate(), "NumPy": pickle.dumps(np.random.get_state())}


def _check_draws(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    for name, state in before.items():
        if state != after[name]:
            raise NotStackedError(f"it draws from {name}'s random generator while it trains: draw from torch's")


@contextmanager
def _generators_as_they_are() -> Iterator[None]:
    """Leave the global generators where they were."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


# Comparing outcomes


def _compare(singles: Sequence[_Single], stacked: Sequence[_Outcome], tolerance: float | None) -> None:
    """Raise for the first difference; without a tolerance only names and types are compared."""
    for single, found in zip(singles, stacked, strict=True):
        if single.outcome is None:
            continue
        for what, one, other in _pairs(found, single.outcome):
            # what torchmetrics computes is rounded to single precision, squared, and divided by
            scalar = what in single.outcome.metrics
            if different := _difference(one, other, tolerance and (_LOOSE if scalar else tolerance)):
                where, got, expected = different
                raise NotStackedError(
                    f"a trial of job {single.job.number} gives {what}{where} = {got} in a stack and {expected} by "
                    "itself: its network, loss, task or optimiser mixes models, or keeps something for all"
                )


def _pairs(found: _Outcome, expected: _Outcome) -> Iterator[tuple[str, Any, Any]]:
    """What is compared: what it is called, found in a stack, expected of a single run."""
    if len(found.rows) != len(expected.rows):
        yield "the number of rows", len(found.rows), len(expected.rows)
    for row, other in zip(expected.rows, found.rows, strict=False):
        for name, value in row.items():
            yield f"{name} of epoch {row['epoch']:g}", other.get(name), value
    # weights before metrics: where both differ, these say more
    for key in ("rng_state", "state_dict", "optimizer_states", "lr_schedulers"):
        yield key, found.checkpoint.get(key), expected.checkpoint.get(key)
    for name, value in expected.metrics.items():
        yield name, found.metrics.get(name), value


def _difference(found: Any, expected: Any, tolerance: float | None, where: str = "") -> tuple[str, str, str] | None:
    """Where the first difference is, what was found and what was expected; None if there is none."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping) or found.keys() != expected.keys():
            return where, str(sorted(map(str, found or ()))), str(sorted(map(str, expected)))
        inner = [(f"{where}.{key}", found[key], expected[key]) for key in expected]
    elif isinstance(expected, (list, tuple)):
        if not isinstance(found, (list, tuple)) or len(found) != len(expected):
            return where, str(found), str(expected)
        inner = [(f"{where}.{i}", one, other) for i, (one, other) in enumerate(zip(found, expected, strict=True))]
    else:
        return None if _is_near(found, expected, tolerance) else (where, _shown(found), _shown(expected))
    differences = (_difference(one, other, tolerance, name) for name, one, other in inner)
    return next((each for each in differences if each is not None), None)


def _is_near(found: Any, expected: Any, tolerance: float | None) -> bool:
    if isinstance(expected, Tensor):
        if not isinstance(found, Tensor) or (found.dtype, found.shape) != (expected.dtype, expected.shape):
            return False
        if not expected.is_floating_point():
            return tolerance is None or torch.equal(found, expected)
        found, expected = found.double(), expected.double()
        size, distance = float(expected.abs().max()), float((found - expected).abs().max())
    elif isinstance(expected, float) and isinstance(found, (int, float)):
        size, distance = abs(expected), abs(found - expected)
    else:
        return bool(found == expected)
    # sums that cancel leave rounding alone
    return tolerance is None or distance <= tolerance * size + tolerance * _ROUNDING or found is expected


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)} of mean {value.double().mean():.6g}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# What `torch.func.vmap` says, and what that means to somebody who wrote a network; {} is what stands in the brackets.
_WORDS = (
    (
        r"data-dependent control flow|is_nonzero|\.item\(\)",
        "its network or loss decides by the value of a tensor (an if, float() or .item()), which differs from model to "
        "model: use torch.where",
    ),
    (
        r"randomness",
        "it draws random numbers in a way that cannot be given to each model by itself: torch.rand, torch.randn, their "
        "_like and nn.Dropout can",
    ),
    (r"(?:Batching rule not implemented for|do not yet support) ([\w:.]+)", "torch.func.vmap knows no {}"),
    (
        r"(?:aten::)?(\w+_)\(self, .*is not possible",
        "it changes a tensor that all models share by one that differs ({}): put a new tensor in its place",
    ),
    (r"data pointer|numpy\(\)", "it takes numbers out of PyTorch (.numpy(), .data_ptr()), where models are mapped"),
    (r"escaped|gen_vmap_plumbing", "a tensor leaves the function that is mapped, as in torch.utils.checkpoint"),
)


def _in_words(error: Exception) -> str:
    """What an exception of a trial means to somebody who wrote a network."""
    for pattern, words in _WORDS:
        if found := re.search(pattern, str(error)):
            return words.format(*found.groups())
    return f"it cannot be stacked: {re.sub(r' ?Please file.*', '', first_line(error))}"


def first_line(error: Exception) -> str:
    """What an exception says, in a line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
