"""A search: ask for the next trials, launch their jobs, tell what these have left in their run directories."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, Trial, TrialState

from src.config.errors import ConfigError
from src.launch.job import JobDiedError
from src.run.directory import flatten
from src.run.trial import TrialLink
from src.search.options import Options
from src.search.sampler import is_grid, make_sampler
from src.search.space import Space
from src.search.study import Book, open_study, own

Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]

log = logging.getLogger(__name__)


def search(
    options: Options,
    space: Space,
    *,
    sweep_dir: Path,
    settings: Mapping[str, Any],
    compose: Callable[[Sequence[str]], DictConfig],
    launch: Launch,
    check: Callable[[DictConfig], None] = lambda _: None,
    report: Callable[[Book], None] = lambda _: None,
) -> list[Sequence[JobReturn]]:
    """Go on until the study has as many trials as asked for.

    A trial that this directory has begun and not ended is taken up first: its job has the same overrides and the same
    directory as before. Failed trials count, and are not repeated.

    Args:
        options: Options of the search.
        space: What is searched.
        sweep_dir: Where the jobs leave their files, each under the number of its trial.
        settings: All that may not change from one call to the next, by key.
        compose: Makes the configuration of a job from its overrides.
        launch: Runs a batch of jobs, given as overrides; the number is that of the first.
        check: Refuses the configuration of a first job, before the study is begun.
        report: Called with the study at the end, unless interrupted.

    Returns:
        What ``launch`` has returned, batch by batch.

    Raises:
        ConfigError: If settings have changed, the directory holds other runs, or ``check`` says so.
        HydraException: If a choice cannot be composed.
    """
    options = _limited(options, space)
    sampler = make_sampler(options.sampler, space)
    first, *_ = [compose(overrides) for overrides in space.probes()]
    check(first)
    with own(sweep_dir) as mark:
        study = open_study(options, {**settings, **_own_settings(options, space)}, sampler)
        book = Book(study, space, options, mark, sweep_dir)
        _refuse_foreign_runs(book)
        returns: list[Sequence[JobReturn]] = []
        while batch := _next(book):
            returns.extend(_run(book, [trial for trial in batch if _composes(book, trial, compose)], launch))
        report(book)
    return returns


def _limited(options: Options, space: Space) -> Options:
    """A grid ends with its last combination."""
    if not is_grid(options.sampler):
        return options
    return replace(options, n_trials=min(options.n_trials, math.prod(len(points) for points in space.grid().values())))


def _own_settings(options: Options, space: Space) -> dict[str, Any]:
    chosen = {"objectives": options.objectives, "sampler": options.sampler, "pruner": options.pruner}
    return {**space.fixed, **space.texts, **{f"hydra.sweeper.{key}": value for key, value in flatten(chosen).items()}}


def _refuse_foreign_runs(book: Book) -> None:
    """A directory in which another sweep has left its runs would be read as if they were ours."""
    if any(trial.user_attrs.get("sweep") == book.mark for trial in book.study.get_trials(deepcopy=False)):
        return
    if any(book.sweep_dir.glob("*/.hydra/config.yaml")):
        raise ConfigError(
            f"hydra.sweep.dir={book.sweep_dir} holds runs, but none of study {book.options.study_name} in "
            f"{book.options.storage}; give another directory, or the storage and study_name of these runs"
        )


def _next(book: Book) -> list[Trial]:
    """The trials of the next batch; what is finished but not yet told is told first."""
    left = [trial for trial in book.unfinished() if not book.settle(trial)]
    if left:
        return left[: book.options.n_jobs]
    batch: list[Trial] = []
    while len(batch) < book.options.n_jobs and (trial := book.begin()):
        batch.append(trial)
    return batch


def _composes(book: Book, trial: Trial, compose: Callable[[Sequence[str]], DictConfig]) -> bool:
    """Whether the values of a trial go together; where they do not, it has failed."""
    try:
        compose(_overrides(book, trial))
    except HydraException as error:
        book.fail(trial, " ".join([str(error), str(error.__cause__ or "")]).strip())
        _tell(book, trial.number)
        return False
    return True


def _run(book: Book, batch: list[Trial], launch: Launch) -> list[Sequence[JobReturn]]:
    """Launch the jobs of a batch, and tell the study how each has ended.

    A job that leaves no result was killed, or its worker was. It is launched once more, and goes on from its
    checkpoint; if it leaves none again, its trial has failed.

    Raises:
        Exception: What the launcher says, if it does so twice and no job of the batch has even begun.
    """
    returns: list[Sequence[JobReturn]] = []
    todo = batch
    lost: Exception | None = None
    for trial in batch:
        _link(book, trial)
    for _ in range(2 if batch else 0):
        done: Sequence[JobReturn] = ()
        try:
            done = launch([_overrides(book, trial) for trial in todo], todo[0].number)
        # whatever a launcher meets: a worker that was killed, a cluster that does not answer
        except Exception as error:
            lost = error
            log.warning("launcher: %s: %s", type(error).__name__, error)
        returns.append(done)
        errors = {trial.number: _error(job) for trial, job in zip(todo, done, strict=False)}
        lost = next((error for error in errors.values() if isinstance(error, JobDiedError)), lost)
        left = []
        for trial in todo:
            if book.settle(trial) or _fail(book, trial, errors.get(trial.number)):
                _tell(book, trial.number)
            else:
                left.append(trial)
        todo = left
        if not todo:
            return returns
    if lost is not None and not any(book.run_dir(trial.number).config_file.is_file() for trial in batch):
        raise lost
    for trial in todo:
        book.fail(trial, f"left no result.json, twice: {lost or 'its process was killed'}")
        _tell(book, trial.number)
    return returns


def _overrides(book: Book, trial: Trial) -> list[str]:
    """Those of the trial, and the directory: numbers of a batch may have gaps where several machines search."""
    return [*book.space.overrides(trial.params), f"hydra.sweep.subdir={trial.number}"]


def _link(book: Book, trial: Trial) -> None:
    options = book.options
    if options.prunes:
        (monitor,) = options.objectives
        TrialLink(
            storage=options.storage,
            study=options.study_name,
            number=trial.number,
            monitor=monitor,
            pruner=options.pruner,
        ).write(book.run_dir(trial.number).path)


def _error(job: JobReturn) -> Exception | None:
    """What a job has raised, or its launcher says of it."""
    error: Exception | None = job._return_value if job.status == JobStatus.FAILED else None
    return error


def _fail(book: Book, trial: Trial, error: Exception | None) -> bool:
    """Store a trial as failed whose job has raised without a record: its directory belongs to another run, say."""
    if error is None or isinstance(error, JobDiedError):
        return False
    book.fail(trial, f"{type(error).__name__}: {error}")
    return True


def _tell(book: Book, number: int) -> None:
    """A line per trial."""
    trial: FrozenTrial = next(each for each in book.study.get_trials(deepcopy=False) if each.number == number)
    if trial.state == TrialState.COMPLETE:
        values = (f"{name} {value:.4g}" for name, value in zip(book.options.objectives, trial.values, strict=True))
        text = ", ".join(values)
    elif trial.state == TrialState.PRUNED:
        text = f"pruned at epoch {trial.last_step}"
    else:
        text = f"failed: {trial.user_attrs.get('error')}"
    log.info("trial %d: %s", number, text)
