"""The proof that a stack computes what single runs compute: a few of its jobs are trained both ways, for a few steps.

Single runs are built from each job's own configuration, by the functions that build any run, and trained by Lightning's
Trainer. What differs is named, and the jobs run one by one. Nothing that is tried here touches what is trained on.
"""

import contextlib
import io
import logging
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from src.build import build_task
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.data.base import Batches
from src.run.log import said_once
from src.sweep.jobs import Job, hydra_config
from src.tasks.base import Task
from src.tasks.training.loop import names_of
from src.vmap.errors import NotStackedError
from src.vmap.models import ModelFactory
from src.vmap.proof.attributes import LIBRARIES, packages_as_they_are
from src.vmap.proof.compare import LOOSE, TOLERANCE, compare
from src.vmap.proof.elementwise import check_elementwise
from src.vmap.proof.members import members_of
from src.vmap.proof.trial import Trial, advice, in_python, train_alone, train_stacked, train_surely
from src.vmap.proof.words import in_words
from src.vmap.stacked.fused import SINGLE, is_fit
from src.vmap.stacked.optimizers import STACKED

log = logging.getLogger(__name__)

# Jobs of which some may be lost.
_MOST_MEMBERS = 8
# Steps of an optimiser whose class has taken all of them with other numbers.
_FEW_STEPS = 200


def obstacle_of(jobs: Sequence[Job], factory: ModelFactory) -> str | None:
    """Why these jobs cannot be stacked, or None.

    Args:
        jobs: At least two, alike in all that `src.vmap.planning.plan` compares, or but for widths and activations.
        factory: Makes their models.
    """
    members = members_of(jobs, factory)
    with (
        hydra_config(members[0].hydra_cfg),
        _generators_as_they_are(),
        said_once(factory.said),
        packages_as_they_are(_targets(members[0].resolved)),
        # what a run warns of and prints, it says itself
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            with factory.computing_threads(members[0]):
                # its layout
                factory.model(members[0])
                _check_metrics(jobs, factory)
                _check_all(jobs, factory)
                _check_optimizers(jobs, factory)
                _prove(members, jobs, factory)
        except (NotStackedError, ConfigError) as error:
            return str(error)
        except Exception as error:
            return in_words(error)
    return None


def _targets(cfg: Mapping[str, Any]) -> list[str]:
    """Classes and functions that a configuration names."""
    return [str(value) for key, value in flatten(cfg).items() if key.endswith("._target_")]


def _check_metrics(jobs: Sequence[Job], factory: ModelFactory) -> None:
    """Refuse metrics that a stack does not measure."""
    cfg = jobs[0].cfg
    task: Task = build_task(cfg, factory.datamodule(jobs[0]).spec)
    if unknown := sorted({each.resolved["optimized_metric"] for each in jobs} - set(task.metric_names())):
        raise NotStackedError(f"optimized_metric={unknown[0]} is not measured")
    for name, node in cfg.callbacks.items():
        if node and "monitor" in node and node.monitor not in names_of(task.score_name):
            raise NotStackedError(f"callbacks.{name}.monitor={node.monitor} is not measured during training")


def _check_all(jobs: Sequence[Job], factory: ModelFactory) -> None:
    """Compare what is kept in Python among all jobs, where network, loss or task are of one's own."""
    cfg = jobs[0].resolved
    targets = {"net": cfg["model"]["net"], "loss": cfg["loss"], "task": cfg["task"]}
    shipped = tuple(f"{part}." for part, node in targets.items() if node["_target_"].split(".")[0] in LIBRARIES)
    if len(shipped) == len(targets):
        return
    first: Mapping[str, str] | None = None
    for job in jobs:
        with hydra_config(job.hydra_cfg):
            task = build_task(job.cfg, factory.datamodule(job).spec)
        found = in_python(task)
        first = first or found
        for name, digest in first.items():
            if not name.startswith(shipped) and found.get(name) != digest:
                raise NotStackedError(
                    f"{name} differs from job to job, such as drawn from the seed, and stacked models would share it: "
                    f"{advice(task, name)}"
                )


def _check_optimizers(jobs: Sequence[Job], factory: ModelFactory) -> None:
    """Try the optimisers by themselves, unless their arithmetic is written out here."""
    recipes = list({id(recipe): recipe for recipe in map(factory.recipe, jobs)}.values())
    kind = recipes[0].kind
    if kind in STACKED:
        return
    batches = Batches(factory.datamodule(jobs[0]).parts.train, batch_size=factory.batch_size(jobs[0]))
    n_steps = jobs[0].resolved["trainer"]["max_epochs"] * len(batches)
    # what is torch's own depends on no number in this
    for i, recipe in enumerate(recipes[:1] if kind.__module__.startswith("torch.") else recipes):
        check_elementwise(recipe.optimizer, n_steps=n_steps if i == 0 else min(n_steps, _FEW_STEPS))


def _prove(members: list[Job], jobs: Sequence[Job], factory: ModelFactory) -> None:
    """Train members both ways.

    In double precision, where rounding cannot hide a difference, nor grow into one; types are compared in their own.

    Raises:
        NotStackedError: With the first difference.
    """
    own = Trial(members[0].cfg.trainer.precision)
    trial, tolerance = Trial("64-true"), TOLERANCE
    try:
        singles = [train_alone(job, factory, trial) for job in members]
    except (NotStackedError, ConfigError):
        raise
    # code of one's own may raise anything in double precision; in its own the jobs are tried again, and errors are told
    except Exception:
        trial, tolerance = own, LOOSE
        singles = [train_surely(job, factory, trial) for job in members]
    # a job that loses its loss shows nothing: others stand in
    chosen = {job.number for job in members}
    rest = [job for job in jobs if job.number not in chosen]
    while sum(single.outcome is not None for single in singles) < 2 and rest and len(singles) < _MOST_MEMBERS:
        members.append(rest.pop(len(rest) // 2))
        singles.append(train_surely(members[-1], factory, trial))
    if not any(single.outcome for single in singles):
        raise NotStackedError(
            "the jobs that were tried lose their loss at once, so that nothing shows what a stack does"
        )
    compare(singles, train_stacked(members, factory, trial), tolerance)
    # models with the same data are computed in another way
    parts = [factory.datamodule(job).parts for job in members]
    sharing = [i for i, each in enumerate(parts) if each is parts[0]]
    if 1 < len(sharing) < len(members):
        stacked = train_stacked([members[i] for i in sharing], factory, trial)
        compare([singles[i] for i in sharing], stacked, tolerance)
    if trial is not own and factory.fused and own.precision in SINGLE and is_fit([*map(factory.task, members)]):
        _prove_fused(members, factory, Trial(own.precision, is_measured=False))
    elif trial is not own and own.precision not in ("64-true", "64", 64):
        two, short = members[:2], Trial(own.precision, n_epochs=1, is_measured=False)
        compare([train_alone(job, factory, short) for job in two], train_stacked(two, factory, short), None)


def _prove_fused(members: Sequence[Job], factory: ModelFactory, trial: Trial) -> None:
    """Train members both ways in single precision, the stack by Numba; where they differ, by PyTorch from now on.

    Raises:
        NotStackedError: With the first difference of PyTorch's stack.
    """
    singles = [train_surely(job, factory, trial) for job in members]
    try:
        compare(singles, train_stacked(members, factory, trial, fused=True), LOOSE)
    # whatever a compiled kernel may do: there is another way
    except Exception as error:
        factory.fused = False
        log.info("Numba computes no stacks of this sweep: %s", in_words(error))
        compare(singles, train_stacked(members, factory, trial), None)


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
